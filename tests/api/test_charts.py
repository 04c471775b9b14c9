# SPDX-License-Identifier: Apache-2.0
"""Charts come from a program that is kept warm; whatever becomes of it, the next chart is drawn."""

from __future__ import annotations

from api.pages import charts
from api.pages.charts import Charts, Week

BEGAN = "2026-01-12"


def some_weeks(last: int) -> tuple[Week, ...]:
    return (Week("2026-01-05", 1, 1.5, 4), Week(BEGAN, last, 1.5, 4))


async def test_a_drawing_program_that_died_is_started_again() -> None:
    board = Charts()
    before = await board.weekly(some_weeks(6), BEGAN)
    program = charts._PROGRAM._running
    assert program is not None
    program.kill()

    after = await board.weekly(some_weeks(7), BEGAN)

    assert before is not None
    assert after is not None
    assert "highest not unusual" in after


async def test_what_cannot_be_drawn_leaves_the_program_as_it_was() -> None:
    board = Charts()
    await board.warm()
    program = charts._PROGRAM._running

    nothing = await board.weekly((), BEGAN)
    something = await board.weekly(some_weeks(8), BEGAN)

    assert nothing is None
    assert something is not None
    assert charts._PROGRAM._running is program
