# SPDX-License-Identifier: Apache-2.0
"""What it looks like when the record or Temporal cannot be reached: both come back, so it is tried again."""

from __future__ import annotations

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from temporalio.service import RPCError

OUT_OF_REACH = (OperationalError, InterfaceError, PoolTimeoutError, OSError, RPCError)
"""Anything else is a fault of ours and ends the process, for its supervisor to start it anew."""
