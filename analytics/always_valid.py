# SPDX-License-Identifier: Apache-2.0
"""How a rate changed beside its controls: posterior of the ratio, and an e-value that may be looked at every week.

A target and its controls are counted before and after a change. Given the sum of both in a week, the target's count is
binomial with odds θ before and θρ after: whatever moves target and controls alike (season, trend, a campaign) cancels,
and ρ is the rate ratio, the controls' noise included. This is the conditional form of a Poisson regression with a term
per week (Breslow & Day 1987, Statistical Methods in Cancer Research II, §4), that is of a controlled interrupted time
series (Bottomley 2019, Epidemiol. Methods 8, doi 10.1515/em-2018-0010). Four totals are sufficient. Dispersion φ
divides the log-likelihood (quasi-likelihood, Wedderburn 1974, Biometrika 61:439). The odds θ are integrated out over
their posterior from before the change (Jeffreys' prior), which for rare targets is the Gamma-Poisson model.

The e-value is a mixture likelihood ratio: ratios below the null ratio, weighted by a gamma distribution around the
reduction hoped for and cut off at the null ratio, against the null ratio itself (Robbins 1970, Ann. Math. Stat.
41:1397). If the truth is the null ratio or more, its expectation is at most 1 at every time, so that the chance that it
ever reaches 20 is at most 1/20, however often one looks (Ville 1939; Ramdas et al. 2023, Statist. Sci. 38:576). For
negative-binomial counts with variance φ times mean the likelihood ratio to the power 1/φ keeps this for reductions
(log(1 + (φ - 1)(1 - r^(1/φ)))/(φ - 1) ≥ (1 - r)/φ for 0 < r ≤ 1, a test shows it on a grid). With θ and φ estimated it
holds nearly; benchmarks/effect.py shows how nearly.

A target without controls is given controls so many that they are known without error (`KNOWN_CONTROLS`).
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from analytics.arrays import FloatArray, IntArray

KNOWN_CONTROLS = 1e6
"""Controls per complaint of the target from which on their own noise cannot be seen."""
MIXTURE_SHAPE = 8.0
"""Of the gamma distribution of hoped-for ratios: its standard deviation is 0.35 of its mean."""
MIXTURE_NODES = 40
ODDS_NODES = 49
ODDS_REACH = 8.0
RATIO_NODES = 161
RATIO_REACH = 8.0
"""Grids reach so many standard deviations to either side; trapezoids on them are exact to many digits."""
JEFFREYS = 0.5
LARGEST_E_VALUE = 1e12
"""More is said as this; no decision hangs on it."""
BATCH_NUMBERS = 3_000_000


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of target and controls; before: per fix, after: fixes by looks. `dispersion` per fix, at least 1."""

    before: FloatArray
    before_controls: FloatArray
    after: FloatArray
    after_controls: FloatArray
    dispersion: FloatArray

    def rows(self, chosen: slice) -> "Totals":
        """Return some of the fixes."""
        return Totals(
            self.before[chosen],
            self.before_controls[chosen],
            self.after[chosen],
            self.after_controls[chosen],
            self.dispersion[chosen],
        )

    def looks(self, fixes: IntArray, looks: IntArray) -> "Totals":
        """Return chosen looks of chosen fixes, each as a fix with one look."""
        return Totals(
            self.before[fixes],
            self.before_controls[fixes],
            self.after[fixes, looks][:, None],
            self.after_controls[fixes, looks][:, None],
            self.dispersion[fixes],
        )


@dataclass(frozen=True, slots=True)
class RatioPosterior:
    """What is known of each ratio: ascending log ratios and the chance of at most each, fixes by nodes."""

    log_ratio: FloatArray
    cumulative: FloatArray

    def chance_at_most(self, ratio: float) -> FloatArray:
        """Return the chance that the true ratio is at most `ratio`, per fix."""
        at = np.full((len(self.log_ratio), 1), np.log(ratio))
        return _interpolate(self.log_ratio, self.cumulative, at)

    def quantile(self, chance: float) -> FloatArray:
        """Return the ratio below which the true one lies with this chance, per fix."""
        at = np.full((len(self.log_ratio), 1), chance)
        return np.asarray(np.exp(_interpolate(self.cumulative, self.log_ratio, at)), dtype=np.float64)


def e_values(totals: Totals, *, null_ratio: float, hoped_ratio: float) -> FloatArray:
    """Return the evidence against "the ratio is `null_ratio` or more", fixes by looks."""
    hoped = np.log(_mixture(null_ratio, hoped_ratio))
    ratios = np.concatenate([[np.log(null_ratio)], hoped])[None, None, :]
    fixes, looks = totals.after.shape
    values = np.ones((fixes, looks))
    per_batch = max(1, BATCH_NUMBERS // max(1, looks * ODDS_NODES * ratios.size))
    for start in range(0, fixes, per_batch):
        rows = slice(start, start + per_batch)
        evidence = _log_evidence(totals.rows(rows), ratios)
        log_e = special.logsumexp(evidence[:, :, 1:], axis=2) - np.log(len(hoped)) - evidence[:, :, 0]
        values[rows] = np.exp(np.minimum(log_e, np.log(LARGEST_E_VALUE)))
    return values


def ratio_posterior(totals: Totals) -> RatioPosterior:
    """Return the posterior of the rate ratio for fixes with one look each, under Jeffreys' prior."""
    worth = 1.0 / totals.dispersion
    before, before_controls = totals.before * worth + JEFFREYS, totals.before_controls * worth + JEFFREYS
    after, after_controls = totals.after[:, 0] * worth + JEFFREYS, totals.after_controls[:, 0] * worth + JEFFREYS
    centre = np.log(after / after_controls * before_controls / before)
    spread = np.sqrt(1 / before + 1 / before_controls + 1 / after + 1 / after_controls)
    log_ratio = centre[:, None] + spread[:, None] * np.linspace(-RATIO_REACH, RATIO_REACH, RATIO_NODES)
    evidence = np.empty_like(log_ratio)
    per_batch = max(1, BATCH_NUMBERS // (ODDS_NODES * RATIO_NODES))
    for start in range(0, len(log_ratio), per_batch):
        rows = slice(start, start + per_batch)
        evidence[rows] = _log_evidence(totals.rows(rows), log_ratio[rows, None, :])[:, 0]
    log_density = evidence + JEFFREYS * log_ratio
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    steps = 0.5 * (density[:, 1:] + density[:, :-1])
    cumulative = np.concatenate([np.zeros((len(steps), 1)), np.cumsum(steps, axis=1)], axis=1)
    return RatioPosterior(log_ratio, cumulative / cumulative[:, -1:])


def _mixture(null_ratio: float, hoped_ratio: float) -> FloatArray:
    """Return equally weighted ratios below the null ratio, gamma-distributed around the ratio hoped for."""
    scale = hoped_ratio / MIXTURE_SHAPE
    below = special.gammainc(MIXTURE_SHAPE, null_ratio / scale)
    middles = (np.arange(MIXTURE_NODES) + 0.5) / MIXTURE_NODES
    return np.asarray(special.gammaincinv(MIXTURE_SHAPE, middles * below) * scale, dtype=np.float64)


def _log_evidence(totals: Totals, log_ratio: FloatArray) -> FloatArray:
    """Return the log marginal quasi-likelihood of what came after, fixes by looks by ratios (up to a term of its own).

    `log_ratio` broadcasts to fixes by looks by ratios. The odds' grid goes by the posterior from before the change.
    """
    worth = 1.0 / totals.dispersion
    target, controls = totals.before * worth + JEFFREYS, totals.before_controls * worth + JEFFREYS
    spread = np.sqrt(1 / target + 1 / controls)[:, None]
    odds = np.log(target / controls)[:, None] + spread * np.linspace(-ODDS_REACH, ODDS_REACH, ODDS_NODES)
    prior = target[:, None] * odds - (target + controls)[:, None] * np.logaddexp(0.0, odds)
    prior -= special.logsumexp(prior, axis=1, keepdims=True)
    log_odds = odds[:, None, :, None] + log_ratio[:, :, None, :]
    y = (totals.after * worth[:, None])[:, :, None, None]
    both = y + (totals.after_controls * worth[:, None])[:, :, None, None]
    joint = y * log_odds - both * np.logaddexp(0.0, log_odds) + prior[:, None, :, None]
    highest = joint.max(axis=2, keepdims=True)
    total = np.log(np.exp(joint - highest).sum(axis=2)) + highest[:, :, 0, :]
    return np.asarray(total, dtype=np.float64)


def _interpolate(x: FloatArray, y: FloatArray, at: FloatArray) -> FloatArray:
    """Return y at one x per row, linearly between ascending nodes and flat beyond them."""
    right = np.clip((x < at).sum(axis=1, keepdims=True), 1, x.shape[1] - 1)
    x0, x1 = np.take_along_axis(x, right - 1, axis=1), np.take_along_axis(x, right, axis=1)
    y0, y1 = np.take_along_axis(y, right - 1, axis=1), np.take_along_axis(y, right, axis=1)
    share = np.clip((at - x0) / np.where(x1 > x0, x1 - x0, 1.0), 0.0, 1.0)
    return np.asarray((y0 + share * (y1 - y0))[:, 0], dtype=np.float64)
