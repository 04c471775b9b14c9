# SPDX-License-Identifier: Apache-2.0
"""Which finding first: a product whose every factor is shown, never a score from a black box.

    priority = complaints more than expected, at least, per quarter · harm · persistence · vulnerable people

The first factor is the lower 5 % bound of the excess, so that a large but doubtful finding does not outrank a smaller
sure one: the bound of a difference from those of its parts (Zou & Donner 2008, Stat. Med. 27:1693), a gamma posterior
of the rate behind the count, widened by the dispersion, against the uncertain expectation. The others multiply it:
the harm weight the agency gives the failure; 1 for a failure of this week, up to 2 for one that has lasted a year; 1 to
2 for the share of complainants in vulnerable circumstances, drawn towards the agency's usual share where few are known.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from analytics.arrays import FloatArray, IntArray

WEEKS_PER_QUARTER = 13.0
WEEKS_OF_FULL_PERSISTENCE = 52.0
LOWER_CHANCE = 0.05
USUAL_SHARE_WORTH = 10.0
"""The usual vulnerable share counts as if so many complainants had been asked."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """Per finding its factors, their product `priority`, and `order`: indices from the most to the least pressing.

    `asked`: of how many complainants the circumstances are known.
    """

    excess_per_quarter: FloatArray
    harm: FloatArray
    persistence: FloatArray
    vulnerability: FloatArray
    asked: IntArray
    priority: FloatArray
    order: IntArray

    def formula(self, finding: int) -> str:
        """Return the sum as a person reads it; a factor of 1 is said too, since it was looked at."""
        return (
            f"At least {_said(self.excess_per_quarter[finding])} more than expected in a quarter "
            f"× harm {_said(self.harm[finding])} × lasting {_said(self.persistence[finding])} "
            f"× vulnerable people {_said(self.vulnerability[finding])}{self._unasked(finding)} "
            f"= {_said(self.priority[finding])}"
        )

    def _unasked(self, finding: int) -> str:
        """Return what stands behind the factor where none of the complainants was asked."""
        if self.asked[finding]:
            return ""
        return " (nobody was asked: the usual share)" if self.vulnerability[finding] > 1 else " (nobody was asked)"


def rank(
    observed: IntArray,
    expected: FloatArray,
    dispersion: FloatArray,
    relative_variance: FloatArray,
    window_weeks: IntArray,
    *,
    weeks_under_way: IntArray,
    harm: FloatArray,
    vulnerable: IntArray,
    asked: IntArray,
    usual_vulnerable_share: float,
) -> Ranking:
    """Return the findings' factors and their order. All arrays are per finding.

    Counts, expectation, dispersion and relative variance are of the window that spoke, `window_weeks` long. Of `asked`
    complainants whose circumstances are known, `vulnerable` are in vulnerable ones. Ties keep the order given.
    Raises ValueError for a negative harm weight, more vulnerable than asked, or a usual share outside 0 to 1.
    """
    if (harm < 0).any():
        raise ValueError("A harm weight is not negative.")
    if (vulnerable > asked).any() or (vulnerable < 0).any() or not 0 <= usual_vulnerable_share <= 1:
        raise ValueError("Of those asked, none to all are vulnerable.")
    least = excess_at_least(observed, expected, dispersion, relative_variance)
    excess = np.maximum(least, 0.0) * WEEKS_PER_QUARTER / window_weeks
    persistence = 1.0 + np.minimum(weeks_under_way, WEEKS_OF_FULL_PERSISTENCE) / WEEKS_OF_FULL_PERSISTENCE
    prior = USUAL_SHARE_WORTH
    vulnerability = 1.0 + (vulnerable + prior * usual_vulnerable_share) / (asked + prior)
    priority = excess * harm * persistence * vulnerability
    order = np.argsort(-priority, kind="stable").astype(np.int64)
    return Ranking(excess, harm.astype(np.float64), persistence, vulnerability, asked, priority, order)


def excess_at_least(
    observed: IntArray, expected: FloatArray, dispersion: FloatArray, relative_variance: FloatArray
) -> FloatArray:
    """Return the lower 5 % bound of what came beyond the expectation; negative where there may be no excess.

    The count over its dispersion is taken for Poisson, its rate's posterior (flat prior, the most careful) for gamma
    with that count as shape; the expectation for gamma with its relative variance.
    """
    shape = observed / dispersion
    lowest_rate = np.where(observed > 0, dispersion * special.gammaincinv(np.maximum(shape, 1e-9), LOWER_CHANCE), 0.0)
    certainty = 1.0 / np.maximum(relative_variance, 1e-12)
    highest_expected = expected * np.where(
        relative_variance > 0, special.gammaincinv(certainty, 1.0 - LOWER_CHANCE) / certainty, 1.0
    )
    away = np.hypot(observed - lowest_rate, highest_expected - expected)
    return np.asarray(observed - expected - away, dtype=np.float64)


def _said(value: float) -> str:
    """Return a factor in at most two decimals, whole from ten on."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")  # noqa: PLR2004
