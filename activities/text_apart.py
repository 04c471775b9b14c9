# SPDX-License-Identifier: Apache-2.0
"""Long sums in a process of their own: the worker goes on meanwhile, and their memory is given back afterwards."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, ParamSpec, TypeVar, cast

_P = ParamSpec("_P")
_T = TypeVar("_T")
_NICENESS = 10
"""People are served first."""


class SumDied(Exception):
    """The process with the sum ended without an answer, of too little memory for example; it is tried again."""


async def sums_loaded() -> None:
    """Load the sums in a thread: a worker starts without them, and must not stand still while they come."""
    await asyncio.to_thread(importlib.import_module, "activities.text_sums")


async def apart(work: Callable[_P, _T], *given: _P.args, **named: _P.kwargs) -> _T:
    """Return what a function of a module gives, run in a process that ends with it; what it raises is raised here."""
    here, there = get_context("spawn").Pipe(duplex=False)
    process = get_context("spawn").Process(target=_do, args=(there, work, given, named), daemon=True)
    try:
        answer, fault = await asyncio.to_thread(_begun_and_awaited, process, here, there)
    finally:
        if process.is_alive():
            process.kill()
        here.close()
    if fault is not None:
        raise fault
    return cast("_T", answer)


def _begun_and_awaited(process: BaseProcess, here: Connection, there: Connection) -> tuple[Any, Exception | None]:
    process.start()
    there.close()  # so that the end of the process is the end of the pipe
    try:
        answer: tuple[Any, Exception | None] = here.recv()
    except EOFError as ended:
        process.join()
        raise SumDied(f"A sum ended with exit code {process.exitcode} and no answer.") from ended
    process.join()
    return answer


def _do(there: Connection, work: Callable[..., object], given: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Do the work, in the other process."""
    os.nice(_NICENESS)
    try:
        answer: tuple[object, Exception | None] = (work(*given, **named), None)
    except Exception as fault:  # noqa: BLE001 - raised again where it was asked for
        answer = (None, fault)
    there.send(answer)
