# SPDX-License-Identifier: Apache-2.0
"""Instructions retired by running processes, as the kernel counts them (perf_event_open(2)); Linux only.

Unlike time, their number hardly depends on what else the machine does. Where the kernel or the processor
cannot count, most often on a virtual machine, Uncountable says so.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterable, Iterator

import psutil

# The call's number by machine, from the kernel's tables.
_PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}
_HARDWARE, _INSTRUCTIONS = 0, 1
_ATTRIBUTE_BYTES = 64
"""PERF_ATTR_SIZE_VER0: type, size, config, sample period and type, read format, flags, wake-up, breakpoint."""
_INHERIT, _NOT_THE_KERNEL, _NOT_THE_HYPERVISOR = 1 << 1, 1 << 5, 1 << 6


class Uncountable(Exception):
    """Instructions cannot be counted here; the text says why."""


class Count:
    """The instructions counted since it was begun; user space only."""

    def __init__(self) -> None:
        self.total = 0


def _open(thread: int) -> int:
    """Return the descriptor of a counter of one thread and whatever it starts.

    Raises ProcessLookupError where the thread has ended, Uncountable where none can be counted.
    """
    number = _PERF_EVENT_OPEN.get(platform.machine())
    if number is None or platform.system() != "Linux":
        raise Uncountable(f"Instructions are not counted on {platform.system()} on {platform.machine()}.")
    flags = _INHERIT | _NOT_THE_KERNEL | _NOT_THE_HYPERVISOR
    attribute = struct.pack("=IIQQQQQIIQ", _HARDWARE, _ATTRIBUTE_BYTES, _INSTRUCTIONS, 0, 0, 0, flags, 0, 0, 0)
    call = ctypes.CDLL(None, use_errno=True).syscall
    descriptor = int(call(number, ctypes.create_string_buffer(attribute, len(attribute)), thread, -1, -1, 0))
    if descriptor < 0:
        raise _refusal(ctypes.get_errno())
    return descriptor


def _refusal(code: int) -> Exception:
    if code == errno.ESRCH:
        return ProcessLookupError(code, os.strerror(code))
    if code in {errno.ENOENT, errno.EOPNOTSUPP}:
        return Uncountable(
            "Instructions cannot be counted here: this machine, most likely a virtual one, does not count."
        )
    if code in {errno.EACCES, errno.EPERM}:
        return Uncountable("Instructions cannot be counted here: kernel.perf_event_paranoid forbids it.")
    return OSError(code, os.strerror(code))


@contextlib.contextmanager
def counting(processes: Iterable[psutil.Process]) -> Iterator[Count]:
    """Count the instructions of these processes, all their threads and whatever those start, until the block ends.

    Raises Uncountable where that cannot be done.
    """
    count, descriptors = Count(), list[int]()
    try:
        for process in processes:
            for thread in process.threads():
                with contextlib.suppress(ProcessLookupError):
                    descriptors.append(_open(thread.id))
        yield count
        count.total = sum(struct.unpack("=Q", os.read(descriptor, 8))[0] for descriptor in descriptors)
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
