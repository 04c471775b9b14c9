# SPDX-License-Identifier: Apache-2.0
"""The look at a fix's effect: the weekly cells summed into the plan's targets and controls, judged by analytics.effect.

The plan's targets are one series, in which a complaint counts once; each control is a series of its own, and a
complaint counts for the first control that names it. Beside them stand the other failures of the targets' families in
the same places, for that is where complaints may have moved. Weeks that raised the signal, and those of the transition,
are neither before nor after.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from analytics.always_valid import ratio_posterior
from analytics.arrays import BoolArray, FloatArray
from analytics.effect import Effect as Judged
from analytics.effect import EffectSettings, judge, rate_ratio_of, totals_of_all, trigger_weeks
from analytics.effect import Verdict as Said
from analytics.effect_checks import Checks, Study, compare, displacement, held_back, intake, placebo
from analytics.effect_words import LeftOut, sentences
from models.aggregates import Cell, monday_of
from models.fixes.cells import Kinds, by_kind, families_of, family_of, name_of_cell, names_a_channel, weekly, without
from models.fixes.commands import CellRef, Effect, Plan
from models.fixes.fix import Fix
from models.fixes.terms import Verdict
from models.fixes.watching import (
    DAYS_PER_WEEK,
    compared_since,
    first_changed_week,
    is_registered_afterwards,
    raised_the_signal,
)
from models.messages import canonical, canonical_message, sha256
from models.policy import Policy
from models.wording import english_day

MOST_SIBLINGS = 20
_AFTERWARDS = "The plan was frozen after the change: nobody was held beforehand to what it says."
_VERDICTS = {
    Said.EFFECTIVE: Verdict.EFFECTIVE,
    Said.NOT_EFFECTIVE: Verdict.NOT_EFFECTIVE,
    Said.NOT_YET_KNOWN: Verdict.NOT_YET_KNOWN,
}
Totals = Mapping[Cell, int]
WeekCounts = Mapping[date, int]


@dataclass(frozen=True, slots=True)
class Counted:
    """What a look is made of: weekly counts of named series, the target first, then the controls."""

    weeks: tuple[date, ...]
    """Mondays."""
    counts: FloatArray
    """Series by weeks."""
    names: tuple[str, ...]
    controls: int

    @property
    def neighbours(self) -> tuple[int, ...]:
        """Every series that complaints of the target may have moved to."""
        return tuple(range(1, len(self.names)))


@dataclass(frozen=True, slots=True)
class Parts:
    """What each week is to a look."""

    is_before: BoolArray
    is_after: BoolArray
    left_out: LeftOut


def effect_of(fix: Fix, totals: Totals, as_of: date, policy: Policy) -> Effect:
    """Return what the counts as of the end of `as_of`, a Sunday, say of the change; the same counts say the same.

    A change with too little past to be judged by is not yet known, and the sentence says why.
    """
    plan, changed_on = fix.plan, fix.changed_on
    if plan is None or changed_on is None:
        message = f"Fix {fix.id} has no change in place whose effect could be looked at."
        raise ValueError(message)
    counted = counted_for(plan, changed_on, totals, as_of, policy)
    settings = EffectSettings(target_reduction=plan.target_reduction)
    study, parts = _study(counted, plan, changed_on, settings)
    inputs_hash = _hash_of(fix, as_of, counted)
    comparison = compare(study, study.target, study.controls)
    try:
        judged = judge(comparison, settings, controls_ratio=None if study.controls else math.inf)
    except ValueError as problem:
        return _not_judged(study, as_of, str(problem), inputs_hash)
    checks = Checks(placebo(study, settings), displacement(study, counted.neighbours), intake(study))
    judged = held_back(judged, checks.placebo)
    said = sentences(
        judged,
        checks,
        parts.left_out,
        settings,
        names=counted.names,
        weeks=[english_day(week) for week in counted.weeks],
    )
    if is_registered_afterwards(fix, policy.calendar):
        said = (*said, _AFTERWARDS)
    return _effect(fix, judged, as_of, said, inputs_hash)


def counted_for(plan: Plan, changed_on: date, totals: Totals, as_of: date, policy: Policy) -> Counted:
    """Return the weekly counts that the plan speaks of, from the first week in which any of it was counted."""
    last = monday_of(as_of - timedelta(days=DAYS_PER_WEEK - 1))
    earliest = monday_of(changed_on) - timedelta(weeks=policy.surveillance.baseline_weeks)
    earliest = compared_since(plan, earliest)
    kept = {cell: number for cell, number in totals.items() if earliest <= cell.week <= last}
    kinds = by_kind(kept, policy, by_channel=names_a_channel((*plan.targets, *plan.controls)))
    target, left = weekly(kinds, plan.targets), without(kinds, plan.targets)
    controls: list[WeekCounts] = []
    for control in plan.controls:
        controls.append(weekly(left, (control,)))
        left = without(left, (control,))
    siblings = _siblings(plan, left, families_of(policy))
    first = min((week for one in (target, *controls) for week in one), default=last)
    weeks = tuple(first + timedelta(weeks=week) for week in range((last - first).days // DAYS_PER_WEEK + 1))
    series = (target, *controls, *siblings.values())
    return Counted(
        weeks=weeks,
        counts=np.array([[one.get(week, 0) for week in weeks] for one in series], dtype=np.float64),
        names=("The target", *(name_of_cell(ref, policy) for ref in (*plan.controls, *siblings))),
        controls=len(controls),
    )


def _siblings(plan: Plan, left: Kinds, families: Mapping[str, str]) -> dict[CellRef, WeekCounts]:
    """Return what is left of the targets' families' other codes in the same places."""
    found: dict[CellRef, WeekCounts] = {}
    for target in plan.targets:
        if target.code is None:
            continue
        wider = target.model_copy(
            update={"code": None, "family": target.family or family_of(target.measure, target.code, families)}
        )
        for code in sorted({kind.code for kind in left if kind.code and wider.contains(kind)}):
            sibling = wider.model_copy(update={"code": code})
            found[sibling] = weekly(left, (sibling,))
            left = without(left, (sibling,))
    by_size = sorted(found, key=lambda ref: (-sum(found[ref].values()), canonical_message(ref)))
    return {ref: found[ref] for ref in by_size[:MOST_SIBLINGS]}


def _study(counted: Counted, plan: Plan, changed_on: date, settings: EffectSettings) -> tuple[Study, Parts]:
    """Return the counts with what each week is; weeks that raised the signal are looked for unless the plan names them.

    Its series are target, controls and siblings, in this order.
    """
    parts = _parts(counted.weeks, plan, changed_on)
    controls = tuple(range(1, 1 + counted.controls))
    exposure = np.ones_like(counted.counts)
    study = Study(counted.counts, exposure, 0, controls, parts.is_before, parts.is_after)
    if plan.trigger_from is not None or parts.is_before.sum() < settings.least_weeks_before:
        return study, parts
    found = trigger_weeks(compare(study, 0, controls))
    if not found:
        return study, parts
    is_before = parts.is_before.copy()
    is_before[np.flatnonzero(is_before)[-found:]] = False
    left_out = LeftOut(trigger_weeks=found, transition_weeks=parts.left_out.transition_weeks)
    return (
        Study(counted.counts, exposure, 0, controls, is_before, parts.is_after),
        Parts(is_before, parts.is_after, left_out),
    )


def _parts(weeks: Sequence[date], plan: Plan, changed_on: date) -> Parts:
    one_week = timedelta(days=DAYS_PER_WEEK)
    begins = first_changed_week(changed_on, plan.transition_weeks)
    is_before = np.array([week + one_week <= changed_on for week in weeks], dtype=np.bool_)
    is_after = np.array([week >= begins for week in weeks], dtype=np.bool_)
    trigger = np.array([raised_the_signal(week, plan.trigger) for week in weeks], dtype=np.bool_) & is_before
    left_out = LeftOut(
        trigger_weeks=int(trigger.sum()),
        trigger_was_given=bool(trigger.any()),
        transition_weeks=int((~is_before & ~is_after).sum()),
    )
    return Parts(is_before & ~trigger, is_after, left_out)


def _effect(fix: Fix, judged: Judged, as_of: date, said: tuple[str, ...], inputs_hash: str) -> Effect:
    verdict = _VERDICTS[judged.verdict]
    return Effect(
        as_of=as_of,
        verdict=verdict,
        observed=judged.observed,
        expected=_rounded(judged.expected),
        rate_ratio=_rounded(judged.rate_ratio.estimate),
        rate_ratio_low=_rounded(judged.rate_ratio.lower),
        rate_ratio_high=_rounded(judged.rate_ratio.upper),
        probability_reduced=_rounded(judged.probability_reduced),
        e_value=_rounded(judged.e_value),
        weeks_still_needed=judged.weeks_still_needed,
        # Also where complaints that were coded late have changed what is known of the weeks of success.
        has_relapsed=fix.effective_on is not None and verdict is Verdict.NOT_EFFECTIVE,
        sentences=said,
        inputs_hash=inputs_hash,
    )


def _not_judged(study: Study, as_of: date, why: str, inputs_hash: str) -> Effect:
    """Return the look at a change with too little past: what came, and how little that says."""
    comparison = compare(study, study.target, study.controls)
    totals = totals_of_all(comparison)
    posterior = ratio_posterior(totals)
    ratio = rate_ratio_of(posterior)
    before = max(float(totals.before_controls[0]), 1.0)
    return Effect(
        as_of=as_of,
        verdict=Verdict.NOT_YET_KNOWN,
        observed=int(totals.after[0, 0]),
        expected=_rounded(float(totals.before[0] * totals.after_controls[0, 0]) / before),
        rate_ratio=_rounded(ratio.estimate),
        rate_ratio_low=_rounded(ratio.lower),
        rate_ratio_high=_rounded(ratio.upper),
        probability_reduced=_rounded(float(posterior.chance_at_most(1.0)[0])),
        e_value=1.0,
        sentences=("It is not yet known whether the fix works.", why),
        inputs_hash=inputs_hash,
    )


def _rounded(number: float) -> float:
    """Return six significant figures: more would differ between machines."""
    return float(f"{number:.6g}")


def _hash_of(fix: Fix, as_of: date, counted: Counted) -> str:
    """Return the SHA-256 (hex) of what was looked at; the same hash, the same verdict."""
    assert fix.plan is not None
    looked_at = {
        "plan": fix.plan.frozen_hash,
        "changed_on": str(fix.changed_on),
        "was_effective": fix.effective_on is not None,
        "as_of": str(as_of),
        "weeks": [str(week) for week in counted.weeks],
        "names": list(counted.names),
        "counts": [[int(number) for number in row] for row in counted.counts],
    }
    return sha256(canonical(looked_at)).hex()
