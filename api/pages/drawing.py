# SPDX-License-Identifier: Apache-2.0
"""Draws charts: on each line its kind and its weeks come in as JSON, on each line an SVG goes out as a JSON text.

A program of its own, for the drawing engine is heavy: it is started once, stays as long as somebody may ask, and ends
when its input does. It is started by its path and imports nothing of ours, so that charts cost the API no start-up.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import altair as alt
import vl_convert

HEIGHT, WIDTH = 200, 560
"""Low enough that what makes a finding doubtful is read beside it, and where it is below it, on one screen."""
FONT = "Source Sans Pro Web, system-ui, sans-serif"
OBSERVED, SINCE, EXPECTED, UPPER = "#005ea2", "#a81c18", "#1b1b1b", "#dfe1e2"
BEFORE, SINCE_CHANGE = "#71767a", "#005ea2"


def drawn(rows: list[dict[str, Any]], began: str) -> str:
    """Return the SVG: bars for what came, a dashed line for what was expected, a grey band up to the threshold.

    `rows` are weeks: week (ISO date), observed, expected, upper. From the week `began` on, bars have another colour.
    """
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
    return _as_svg([band, bars, line, *words], "Complaints by week against the number expected")


def course_drawn(rows: list[dict[str, Any]], changed: str) -> str:
    """Return the SVG of a fix's course: bars, what was expected without the change, its band, and the day of change.

    `rows` are weeks: week (ISO date), observed, expected, lower, upper (the last three null where nothing is expected).
    """
    told = [{**row, "part": "before" if row["week"] < changed else "since"} for row in rows]
    week = alt.X("week:T", title=None, axis=alt.Axis(format="%b %Y", labelOverlap=True, grid=False))
    base = alt.Chart(alt.InlineData(values=told)).encode(x=week)
    count = alt.Y("observed:Q", title="Complaints a week", axis=alt.Axis(tickMinStep=1))
    scale = alt.Scale(domain=["before", "since"], range=[BEFORE, SINCE_CHANGE])
    colours = alt.Color("part:N", scale=scale, legend=None)
    bars = base.mark_bar(width=max(2, WIDTH // (2 * len(rows)))).encode(y=count, color=colours)
    layers = [bars]
    day = alt.Chart(alt.InlineData(values=[{"week": changed}])).encode(x=week)
    layers += [
        day.mark_rule(color=EXPECTED, strokeWidth=2),
        day.mark_text(align="right", dx=-5, fontSize=12, color=EXPECTED).encode(
            y=alt.value(8), text=alt.value("change in place")
        ),
    ]
    if any(row["expected"] is not None for row in rows):
        band = base.mark_area(color=UPPER, interpolate="step").encode(
            y=alt.Y("lower:Q", title="Complaints a week"), y2="upper:Q"
        )
        line = base.mark_line(color=EXPECTED, strokeDash=[6, 3], strokeWidth=2).encode(y="expected:Q")
        last = alt.Chart(alt.InlineData(values=told[-1:])).encode(x=week)
        beside = last.mark_text(align="left", dx=8, fontSize=12, color=EXPECTED)
        layers = [band, *layers, line, beside.encode(y="expected:Q", text=alt.value("without the change"))]
    return _as_svg(layers, "Complaints by week before and since the change, against the number expected without it")


def _as_svg(layers: list[Any], description: str) -> str:
    chart = (
        alt.layer(*layers)
        .properties(width=WIDTH, height=HEIGHT, description=description)
        .configure(font=FONT, background="transparent")
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=12, titleFontSize=12, titleFontWeight="normal", gridColor="#edeff0")
    )
    svg: str = vl_convert.vegalite_to_svg(chart.to_dict())
    return svg


KINDS: dict[str, Callable[..., str]] = {"weekly": drawn, "course": course_drawn}


def drawn_as_told(line: str) -> str | None:
    """Return the SVG that a line asks for; None where it cannot be drawn, with the reason on standard error."""
    try:
        told = json.loads(line)
        return KINDS[told.pop("kind")](**told)
    except Exception as problem:  # noqa: BLE001 - whatever was wrong with one chart, the next can be drawn
        sys.stderr.write(f"{type(problem).__name__}: {problem}\n")
        sys.stderr.flush()
        return None


if __name__ == "__main__":
    for line in sys.stdin:
        sys.stdout.write(json.dumps(drawn_as_told(line)) + "\n")
        sys.stdout.flush()
