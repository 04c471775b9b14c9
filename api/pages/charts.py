# SPDX-License-Identifier: Apache-2.0
"""Charts as SVG, drawn on the server: no script in the browser, a caption that states the finding, a table beside."""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from markupsafe import Markup

from models.messages import canonical, sha256

KEPT = 200
DRAWN_WITHIN_SECONDS = 20
_COMMAND = (sys.executable, "-P", str(Path(__file__).with_name("drawing.py")))
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Week:
    """One week of a chart."""

    week: str
    """The Monday, by ISO 8601."""
    observed: int
    expected: float
    upper: int


@dataclass(frozen=True, slots=True)
class ChartView:
    """A chart with the finding it shows, and its numbers as a table."""

    caption: str
    svg: Markup | None
    """None where it could not be drawn; the table holds the same numbers."""
    weeks: tuple[Week, ...]


@dataclass(frozen=True, slots=True)
class CourseWeek:
    """One week of a fix's course; nothing is expected where too little came before."""

    week: date
    observed: int
    expected: float | None
    lower: int | None
    upper: int | None


@dataclass(frozen=True, slots=True)
class CourseView:
    """A fix's course with the finding it shows, and its numbers as a table."""

    caption: str
    svg: Markup | None
    weeks: tuple[CourseWeek, ...]


class Charts:
    """Charts drawn so far, by what they are drawn from; one is drawn at a time."""

    def __init__(self) -> None:
        self._drawn: OrderedDict[bytes, Markup] = OrderedDict()

    async def weekly(self, weeks: tuple[Week, ...], began: str) -> Markup | None:
        """Return the weekly counts against what was expected; `began` is the Monday from which they were unusual."""
        return await self._chart({"kind": "weekly", "rows": [asdict(week) for week in weeks], "began": began})

    async def course(self, weeks: Sequence[CourseWeek], changed_on: date) -> Markup | None:
        """Return the weekly counts before and since a change against what would have come without it."""
        rows = [asdict(week) | {"week": week.week.isoformat()} for week in weeks]
        return await self._chart({"kind": "course", "rows": rows, "changed": changed_on.isoformat()})

    async def warm(self) -> None:
        """Start the drawing program, so that the first chart waits for nothing."""
        await asyncio.to_thread(_PROGRAM.start)

    async def close(self) -> None:
        """End the drawing program."""
        await asyncio.to_thread(_PROGRAM.stop)

    async def _chart(self, wanted: Mapping[str, object]) -> Markup | None:
        told = canonical(dict(wanted))
        name = sha256(told)
        if name not in self._drawn:
            svg = await asyncio.to_thread(_PROGRAM.draw, told)
            if svg is None:
                return None
            # The drawing engine escapes what it writes; all text in it is ours or a number.
            self._drawn[name] = Markup(svg)  # noqa: S704
            if len(self._drawn) > KEPT:
                self._drawn.popitem(last=False)
        self._drawn.move_to_end(name)
        return self._drawn[name]


class _Program:
    """The drawing program, started when it is first wanted and again where it has died; it ends with this process."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it if it does not run; it takes a second or two to be ready, which nobody waits for here."""
        with self._turn:
            self._started()

    def stop(self) -> None:
        """End it; whoever asks for a chart afterwards starts it again."""
        with self._turn:
            if self._running is not None:
                self._end(self._running)

    def draw(self, told: bytes) -> str | None:
        """Return the SVG that it makes, or None; the reason stands in the log."""
        with self._turn:
            # It may have died since the last chart; that is noticed by asking, and a new one is asked again.
            answer = self._asked(told) or self._asked(told)
        if not answer:
            _log.error("a chart was not drawn: the drawing program ended, or took over %s s", DRAWN_WITHIN_SECONDS)
            return None
        svg: str | None = json.loads(answer)
        if svg is None:
            _log.error("a chart could not be drawn; the line above says why")
        return svg

    def _asked(self, told: bytes) -> bytes:
        """Return the program's line, or nothing where it ended or was ended for taking too long."""
        running = self._started()
        assert running.stdin is not None
        assert running.stdout is not None
        too_long = threading.Timer(DRAWN_WITHIN_SECONDS, running.kill)
        too_long.start()
        try:
            running.stdin.write(told + b"\n")
            running.stdin.flush()
            answer = running.stdout.readline()
        except BrokenPipeError:
            answer = b""
        finally:
            too_long.cancel()
        if not answer:
            self._end(running)
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        if self._running is not None and self._running.poll() is not None:
            self._end(self._running)
        if self._running is None:
            pipe = subprocess.PIPE
            self._running = subprocess.Popen(_COMMAND, stdin=pipe, stdout=pipe)
        return self._running

    def _end(self, running: subprocess.Popen[bytes]) -> None:
        with running:  # closes its pipes and waits for it
            running.kill()
        self._running = None


_PROGRAM = _Program()
"""One for this process, whoever asks."""
atexit.register(_PROGRAM.stop)
CHARTS = Charts()
