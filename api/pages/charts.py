# SPDX-License-Identifier: Apache-2.0
"""Charts as SVG, drawn on the server: no script in the browser, a caption that states the finding, a table beside."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from markupsafe import Markup

from models.messages import canonical, sha256

KEPT = 200
DRAWN_WITHIN_SECONDS = 20
_PROGRAM = (sys.executable, str(Path(__file__).with_name("drawing.py")))
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
        self._turn = asyncio.Lock()

    async def weekly(self, weeks: tuple[Week, ...], began: str) -> Markup | None:
        """Return the weekly counts against what was expected; `began` is the Monday from which they were unusual."""
        return await self._chart({"kind": "weekly", "rows": [asdict(week) for week in weeks], "began": began})

    async def course(self, weeks: Sequence[CourseWeek], changed_on: date) -> Markup | None:
        """Return the weekly counts before and since a change against what would have come without it."""
        rows = [asdict(week) | {"week": week.week.isoformat()} for week in weeks]
        return await self._chart({"kind": "course", "rows": rows, "changed": changed_on.isoformat()})

    async def _chart(self, wanted: Mapping[str, object]) -> Markup | None:
        told = canonical(dict(wanted))
        name = sha256(told)
        async with self._turn:
            if name not in self._drawn:
                svg = await _draw(told)
                if svg is None:
                    return None
                # The drawing engine escapes what it writes; all text in it is ours or a number.
                self._drawn[name] = Markup(svg)  # noqa: S704
                if len(self._drawn) > KEPT:
                    self._drawn.popitem(last=False)
            self._drawn.move_to_end(name)
            return self._drawn[name]


async def _draw(told: bytes) -> str | None:
    """Return the SVG that the drawing program makes, or None, with the reason in the log."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*_PROGRAM, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        async with asyncio.timeout(DRAWN_WITHIN_SECONDS):
            svg, said = await process.communicate(told)
    except TimeoutError:
        _log.warning("a chart was not drawn within %s seconds", DRAWN_WITHIN_SECONDS)
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        _log.error("a chart could not be drawn: %s", said.decode(errors="replace")[-2_000:])
        return None
    return svg.decode()
