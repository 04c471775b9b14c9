# SPDX-License-Identifier: Apache-2.0
"""What a start waits for: the API and the command load quickly, and what is heavy is loaded when it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from run.settings import PROJECT_FOLDER

HEAVY = ("numpy", "scipy", "polars", "altair", "vl_convert")


def loaded_by(modules: str) -> set[str]:
    """Return the names of all modules that a new Python has loaded after importing these."""
    program = f"import sys, {modules}; print(*sys.modules)"
    command = [sys.executable, "-c", program]
    told = subprocess.run(command, cwd=PROJECT_FOLDER, capture_output=True, text=True, check=True).stdout
    return set(told.split())


@pytest.mark.parametrize("modules", ["run.api", "run.cli, run.accounts, run.supervisor"])
def test_a_start_loads_no_numerical_and_no_drawing_library(modules: str) -> None:
    assert loaded_by(modules).isdisjoint(HEAVY)


def test_the_command_and_the_supervisor_load_no_database_toolkit() -> None:
    assert "sqlalchemy" not in loaded_by("run.cli, run.accounts, run.supervisor")
