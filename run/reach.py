# SPDX-License-Identifier: Apache-2.0
"""Whether the record and Temporal can be reached, and what it looks like when they cannot: both come back."""

from __future__ import annotations

import socket

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from temporalio.service import RPCError

from run.embedded.temporal import is_listening
from run.settings import Settings

OUT_OF_REACH = (OperationalError, InterfaceError, PoolTimeoutError, OSError, RPCError)
"""Anything else is a fault of ours and ends the process, for its supervisor to start it anew."""
_POSTGRES_SOCKET = ".s.PGSQL.5432"


def nothing_runs(settings: Settings, *, temporal: bool = False) -> str:
    """Return a sentence where the embedded servers of this data folder do not run, else nothing.

    External servers are not asked here: what they answer is said by whoever asks them. `temporal`: it is needed too.
    """
    record = not settings.has_embedded_database or _takes_connections(settings)
    conductor = not (temporal and settings.has_embedded_temporal) or is_listening(settings.temporal_port)
    if record and conductor:
        return ""
    what = "Nothing runs" if not record else f"No Temporal answers on port {settings.temporal_port} for what runs"
    return (
        f"{what} on the data folder {settings.home}: start it with `putright up`, or name the folder (PUTRIGHT_HOME) "
        "or the servers (PUTRIGHT_DATABASE_URL, PUTRIGHT_TEMPORAL_ADDRESS) that you mean."
    )


def _takes_connections(settings: Settings) -> bool:
    """Return whether PostgreSQL listens; PostgreSQL's own answer explains a socket that is not ours to open."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(settings.socket_folder / _POSTGRES_SOCKET))
        except PermissionError:
            return True
        except OSError:
            return False
    return True
