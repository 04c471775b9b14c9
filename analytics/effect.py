# SPDX-License-Identifier: Apache-2.0
"""Whether a fix worked: complaints after the change against what its controls let expect without it.

A controlled interrupted time series (Lopez Bernal et al. 2017, Int. J. Epidemiol. 46:348; Bottomley 2019). `follow`
looks every week at many fixes at once, `judge` gives the verdict on one. always_valid.py says how the rate ratio and
the evidence come about, effect_power.py how long to wait, effect_checks.py what could make the verdict wrong.

"Effective": in some week the e-value against "no fall, or one of less than a tenth" reached 20, and at that look the
fall was with 9 in 10 at least a fifth. "Not effective": from the planned look on, when with 9 in 10 it is less than a
fifth; or when it came back after success. Else "not yet known".

Weeks that raised the signal are no baseline: they were chosen because they were high, and lower ones would follow
without any fix (regression to the mean; Barnett et al. 2005, Int. J. Epidemiol. 34:215). They are left out.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import special

from analytics.always_valid import JEFFREYS, RatioPosterior, Totals, e_values, ratio_posterior
from analytics.arrays import BoolArray, FloatArray, IntArray
from analytics.effect_power import LONGEST_WAIT_WEEKS, is_too_quiet, weeks_needed

INTERVAL = (0.05, 0.95)
LEAST_FALL = 0.1
"""A smaller fall is no fall."""
WORTHWHILE_FALL = 0.2
WORTHWHILE_CHANCE_OF_RELAPSE = 0.05 / 104
"""Per week, so that a fix which lasts is called relapsed in two years with at most 0.05."""
TRIGGER_WINDOWS = (4, 8, 13)
TRIGGER_WEEKS_EARLIER = 12
TRIGGER_CHANCE = 0.005
HIGHEST_AUTOCORRELATION = 0.8
SIGNIFICANT_AUTOCORRELATION = 1.645
SMOOTHED_WEEKS = 9


class Verdict(StrEnum):
    """What may be said about a fix."""

    EFFECTIVE = "effective"
    NOT_EFFECTIVE = "not effective"
    NOT_YET_KNOWN = "not yet known"


@dataclass(frozen=True, slots=True)
class EffectSettings:
    """The numbers a verdict depends on. `target_reduction` is the share that was to go away; lengths in weeks."""

    target_reduction: float = 0.5
    evidence_needed: float = 20.0
    sure: float = 0.9
    least_weeks_before: int = 6
    least_weeks_after: int = 4
    least_weeks_to_refute: int = 8

    def __post_init__(self) -> None:
        if not 0 < self.target_reduction < 1:
            raise ValueError("The target reduction is a share between 0 and 1.")

    @property
    def hoped_ratio(self) -> float:
        """The rate ratio if the target is just met."""
        return 1.0 - self.target_reduction

    @property
    def null_ratio(self) -> float:
        """The rate ratio from which on there is no fall to speak of; half the target if that is less than a fifth."""
        return 1.0 - min(LEAST_FALL, self.target_reduction / 2)

    @property
    def worthwhile_ratio(self) -> float:
        """The rate ratio up to which the fall is worth the fix; the target if that is less than a fifth."""
        return 1.0 - min(WORTHWHILE_FALL, self.target_reduction)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Weekly counts of targets and of their controls, fixes by weeks; `is_before` and `is_after` say what is judged.

    Weeks in neither (the signal's, the transition's, outbreaks) are left out. The controls may be scaled (by exposure),
    so that they need not be whole.
    """

    target: FloatArray
    controls: FloatArray
    is_before: BoolArray
    is_after: BoolArray

    def __post_init__(self) -> None:
        if not self.target.shape == self.controls.shape == self.is_before.shape == self.is_after.shape:
            raise ValueError("Target, controls and what is judged have the same fixes and weeks.")
        if (self.is_before & self.is_after).any():
            raise ValueError("A week lies before or after the change, not both.")


@dataclass(frozen=True, slots=True)
class Course:
    """Weekly looks at fixes. Looks are the columns from `first_column` on; totals and e-values are fixes by looks.

    `success` and `relapse` are the look at which a fix was first called effective, and at which it had come back; -1:
    not so far.
    """

    first_column: int
    totals: Totals
    e_value: FloatArray
    success: IntArray
    relapse: IntArray


@dataclass(frozen=True, slots=True)
class RateRatio:
    """The rate after over the rate before, both over their controls: median and 90 % interval of the posterior."""

    estimate: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Per week: what would have been expected without the change, and the band in which 9 of 10 such weeks lie."""

    expected: FloatArray
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True, slots=True)
class Effect:
    """The verdict on one fix, and what it rests on. Columns count weeks of the comparison; None: has not happened.

    `e_value` is the evidence now against no fall to speak of, `highest_e_value` the highest at any weekly look, and
    `e_value_worthwhile` the evidence now against less than a worthwhile fall. `weeks_still_needed` is None if the
    verdict is known, or will hardly ever be. `planned_weeks` are those of the power table, None if too many.
    """

    verdict: Verdict
    weeks_still_needed: int | None
    rate_ratio: RateRatio
    probability_reduced: float
    probability_worthwhile: float
    probability_target_met: float
    e_value: float
    highest_e_value: float
    e_value_worthwhile: float
    since_column: int | None
    success_column: int | None
    relapse_column: int | None
    observed: int
    expected: float
    dispersion: float
    weeks_before: int
    weeks_after: int
    planned_weeks: int | None
    complaints_per_week: float
    chart: Chart

    @property
    def is_too_quiet(self) -> bool:
        """Whether a wider cell should be judged instead."""
        return is_too_quiet(self.complaints_per_week)


def dispersion_before(comparison: Comparison) -> FloatArray:
    """Return, per fix, the variance of the target given its controls over the binomial one; at least 1.

    Pearson's sum over the weeks before, widened for its own error (the mean of an inverse chi-square). If successive
    weeks resemble each other more than chance explains, the variance of their mean grows by (1 + r)/(1 - r) (Bayley &
    Hammersley 1946, Suppl. JRSS 8:184), r their correlation.
    """
    live = comparison.is_before
    both = comparison.target + comparison.controls
    share = (comparison.target * live).sum(axis=1) / np.maximum((both * live).sum(axis=1), 1e-12)
    residual = (comparison.target - both * share[:, None]) * live
    weeks = np.maximum(live.sum(axis=1), 2)
    binomial = (both * live).sum(axis=1) * share * (1.0 - share)
    raw = (residual**2).sum(axis=1) / np.maximum(binomial, 1e-12) * weeks / (weeks - 1)
    standard = residual / np.sqrt(np.maximum(both * (share * (1.0 - share))[:, None], 1e-12))
    neighbours = live[:, 1:] & live[:, :-1]
    products = (standard[:, 1:] * standard[:, :-1] * neighbours).sum(axis=1) / np.maximum(neighbours.sum(axis=1), 1)
    correlation = products / np.maximum((standard**2).sum(axis=1) / weeks, 1e-12) + 1.0 / weeks
    is_real = correlation * np.sqrt(weeks) > SIGNIFICANT_AUTOCORRELATION
    correlation = np.where(is_real, np.minimum(correlation, HIGHEST_AUTOCORRELATION), 0.0)
    widened = raw * (1.0 + 2.0 / (weeks - 1)) * (1.0 + correlation) / (1.0 - correlation)
    return np.asarray(np.maximum(widened, 1.0), dtype=np.float64)


def follow(comparison: Comparison, settings: EffectSettings) -> Course:
    """Look at every fix in every week after its change, from what was known in that week alone."""
    first, totals, may_speak = _weekly(comparison, settings)
    e_value = e_values(totals, null_ratio=settings.null_ratio, hoped_ratio=settings.hoped_ratio)
    success, ratio = _first_success(totals, may_speak & (e_value >= settings.evidence_needed), settings)
    relapse = _first_relapse(comparison, first, totals, success, ratio, settings)
    return Course(first, totals, e_value, success, relapse)


def succeeds(comparison: Comparison, settings: EffectSettings) -> BoolArray:
    """Return which fixes `follow` calls effective at some look, many times as fast where hardly any fell.

    The evidence is computed only where the ratio seen is one standard error below the null ratio: to be convincing, it
    must be more than two below.
    """
    _, totals, may_speak = _weekly(comparison, settings)
    worth = 1.0 / totals.dispersion[:, None]
    target, controls = totals.after * worth + JEFFREYS, totals.after_controls * worth + JEFFREYS
    before = totals.before[:, None] * worth + JEFFREYS
    before_controls = totals.before_controls[:, None] * worth + JEFFREYS
    log_ratio = np.log(target / controls * before_controls / before)
    error = np.sqrt(1 / target + 1 / controls + 1 / before + 1 / before_controls)
    fixes, looks = np.nonzero(may_speak & (log_ratio + error < math.log(settings.null_ratio)))
    has_evidence = np.zeros_like(may_speak)
    chosen = totals.looks(fixes, looks)
    e_value = e_values(chosen, null_ratio=settings.null_ratio, hoped_ratio=settings.hoped_ratio)[:, 0]
    has_evidence[fixes, looks] = e_value >= settings.evidence_needed
    return np.asarray(_first_success(totals, has_evidence, settings)[0] >= 0, dtype=np.bool_)


def _weekly(comparison: Comparison, settings: EffectSettings) -> tuple[int, Totals, BoolArray]:
    """Return the first column looked at, what was known at each look, and at which looks a verdict may be given."""
    after = comparison.is_after
    first = int(np.flatnonzero(after.any(axis=0))[0]) if after.any() else after.shape[1]
    live = after[:, first:]
    totals = Totals(
        before=(comparison.target * comparison.is_before).sum(axis=1),
        before_controls=(comparison.controls * comparison.is_before).sum(axis=1),
        after=np.cumsum(comparison.target[:, first:] * live, axis=1),
        after_controls=np.cumsum(comparison.controls[:, first:] * live, axis=1),
        dispersion=dispersion_before(comparison),
    )
    return first, totals, live & (np.cumsum(live, axis=1) >= settings.least_weeks_after)


def _first_success(totals: Totals, has_evidence: BoolArray, settings: EffectSettings) -> tuple[IntArray, FloatArray]:
    """Return the first look with evidence at which the fall was surely worthwhile, or -1, and the ratio there."""
    candidate = has_evidence.copy()
    success = np.full(len(candidate), -1, dtype=np.int64)
    ratio = np.ones(len(candidate))
    while candidate.any():
        fixes = np.flatnonzero(candidate.any(axis=1))
        looks = candidate[fixes].argmax(axis=1)
        posterior = ratio_posterior(totals.looks(fixes, looks))
        is_sure = posterior.chance_at_most(settings.worthwhile_ratio) >= settings.sure
        success[fixes[is_sure]] = looks[is_sure]
        ratio[fixes[is_sure]] = posterior.quantile(0.5)[is_sure]
        candidate[fixes, looks] = False
        candidate[fixes[is_sure]] = False
    return success, ratio


def _first_relapse(
    comparison: Comparison, first: int, totals: Totals, success: IntArray, ratio: FloatArray, settings: EffectSettings
) -> IntArray:
    """Return the look at which a fix that had worked had come back, or -1: a CUSUM of log-likelihood ratios.

    No fall at all against a ratio half way between the estimate at success, which flatters, and the worthwhile one. A
    log-likelihood-ratio CUSUM with threshold h alarms in a week with at most exp(-h) (Lorden 1971, Ann. Math. Stat.
    42:1897).
    """
    threshold = -math.log(WORTHWHILE_CHANCE_OF_RELAPSE)
    kept = 0.5 * (np.log(ratio) + np.log(settings.worthwhile_ratio))
    odds = np.log((totals.before + 0.5) / (totals.before_controls + 0.5))
    per_complaint = -kept
    per_count = np.logaddexp(0.0, odds) - np.logaddexp(0.0, odds + kept)
    relapse = np.full(len(success), -1, dtype=np.int64)
    height = np.zeros(len(success))
    for look in range(totals.after.shape[1]):
        y, controls = comparison.target[:, first + look], comparison.controls[:, first + look]
        step = (y * per_complaint - (y + controls) * per_count) / totals.dispersion
        counts = (success >= 0) & (look > success) & comparison.is_after[:, first + look]
        height = np.where(counts, np.maximum(height + step, 0.0), height)
        relapse = np.where((relapse < 0) & (height >= threshold), look, relapse)
    return np.asarray(relapse, dtype=np.int64)


def trigger_weeks(comparison: Comparison) -> int:
    """Return how many of the last weeks before the change of one fix were so high that they likely raised the signal.

    The longest window whose rate beside the controls is above that of the earlier weeks with a chance of 0.995.
    """
    columns = np.flatnonzero(comparison.is_before[0])
    found = 0
    for window in TRIGGER_WINDOWS:
        earlier, late = columns[:-window], columns[-window:]
        if len(earlier) < TRIGGER_WEEKS_EARLIER or not comparison.target[0, earlier].any():
            break
        is_earlier = np.zeros_like(comparison.is_before)
        is_earlier[0, earlier] = True
        is_late = np.zeros_like(is_earlier)
        is_late[0, late] = True
        split = Comparison(comparison.target, comparison.controls, is_earlier, is_late)
        if float(_posterior_of_all(split).chance_at_most(1.0)[0]) <= TRIGGER_CHANCE:
            found = window
    return found


def _posterior_of_all(comparison: Comparison) -> RatioPosterior:
    """Return the posterior of the rate ratios over all weeks after."""
    return ratio_posterior(totals_of_all(comparison))


def totals_of_all(comparison: Comparison) -> Totals:
    """Return the totals before and after, with all weeks after as the one look."""
    before, after = comparison.is_before, comparison.is_after
    return Totals(
        before=(comparison.target * before).sum(axis=1),
        before_controls=(comparison.controls * before).sum(axis=1),
        after=(comparison.target * after).sum(axis=1, keepdims=True),
        after_controls=(comparison.controls * after).sum(axis=1, keepdims=True),
        dispersion=dispersion_before(comparison),
    )


def judge(comparison: Comparison, settings: EffectSettings, *, controls_ratio: float | None = None) -> Effect:
    """Return the verdict on the one fix of `comparison` as of its last week.

    `controls_ratio` is the controls' volume over the target's, for the planned look; by default as counted, and
    `math.inf` says that the expectation is known. Raises ValueError, in a sentence, if there is too little past.
    """
    refuse_too_little_past(comparison, settings)
    course = follow(comparison, settings)
    totals = totals_of_all(comparison)
    posterior = ratio_posterior(totals)
    weeks_before, weeks_after = int(comparison.is_before.sum()), int(comparison.is_after.sum())
    per_week = float(totals.before[0]) / weeks_before
    planned = weeks_needed(
        per_week,
        settings.target_reduction,
        dispersion=float(totals.dispersion[0]),
        controls_ratio=float(totals.before_controls[0] / totals.before[0])
        if controls_ratio is None
        else controls_ratio,
        weeks_before=weeks_before,
    )
    worthwhile = float(posterior.chance_at_most(settings.worthwhile_ratio)[0])
    relapse = _relapse_look(course, worthwhile, settings)
    verdict = _verdict(course, relapse, planned, weeks_after, worthwhile, settings)
    expected = totals.before[0] / totals.before_controls[0] * totals.after_controls[0, 0]
    return Effect(
        verdict=verdict,
        weeks_still_needed=_weeks_still_needed(totals, posterior, planned, weeks_before, weeks_after, settings)
        if verdict is Verdict.NOT_YET_KNOWN
        else None,
        rate_ratio=rate_ratio_of(posterior),
        probability_reduced=float(posterior.chance_at_most(1.0)[0]),
        probability_worthwhile=worthwhile,
        probability_target_met=float(posterior.chance_at_most(settings.hoped_ratio)[0]),
        e_value=float(course.e_value[0, -1]) if weeks_after else 1.0,
        highest_e_value=float(course.e_value[0].max()) if weeks_after else 1.0,
        e_value_worthwhile=_e_value_worthwhile(totals, settings),
        since_column=int(comparison.is_after[0].argmax()) if weeks_after else None,
        success_column=None if course.success[0] < 0 else course.first_column + int(course.success[0]),
        relapse_column=None if relapse < 0 else course.first_column + relapse,
        observed=int(totals.after[0, 0]),
        expected=float(expected),
        dispersion=float(totals.dispersion[0]),
        weeks_before=weeks_before,
        weeks_after=weeks_after,
        planned_weeks=planned,
        complaints_per_week=per_week,
        chart=_chart(comparison, totals),
    )


def _e_value_worthwhile(totals: Totals, settings: EffectSettings) -> float:
    values = e_values(totals, null_ratio=settings.worthwhile_ratio, hoped_ratio=settings.hoped_ratio)
    return float(values[0, 0])


def refuse_too_little_past(comparison: Comparison, settings: EffectSettings) -> None:
    """Raise ValueError, in a sentence, if nothing can be expected from what came before."""
    weeks = int(comparison.is_before.sum())
    if weeks < settings.least_weeks_before:
        told = "1 week before the change is" if weeks == 1 else f"{weeks} weeks before the change are"
        raise ValueError(f"{told} too few to judge it by; there must be {settings.least_weeks_before}.")
    if not (comparison.target * comparison.is_before).sum():
        raise ValueError("The target had no complaint before the change, so that there is nothing to reduce.")
    if not (comparison.controls * comparison.is_before).sum():
        raise ValueError("The controls had no complaint before the change, so that they let nothing expect.")


def rate_ratio_of(posterior: RatioPosterior) -> RateRatio:
    """Return the first fix's median and interval."""
    lower, estimate, upper = (float(posterior.quantile(q)[0]) for q in (INTERVAL[0], 0.5, INTERVAL[1]))
    return RateRatio(estimate, lower, upper)


def _relapse_look(course: Course, worthwhile: float, settings: EffectSettings) -> int:
    """Return the look of the relapse: the CUSUM's, or now if all weeks together speak against a worthwhile fall."""
    if course.success[0] < 0:
        return -1
    if course.relapse[0] >= 0:
        return int(course.relapse[0])
    return course.e_value.shape[1] - 1 if 1.0 - worthwhile >= settings.sure else -1


def _verdict(
    course: Course, relapse: int, planned: int | None, weeks_after: int, worthwhile: float, settings: EffectSettings
) -> Verdict:
    if relapse >= 0:
        return Verdict.NOT_EFFECTIVE
    if course.success[0] >= 0:
        return Verdict.EFFECTIVE
    if weeks_after >= _earliest_refusal(planned, settings) and 1.0 - worthwhile >= settings.sure:
        return Verdict.NOT_EFFECTIVE
    return Verdict.NOT_YET_KNOWN


def _earliest_refusal(planned: int | None, settings: EffectSettings) -> int:
    """Return the weeks after the change before which no fix is called not effective."""
    return max(settings.least_weeks_to_refute, LONGEST_WAIT_WEEKS if planned is None else planned)


def _weeks_still_needed(
    totals: Totals,
    posterior: RatioPosterior,
    planned: int | None,
    weeks_before: int,
    weeks_after: int,
    settings: EffectSettings,
) -> int | None:
    """Return in how many weeks a verdict will be known if things go on so; None if not within the longest wait.

    Until the planned look it is supposed that the target is met, from then on that the ratio is what it seems to be.
    """
    is_early = planned is None or weeks_after < planned
    ratio = settings.hoped_ratio if is_early else float(posterior.quantile(0.5)[0])
    controls_per_week = (totals.before_controls + totals.after_controls[:, 0]) / (weeks_before + weeks_after)
    target_per_week = ratio * controls_per_week * totals.before / totals.before_controls
    more = np.arange(1, LONGEST_WAIT_WEEKS + 1, dtype=np.float64)
    ahead = Totals(
        before=totals.before,
        before_controls=totals.before_controls,
        after=totals.after + target_per_week[:, None] * more,
        after_controls=totals.after_controls + controls_per_week[:, None] * more,
        dispersion=totals.dispersion,
    )
    evidence = e_values(ahead, null_ratio=settings.null_ratio, hoped_ratio=settings.hoped_ratio)[0]
    same_fix = np.zeros(len(more), dtype=np.int64)
    looks = np.arange(len(more))
    worthwhile = ratio_posterior(ahead.looks(same_fix, looks)).chance_at_most(settings.worthwhile_ratio)
    weeks = weeks_after + more
    works = (evidence >= settings.evidence_needed) & (worthwhile >= settings.sure)
    works &= weeks >= settings.least_weeks_after
    fails = (1.0 - worthwhile >= settings.sure) & (weeks >= _earliest_refusal(planned, settings))
    known = np.flatnonzero(works | fails)
    return int(more[known[0]]) if known.size else None


def _chart(comparison: Comparison, totals: Totals) -> Chart:
    """Return what the controls let expect in each week, smoothed, and the band of a single week."""
    odds = totals.before[0] / totals.before_controls[0]
    after = comparison.is_after[0]
    start = int(after.argmax()) if after.any() else len(after)
    controls = comparison.controls[0]
    expected = odds * np.concatenate([_smoothed(controls[:start]), _smoothed(controls[start:])])
    phi = max(float(totals.dispersion[0]), 1.0 + 1e-6)
    shape = np.maximum(expected, 1e-9) / (phi - 1.0)
    lower, upper = (_quantile(q, shape, 1.0 / phi) for q in INTERVAL)
    return Chart(expected, lower, upper)


def _quantile(level: float, shape: FloatArray, chance: float) -> FloatArray:
    """Return the least count that a negative binomial reaches with that probability (loading scipy.stats takes 1 s)."""
    counts = np.ceil(special.nbdtrik(level, shape, chance))
    one_less = np.maximum(counts - 1.0, 0.0)
    # The inverse is found by iteration and may end a hair above a whole number.
    reached = special.betainc(shape, one_less + 1.0, chance) >= level
    return np.asarray(np.where(reached, one_less, counts), dtype=np.float64)


def _smoothed(counts: FloatArray) -> FloatArray:
    """Return the moving average over up to nine weeks, scaled to the same sum."""
    if not counts.size:
        return counts
    reach = SMOOTHED_WEEKS // 2
    window = np.ones(SMOOTHED_WEEKS)
    padded = np.pad(counts, reach)
    inside = np.pad(np.ones_like(counts), reach)
    average = np.convolve(padded, window, "valid") / np.convolve(inside, window, "valid")
    return np.asarray(average * counts.sum() / max(average.sum(), 1e-12), dtype=np.float64)
