# SPDX-License-Identifier: Apache-2.0
"""Draws one chart: weeks come in as JSON, an SVG goes out. A program of its own, for the drawing engine is heavy.

It is started by its path and imports nothing of ours, so that a chart costs the API neither memory nor start-up time.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import altair as alt
import vl_convert

HEIGHT, WIDTH = 260, 560
FONT = "Source Sans Pro Web, system-ui, sans-serif"
OBSERVED, SINCE, EXPECTED, UPPER = "#005ea2", "#a81c18", "#1b1b1b", "#dfe1e2"


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
    chart = (
        alt.layer(band, bars, line, *words)
        .properties(width=WIDTH, height=HEIGHT, description="Complaints by week against the number expected")
        .configure(font=FONT, background="transparent")
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=12, titleFontSize=12, titleFontWeight="normal", gridColor="#edeff0")
    )
    svg: str = vl_convert.vegalite_to_svg(chart.to_dict())
    return svg


if __name__ == "__main__":
    sys.stdout.write(drawn(**json.load(sys.stdin)))
