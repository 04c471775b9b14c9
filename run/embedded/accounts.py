# SPDX-License-Identifier: Apache-2.0
"""The account that runs PostgreSQL when we are root, and what it can reach.

PostgreSQL refuses to run as root. Nothing is ever widened for the account's sake: where it cannot reach a folder, a
place made for it is taken instead.
"""

import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged account of this machine."""

    name: str
    user_id: int
    group_id: int


class NoAccount(Exception):
    """Why there is no account to run PostgreSQL under, and what to do."""


def account_named(name: str) -> Account:
    """Return the system account of that name, making it when it is missing. Only root can make one.

    Raises NoAccount when it is root's own, or cannot be made here.
    """
    found = _found(name)
    if found is None:
        _make(name)
        found = _found(name)
    if found is None:
        sentence = (
            f"PostgreSQL does not run as root, and the account {name!r} could not be made. Make it, or name another "
            "unprivileged account in PUTRIGHT_ACCOUNT, or start Putright as an ordinary user."
        )
        raise NoAccount(sentence)
    if found.user_id == 0:
        sentence = f"PUTRIGHT_ACCOUNT names {name!r}, which is root; PostgreSQL needs an unprivileged account."
        raise NoAccount(sentence)
    return found


def _found(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _make(name: str) -> None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    adduser = shutil.which("adduser", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd:
        command = [useradd, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
        command += ["--shell", "/usr/sbin/nologin", name]
    elif adduser:
        command = [adduser, "-S", "-D", "-H", "-s", "/sbin/nologin", name]
    else:
        return
    # Whether it worked is seen by looking the account up: somebody else may make it at the same moment.
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def can_pass(account: Account, folder: Path) -> bool:
    """Whether the account may go into the folder and through every folder above it."""
    return all(_may(account, above, stat.S_IXUSR, stat.S_IXGRP, stat.S_IXOTH) for above in (folder, *folder.parents))


def can_read(account: Account, path: Path) -> bool:
    """Whether the account may read what is at `path` (and list it, if a folder)."""
    return can_pass(account, path.parent) and _may(account, path, stat.S_IRUSR, stat.S_IRGRP, stat.S_IROTH)


def _may(account: Account, path: Path, as_owner: int, as_group: int, as_other: int) -> bool:
    status = path.stat()
    if status.st_uid == account.user_id:
        return bool(status.st_mode & as_owner)
    if status.st_gid == account.group_id:
        return bool(status.st_mode & as_group)
    return bool(status.st_mode & as_other)
