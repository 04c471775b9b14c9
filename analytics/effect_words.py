# SPDX-License-Identifier: Apache-2.0
"""A verdict on a fix in sentences that a supervisor can read aloud."""

from collections.abc import Sequence
from dataclasses import dataclass

from analytics.effect import Effect, EffectSettings, Verdict
from analytics.effect_checks import Checks

FIGURES_FROM = 9.95
"""From here on a number of complaints is said whole."""
MOST_SAID_TIMES = 10


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Weeks that are judged neither as before nor as after."""

    trigger_weeks: int = 0
    trigger_was_given: bool = False
    transition_weeks: int = 0
    masked_weeks: int = 0


def sentences(
    effect: Effect,
    checks: Checks,
    left_out: LeftOut,
    settings: EffectSettings,
    *,
    names: Sequence[str],
    weeks: Sequence[str],
) -> tuple[str, ...]:
    """Return what happened, the verdict, and what speaks against it.

    `names` are those of the study's series; `weeks` say when each week was ("January 5, 2026", "week 57").
    """
    return (
        *_what_happened(effect, weeks),
        *_verdict(effect, checks, settings, weeks),
        *_left_out(left_out),
        *_warnings(checks, names),
    )


def _what_happened(effect: Effect, weeks: Sequence[str]) -> list[str]:
    if effect.since_column is None:
        return ["No week after the change has been counted yet."]
    complaints = "1 complaint" if effect.observed == 1 else f"{effect.observed:,} complaints"
    ratio = effect.rate_ratio
    return [
        (
            f"Since {weeks[effect.since_column]}: {complaints} where {_number(effect.expected)} would have been "
            "expected without the change."
        ),
        (
            f"That is {_change(ratio.estimate)}; with 90% certainty between {_change(ratio.upper)} and "
            f"{_change(ratio.lower)}."
        ),
    ]


def _verdict(effect: Effect, checks: Checks, settings: EffectSettings, weeks: Sequence[str]) -> list[str]:
    if effect.verdict is Verdict.EFFECTIVE:
        least = round(100 * (1.0 - settings.null_ratio))
        return [
            (
                f"The fix is effective: if complaints had fallen by less than {least}%, evidence this strong would "
                f"turn up for at most one fix in {settings.evidence_needed:.0f}, however often one looks."
            )
        ]
    if effect.verdict is Verdict.NOT_EFFECTIVE and effect.relapse_column is not None:
        return [
            f"The fix is not effective: it worked at first, but by {weeks[effect.relapse_column]} it had come back."
        ]
    if effect.verdict is Verdict.NOT_EFFECTIVE:
        worthwhile = round(100 * (1.0 - settings.worthwhile_ratio))
        sure = min(round(100 * (1.0 - effect.probability_worthwhile)), 99)
        return [f"The fix is not effective: with {sure}% certainty complaints have not fallen by {worthwhile}%."]
    return ["It is not yet known whether the fix works.", *_outlook(effect, checks)]


def _outlook(effect: Effect, checks: Checks) -> list[str]:
    """Return when more will be known, or what to do so that it can be."""
    if effect.is_too_quiet:
        return [
            (
                f"With {_number(effect.complaints_per_week)} complaints a week before the change the cell is too small "
                "to judge a fix by: widen the cell, for example to more offices or to a broader failure."
            )
        ]
    if effect.success_column is not None and not checks.placebo.is_passed:
        return ["The fall would be proof enough, but changes that never were seem to work as well: choose controls."]
    if effect.weeks_still_needed is None and checks.intake.silent:
        return ["Nothing comes any more where it should: judge again without the series that were closed."]
    if effect.weeks_still_needed is None:
        return ["If things go on like this it will hardly ever be known: widen the cell, or add controls."]
    more = "1 more week" if effect.weeks_still_needed == 1 else f"{effect.weeks_still_needed} more weeks"
    is_early = effect.planned_weeks is None or effect.weeks_after < effect.planned_weeks
    supposed = "complaints fall as planned" if is_early else "things go on like this"
    return [f"If {supposed}, {more} will tell."]


def _left_out(left_out: LeftOut) -> list[str]:
    parts = []
    if left_out.trigger_weeks:
        why = "that raised the signal" if left_out.trigger_was_given else "that were unusually high before the change"
        parts.append(f"{_weeks(left_out.trigger_weeks)} {why}")
    if left_out.transition_weeks:
        parts.append(f"{_weeks(left_out.transition_weeks)} of transition")
    if left_out.masked_weeks:
        parts.append(f"{_weeks(left_out.masked_weeks)} that were masked")
    return [f"Left out: {', '.join(parts)}."] if parts else []


def _warnings(checks: Checks, names: Sequence[str]) -> list[str]:
    said = []
    if not checks.placebo.is_passed:
        said.append(
            f"Of {checks.placebo.tried} changes that never were, {checks.placebo.worked} seemed to work: target and "
            "controls do not run alike, and the verdict is not to be relied on."
        )
    said += [
        f"{names[neighbour.series]} rose meanwhile, by about {_number(neighbour.extra_count)} complaints: "
        "they may have moved there."
        for neighbour in checks.displacement
        if neighbour.has_risen
    ]
    intake = checks.intake
    if intake.controls_ratio is None and not intake.has_changed:
        said.append("There are no controls: whatever else changed at the same time is taken for the fix's effect.")
    elif intake.controls_ratio is not None and intake.has_changed:
        said.append(
            f"The controls themselves changed: {_change(intake.controls_ratio.estimate)}. "
            "Was a channel opened or closed, or a form changed?"
        )
    said += [
        f"{names[series]} has had no complaint at all for the last {_weeks(weeks)}: was a channel closed, "
        "or does what came last wait to be coded?"
        for series, weeks in intake.silent
    ]
    return said


def _weeks(count: int) -> str:
    return "1 week" if count == 1 else f"{count} weeks"


def _number(count: float) -> str:
    """Return a number of complaints: whole, or with one decimal while that matters."""
    return f"{count:,.0f}" if count >= FIGURES_FROM else f"{count:.1f}"


def _change(ratio: float) -> str:
    """Return a rate ratio as "35% fewer" or "20% more"."""
    if ratio > MOST_SAID_TIMES:
        return f"more than {MOST_SAID_TIMES} times as many"
    percent = round(100 * abs(ratio - 1.0))
    if percent == 0:
        return "no change"
    return f"{percent}% fewer" if ratio < 1.0 else f"{percent}% more"
