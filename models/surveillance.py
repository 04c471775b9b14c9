# SPDX-License-Identifier: Apache-2.0
"""Surveillance settings: how readily the weekly look at root causes raises a flag, and how soon a person decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator

from models.messages import Message
from models.working_time import NamedWeekday

Rate = Annotated[float, Field(gt=0, lt=0.5)]
Weeks = Annotated[int, Field(ge=1, le=520)]
Weight = Annotated[float, Field(ge=0, le=1_000)]
HARM_WEIGHTS = (1.0, 1.0, 1.5, 2.0, 4.0, 8.0)
"""What policies of before there were any in the file go by."""


class SurveillanceSettings(Message):
    """The numbers of policy/surveillance.toml; their statistical meaning is that of analytics/."""

    alpha: Rate
    """False alarm rate of one cell in one week, before all cells are looked at together."""
    q: Rate
    """False discovery rate: what share of the flags of one week may be chance."""
    window_weeks: Annotated[tuple[Weeks, ...], Field(min_length=1, max_length=10)]
    floor_count: Annotated[int, Field(ge=1, le=1_000)]
    """Fewer complaints than this never make a flag, however unusual."""
    floor_letters: Annotated[int, Field(ge=1, le=1_000)] = 2
    """Nor do fewer different letters: near-identical ones count as one."""
    baseline_weeks: Weeks
    left_out_weeks: Annotated[int, Field(ge=0, le=104)]
    decide_within_working_days: Annotated[int, Field(ge=1, le=366)]
    defer_at_most_working_days: Annotated[int, Field(ge=1, le=366)]
    watch_weeks: Weeks = 52
    """How long a change that was found to work is watched for a relapse."""
    expires_after_weeks: Weeks = 8
    """A signal that the looks have not seen for so long is over; the same failure afterwards is a new signal."""
    returns_when_excess_grows: Annotated[float, Field(gt=1, le=10)] = 1.5
    """A matter that was decided to be no problem comes back when its weekly excess is this many times what it was."""
    harm_weights: Annotated[tuple[Weight, ...], Field(min_length=1, max_length=10)] = HARM_WEIGHTS
    """By harm level from 0: how heavily a complaint with such harm weighs in the order of signals."""
    run_weekday: NamedWeekday
    run_hour: Annotated[int, Field(ge=0, le=23)]

    @model_validator(mode="after")
    def _weeks_fit_together(self) -> Self:
        if list(self.window_weeks) != sorted(set(self.window_weeks)):
            raise ValueError("window_weeks are named once each, shortest first")
        if self.left_out_weeks < max(self.window_weeks):
            raise ValueError(
                "left_out_weeks must be at least the longest window, or a failure hides in its own baseline"
            )
        if self.baseline_weeks <= self.left_out_weeks:
            raise ValueError("baseline_weeks must be more than left_out_weeks, or no baseline is left")
        return self


def weight_of_harm(level: int, weights: Sequence[float]) -> float:
    """Return how heavily harm of a level weighs; a level that has no weight of its own takes the highest."""
    return weights[min(level, len(weights) - 1)]
