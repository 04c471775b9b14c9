# SPDX-License-Identifier: Apache-2.0
"""Every measured claim, one after another: python -m benchmarks."""

from __future__ import annotations

import subprocess
import sys

from run.settings import PROJECT_FOLDER

ALL = (
    "intake",
    "lives",
    "queues",
    "first_page",
    "imports",
    "detection",
    "disproportionality",
    "cube",
    "multiplicity",
    "effect",
    "text",
)
DATA_ABSENT = 2
"""The exit code of a benchmark whose reference data are not on this machine; it has said so."""


def main() -> int:
    """Run each in a process of its own and return 1 if one failed."""
    failed = False
    for name in ALL:
        print(f"== {name}", flush=True)
        code = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=PROJECT_FOLDER, check=False).returncode
        failed |= code not in {0, DATA_ABSENT}
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
