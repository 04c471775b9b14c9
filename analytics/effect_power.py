# SPDX-License-Identifier: Apache-2.0
"""How long to wait before a fix can be judged: the table by which the look date is set when the fix is registered.

Normal approximation on the log rate ratio of target over controls, after over before, one-sided (Gu et al. 2008, Biom.
J. 50:283, for two Poisson rates; times the dispersion φ): with w weeks after the change the variance is
φ/λ (1/b + 1/(ρ w) + 1/(k b) + 1/(k w)), λ complaints a week, b weeks before, controls k times the volume, ratio ρ.
"""

import math

from scipy import special

WIDEN_BELOW_PER_WEEK = 1.0
"""Cells with fewer complaints a week can hardly be judged: take a wider cell."""
LONGEST_WAIT_WEEKS = 198


def weeks_needed(
    complaints_per_week: float,
    reduction: float,
    *,
    dispersion: float,
    controls_ratio: float,
    weeks_before: int,
    power: float = 0.9,
    false_positive_rate: float = 0.05,
) -> int | None:
    """Return the weeks after the change that show a true reduction with this power; None if more than the longest wait.

    `reduction` is a share (0.5 halves), `controls_ratio` the controls' volume over the target's (`math.inf` when their
    expectation is known). Raises ValueError for numbers that no fix can have.
    """
    if not 0 < reduction < 1:
        raise ValueError("A reduction is a share between 0 and 1.")
    if complaints_per_week <= 0 or controls_ratio <= 0 or weeks_before < 1 or dispersion <= 0:
        raise ValueError("Complaints, controls, weeks before and dispersion are more than 0.")
    ratio = 1.0 - reduction
    deviations = float(special.ndtri(1.0 - false_positive_rate) + special.ndtri(power))
    allowed = (math.log(ratio) / deviations) ** 2 * complaints_per_week / dispersion
    left_for_after = allowed - (1.0 + 1.0 / controls_ratio) / weeks_before
    if left_for_after <= 0:
        return None
    weeks = math.ceil((1.0 / ratio + 1.0 / controls_ratio) / left_for_after - 1e-9)
    return weeks if weeks <= LONGEST_WAIT_WEEKS else None


def is_too_quiet(complaints_per_week: float) -> bool:
    """Whether the cell is so quiet that it should be widened before a fix is judged by it."""
    return complaints_per_week < WIDEN_BELOW_PER_WEEK
