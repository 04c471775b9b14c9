# SPDX-License-Identifier: Apache-2.0
"""What could make a verdict on a fix wrong: placebos that work, complaints that moved, an intake that changed.

A study is a table of weekly counts of named series, of which one is the target and some are its controls. Placebos:
the same rule on changes that never were (every date before the change with enough weeks on both sides, target and
controls; and the real date in each control) should hardly ever find an effect. Displacement: a neighbour that rose when
the target fell may have taken its complaints. Intake: controls that rose or fell a lot, or a series in which nothing
comes any more, ask whether a channel was closed.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from analytics.always_valid import KNOWN_CONTROLS, ratio_posterior
from analytics.arrays import BoolArray, FloatArray, IntArray
from analytics.effect import (
    Comparison,
    Effect,
    EffectSettings,
    RateRatio,
    Verdict,
    dispersion_before,
    judge,
    rate_ratio_of,
    succeeds,
    totals_of_all,
    trigger_weeks,
)

PLACEBOS = 200
PLACEBOS_ALLOWED = 0.05
PLACEBO_WEEKS_BEFORE = 12
PLACEBO_WEEKS_AFTER = 8
SURE_OF_A_RISE = 0.95
"""Shared among the neighbours, so that one of them seems to rise by chance in one fix of twenty."""
LARGE_CHANGE = 1.5
"""Controls that rise or fall by this factor are no longer what they were."""
SILENCE = 0.001
"""A silence that chance gives more seldom than this is one to ask about."""


@dataclass(frozen=True, slots=True)
class Study:
    """Weekly counts, series by weeks; `exposure` is what was served, or ones. Masked weeks are in neither mask."""

    counts: FloatArray
    exposure: FloatArray
    target: int
    controls: tuple[int, ...]
    is_before: BoolArray
    is_after: BoolArray

    def __post_init__(self) -> None:
        if self.counts.shape != self.exposure.shape or not (self.exposure > 0).all():
            raise ValueError("Every count has its exposure, which is more than 0.")
        if self.target in self.controls or len(set(self.controls)) < len(self.controls):
            raise ValueError("Controls are other series than the target, each once.")


@dataclass(frozen=True, slots=True)
class Placebo:
    """How many changes that never were have been tried, and how many of them seemed to work."""

    tried: int
    worked: int

    @property
    def is_passed(self) -> bool:
        """Whether hardly any worked."""
        return self.worked <= PLACEBOS_ALLOWED * self.tried


@dataclass(frozen=True, slots=True)
class Neighbour:
    """How another series changed beside the remaining controls, and how many complaints more than expected it had."""

    series: int
    rate_ratio: RateRatio
    probability_risen: float
    has_risen: bool
    extra_count: float


@dataclass(frozen=True, slots=True)
class Intake:
    """What became of the controls themselves (None without controls), and the series in which nothing comes any more.

    `silent` are series with the weeks since their last complaint, at the end of what is looked at.
    """

    controls_ratio: RateRatio | None
    has_changed: bool
    silent: tuple[tuple[int, int], ...]

    @property
    def is_passed(self) -> bool:
        """Whether there is nothing to ask about."""
        return not self.has_changed and not self.silent


@dataclass(frozen=True, slots=True)
class Checks:
    """What could make the verdict wrong, looked at."""

    placebo: Placebo
    displacement: tuple[Neighbour, ...]
    intake: Intake


def assess(study: Study, neighbours: tuple[int, ...], settings: EffectSettings) -> tuple[Effect, Checks]:
    """Return the verdict on the study's fix with its checks; a verdict that they forbid is held back.

    Raises ValueError, in a sentence, if there is too little past.
    """
    controls_ratio = None if study.controls else math.inf
    effect = judge(compare(study, study.target, study.controls), settings, controls_ratio=controls_ratio)
    checks = Checks(placebo(study, settings), displacement(study, neighbours), intake(study))
    return unless_blind(held_back(effect, checks.placebo), study, checks.intake), checks


def without_trigger(study: Study) -> tuple[Study, int]:
    """Return the study without the last weeks before the change if they likely raised the signal, being so high.

    For fixes of which nobody said which weeks those were; also how many weeks they are.
    """
    found = trigger_weeks(compare(study, study.target, study.controls))
    weeks_to_go = np.cumsum(study.is_before[::-1])[::-1]
    return replace(study, is_before=study.is_before & (weeks_to_go > found)), found


def compare(study: Study, target: int, controls: tuple[int, ...]) -> Comparison:
    """Return one series beside others, these scaled to the target's exposure.

    With exposures that differ from week to week the controls' counts are multiplied by the target's exposure over
    theirs, each over its mean. Without controls the expectation is the exposure, known without error.
    """
    counts = study.counts[target][None, :]
    relative = study.exposure / study.exposure.mean(axis=1, keepdims=True)
    if controls:
        chosen = list(controls)
        beside = (study.counts[chosen] * relative[target] / relative[chosen]).sum(axis=0)
    else:
        beside = relative[target] * max(float(counts.mean()), 1.0) * KNOWN_CONTROLS
    return Comparison(counts, beside[None, :], study.is_before[None, :], study.is_after[None, :])


def placebo(study: Study, settings: EffectSettings) -> Placebo:
    """Try up to 200 changes that never were, evenly chosen among all there are."""
    tries: list[Comparison] = []
    for series in (study.target, *study.controls):
        others = tuple(control for control in study.controls if control != series)
        if study.controls and not others:
            continue
        beside = compare(study, series, others)
        if series != study.target:
            tries.append(beside)
        tries += _earlier_changes(beside)
    tries = [one for one in tries if _has_past(one)]
    if not tries:
        return Placebo(0, 0)
    chosen = np.unique(np.linspace(0, len(tries) - 1, min(PLACEBOS, len(tries))).round().astype(np.int64))
    together = Comparison(
        np.concatenate([tries[index].target for index in chosen]),
        np.concatenate([tries[index].controls for index in chosen]),
        np.concatenate([tries[index].is_before for index in chosen]),
        np.concatenate([tries[index].is_after for index in chosen]),
    )
    return Placebo(len(chosen), int(succeeds(together, settings).sum()))


def _earlier_changes(beside: Comparison) -> list[Comparison]:
    """Return the comparison cut at every week before the change that leaves enough weeks on both sides."""
    before = beside.is_before[0]
    weeks_so_far = np.cumsum(before)
    is_first = before & (weeks_so_far > PLACEBO_WEEKS_BEFORE)
    is_first &= weeks_so_far[-1] - weeks_so_far + 1 >= PLACEBO_WEEKS_AFTER
    columns = np.arange(len(before))
    return [
        Comparison(
            beside.target, beside.controls, (before & (columns < week))[None], (before & (columns >= week))[None]
        )
        for week in np.flatnonzero(is_first)
    ]


def _has_past(one: Comparison) -> bool:
    """Whether both sides had complaints before, and there is anything after."""
    before = one.is_before
    return bool((one.target * before).any() and (one.controls * before).any() and one.is_after.any())


def displacement(study: Study, neighbours: tuple[int, ...]) -> tuple[Neighbour, ...]:
    """Return how each neighbour changed beside the controls other than itself; without any, nothing can be told."""
    found = []
    for series in neighbours:
        others = tuple(control for control in study.controls if control != series)
        beside = compare(study, series, others)
        if series == study.target or not others or not _has_past(beside):
            continue
        totals = totals_of_all(beside)
        if not totals.after_controls.any():
            continue
        posterior = ratio_posterior(totals)
        risen = 1.0 - float(posterior.chance_at_most(1.0)[0])
        expected = totals.before[0] / totals.before_controls[0] * totals.after_controls[0, 0]
        found.append(
            Neighbour(
                series,
                rate_ratio_of(posterior),
                risen,
                has_risen=risen >= 1.0 - (1.0 - SURE_OF_A_RISE) / len(neighbours),
                extra_count=float(totals.after[0, 0] - expected),
            )
        )
    return tuple(found)


def intake(study: Study) -> Intake:
    """Return whether complaints still come in as they did."""
    silent = tuple(
        (series, weeks)
        for series in (study.target, *study.controls)
        if (weeks := _silent_weeks(compare(study, series, ()))) > 0
    )
    if not study.controls or not study.is_after.any():
        return Intake(None, has_changed=False, silent=silent)
    together = Study(
        counts=study.counts[list(study.controls)].sum(axis=0, keepdims=True),
        exposure=np.ones((1, study.counts.shape[1])),
        target=0,
        controls=(),
        is_before=study.is_before,
        is_after=study.is_after,
    )
    posterior = ratio_posterior(totals_of_all(compare(together, 0, ())))
    fell = float(posterior.chance_at_most(1.0 / LARGE_CHANGE)[0])
    rose = 1.0 - float(posterior.chance_at_most(LARGE_CHANGE)[0])
    return Intake(rate_ratio_of(posterior), has_changed=max(fell, rose) >= SURE_OF_A_RISE, silent=silent)


def _silent_weeks(alone: Comparison) -> int:
    """Return for how many of the last weeks nothing came, if chance hardly gives such a silence at the earlier rate.

    That is the rate before the change, or since it if lower: where a fix works, weeks without any are its success.
    """
    columns: IntArray = np.flatnonzero(alone.is_after[0]).astype(np.int64)
    came = alone.target[0, columns] > 0
    weeks = int(came[::-1].argmax()) if came.any() else len(columns)
    before = alone.is_before[0]
    if not weeks or not (alone.target[0] * before).any():
        return 0
    rate, since = float(alone.target[0, before].mean()), alone.target[0, columns[: len(columns) - weeks]]
    expected = weeks * (min(rate, float(since.mean())) if len(since) else rate)
    extra = max(float(dispersion_before(alone)[0]) - 1.0, 1e-9)
    return weeks if expected * np.log1p(extra) / extra > -np.log(SILENCE) else 0


def held_back(effect: Effect, tried: Placebo) -> Effect:
    """Return the effect without a success that changes which never were would have had as well."""
    if tried.is_passed or effect.verdict is not Verdict.EFFECTIVE:
        return effect
    return replace(effect, verdict=Verdict.NOT_YET_KNOWN)


def unless_blind(effect: Effect, study: Study, entry: Intake) -> Effect:
    """Return the effect without a verdict beside controls in which nothing comes any more: they let nothing expect."""
    is_blind = any(series in study.controls for series, _ in entry.silent)
    return replace(effect, verdict=Verdict.NOT_YET_KNOWN) if is_blind else effect
