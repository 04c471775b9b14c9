# SPDX-License-Identifier: Apache-2.0
"""Reading a policy from disk."""

from __future__ import annotations

from pathlib import Path

from models.policy import Policy, PolicyFaults, parse_policy
from models.policy_source import Fault

_READ = {".toml", ".csv", ".md"}
_FOR_PEOPLE = "README.md"


def policy_files(folder: Path) -> dict[str, str]:
    """Return the texts of a policy folder by their names; one that is no part of a policy is told by the check."""
    files = (path for path in sorted(folder.rglob("*")) if path.suffix in _READ and path.name != _FOR_PEOPLE)
    return {path.relative_to(folder).as_posix(): path.read_text("utf-8") for path in files}


def read_policy(folder: Path) -> Policy:
    """Return the policy of a folder, or raise PolicyFaults with every fault."""
    if not folder.is_dir():
        raise PolicyFaults((Fault(file=".", line=1, sentence="There is no such folder."),))
    return parse_policy(policy_files(folder))
