# SPDX-License-Identifier: Apache-2.0
"""The texts of the default policy, and ways to spoil them for a test."""

from __future__ import annotations

from pathlib import Path

from models.policy import Policy, PolicyFaults, parse_policy

POLICY_FOLDER = Path(__file__).parents[2] / "policy"
README = "README.md"


def default_texts() -> dict[str, str]:
    """Return the default policy's files by their names."""
    files = (path for path in POLICY_FOLDER.rglob("*") if path.is_file())
    texts = {path.relative_to(POLICY_FOLDER).as_posix(): path.read_text("utf-8") for path in files}
    del texts[README]
    return texts


def default_policy() -> Policy:
    """Return the default policy."""
    return parse_policy(default_texts())


def spoiled(file: str, old: str, new: str) -> dict[str, str]:
    """Return the default policy's files with the one place that says `old` in a file saying `new`."""
    texts = default_texts()
    assert texts[file].count(old) == 1, f"{old!r} stands {texts[file].count(old)} times in {file}"
    return texts | {file: texts[file].replace(old, new)}


def faults_of(texts: dict[str, str]) -> list[tuple[str, int, str]]:
    """Return what is wrong with a policy: file, line and sentence of each fault."""
    try:
        parse_policy(texts)
    except PolicyFaults as problem:
        return [(fault.file, fault.line, fault.sentence) for fault in problem.faults]
    return []


def line_with(text: str, part: str) -> int:
    """Return the number of the one line that holds a part of a text."""
    (number,) = [number for number, line in enumerate(text.splitlines(), start=1) if part in line]
    return number
