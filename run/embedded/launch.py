# SPDX-License-Identifier: Apache-2.0
"""Becomes another program that dies with its parent, under another account where asked.

Run by path, standard library only: `python -I -S launch.py PARENT SIGNAL UID:GID|- NICENESS PROGRAM ARGUMENT…`.

The kernel forgets the death signal when a process changes its account, so the account comes first; and a parent that
died before the signal was asked for is seen by asking who the parent is afterwards. Where there is no such signal
(other kernels than Linux), the ledger of started processes finds the orphans at the next start.
"""

import contextlib
import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Change account, ask for the death signal, and become the program. Never returns."""
    parent, death_signal, account, niceness, *command = sys.argv[1:]
    _yield_to_others(int(niceness))
    if account != "-":
        user, group = (int(part) for part in account.split(":"))
        os.setgroups([])
        os.setgid(group)
        os.setuid(user)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("The process that started this one has gone.")
    os.execv(command[0], command)  # noqa: S606 - becoming the program is the point, and there is no shell


def _yield_to_others(niceness: int) -> None:
    os.nice(niceness)
    # Where the kernel shares the processor out among sessions first (autogroup), a process in a session of its own is
    # nice to nobody; then the session has to be.
    with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as autogroup:  # noqa: PTH123 - no pathlib here: it takes as long to load as the rest
        autogroup.write(str(niceness))


if __name__ == "__main__":
    main()
