# SPDX-License-Identifier: Apache-2.0
"""Charts as SVG, drawn on the server: no script in the browser, a caption that states the finding, a table beside.

Drawing happens in a process of its own, which ends when it has been idle for some minutes: the drawing engine is
heavy, and a page of cases should not pay for it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from anyio import to_process
from markupsafe import Markup

from models.messages import canonical, sha256

KEPT = 200
HEIGHT, WIDTH = 260, 560
FONT = "Source Sans Pro Web, system-ui, sans-serif"
OBSERVED, SINCE, EXPECTED, UPPER = "#005ea2", "#a81c18", "#1b1b1b", "#dfe1e2"


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
    svg: Markup
    weeks: tuple[Week, ...]


class Charts:
    """Charts drawn so far, by what they are drawn from."""

    def __init__(self) -> None:
        self._drawn: OrderedDict[bytes, Markup] = OrderedDict()

    async def weekly(self, weeks: tuple[Week, ...], began: str) -> Markup:
        """Return the weekly counts against what was expected; `began` is the Monday from which they were unusual."""
        rows = [{"week": w.week, "observed": w.observed, "expected": w.expected, "upper": w.upper} for w in weeks]
        name = sha256(canonical([rows, began]))
        if name not in self._drawn:
            # The drawing engine sets titles and labels of its own; all text in it is ours or a number.
            self._drawn[name] = Markup(await to_process.run_sync(draw_weekly, rows, began))  # noqa: S704
            if len(self._drawn) > KEPT:
                self._drawn.popitem(last=False)
        self._drawn.move_to_end(name)
        return self._drawn[name]


def draw_weekly(rows: list[dict[str, Any]], began: str) -> str:
    """Return the SVG: bars for what came, a dashed line for what was expected, a grey band up to the threshold."""
    import altair as alt  # noqa: PLC0415  only the drawing process carries it
    import vl_convert  # noqa: PLC0415

    told = [{**row, "since": "unusual" if row["week"] >= began else "before"} for row in rows]
    week = alt.X("week:T", title=None, axis=alt.Axis(format="%b %Y", labelOverlap=True, grid=False))
    base = alt.Chart(alt.InlineData(values=told)).encode(x=week)
    count = alt.Y("observed:Q", title="Complaints a week", axis=alt.Axis(tickMinStep=1))
    colours = alt.Color("since:N", scale=alt.Scale(domain=["before", "unusual"], range=[OBSERVED, SINCE]), legend=None)
    band = base.mark_area(color=UPPER, interpolate="step").encode(y=alt.Y("upper:Q", title="Complaints a week"))
    bars = base.mark_bar(width=max(2, WIDTH // (2 * len(rows)))).encode(y=count, color=colours)
    line = base.mark_line(color=EXPECTED, strokeDash=[6, 3], strokeWidth=2).encode(y="expected:Q")
    # Words at the lines themselves: nobody has to tell colours apart.
    last = alt.Chart(alt.InlineData(values=told[-1:])).encode(x=week)
    beside = last.mark_text(align="left", dx=8, fontSize=12, color=EXPECTED)
    words = [
        beside.encode(y="expected:Q", text=alt.value("expected")),
        beside.encode(y="upper:Q", text=alt.value("highest not unusual")),
    ]
    chart = (
        alt.layer(band, bars, line, *words)
        .properties(width=WIDTH, height=HEIGHT, description="Complaints by week against the number expected")
        .configure(font=FONT, background="transparent")
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=12, titleFontSize=12, titleFontWeight="normal", gridColor="#edeff0")
    )
    svg: str = vl_convert.vegalite_to_svg(chart.to_dict())
    return svg
