# SPDX-License-Identifier: Apache-2.0
"""What stands on a finding's card beside its sentences: by channel and office, where exactly, how pressing.

What a part (an office, a channel) would usually have of the expected complaints is its share of the cell's own past, in
the weeks the baseline learnt from; half a complaint is added to each part, so that a new one is not impossible.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.arrays import FloatArray, IntArray
from analytics.detection import Finding
from analytics.ranking import Ranking, rank
from analytics.subset_scan import Subset, scan_subsets

HALF_A_COMPLAINT = 0.5


@dataclass(frozen=True, slots=True)
class Parts:
    """The values of one dimension within a finding, by number: what came in its window, and what was expected."""

    observed: IntArray
    expected: FloatArray

    def shown(self) -> list[int]:
        """Return the numbers of the parts in which something came or was to come, the largest excess first."""
        order = np.argsort(-(self.observed - self.expected), kind="stable")
        return [int(part) for part in order if self.observed[part] or self.expected[part] >= HALF_A_COMPLAINT]


def parts_of(finding: Finding, part: IntArray, week: IntArray, count: IntArray, part_count: int) -> Parts:
    """Return the parts of a finding. The arrays are rows that belong to it: which part, in which week, how many."""
    lately = (week > finding.as_of_week - finding.window_weeks) & (week <= finding.as_of_week)
    before = (week >= finding.past_weeks[0]) & (week < finding.past_weeks[1])
    observed = _summed(part[lately], count[lately], part_count).astype(np.int64)
    past = _summed(part[before], count[before], part_count) + HALF_A_COMPLAINT
    return Parts(observed, np.asarray(finding.expected_count * past / past.sum(), dtype=np.float64))


def _summed(part: IntArray, count: IntArray, part_count: int) -> FloatArray:
    """Return the sum per part, not below nothing: what was taken back may have been counted before the rows begin."""
    return np.maximum(np.bincount(part, count, minlength=part_count), 0.0)


def where_exactly(finding: Finding, parts: Parts, seed: int) -> Subset:
    """Return the set of parts (offices) whose excess is least like chance."""
    return scan_subsets(
        parts.observed,
        parts.expected,
        np.full(len(parts.observed), finding.dispersion),
        relative_variance=np.full(len(parts.observed), finding.relative_variance),
        rng=np.random.default_rng(seed),
    )


def rank_findings(
    findings: Sequence[Finding],
    *,
    harm: Sequence[float] | None = None,
    vulnerable: Sequence[int] | None = None,
    asked: Sequence[int] | None = None,
    usual_vulnerable_share: float = 0.0,
) -> Ranking:
    """Return how pressing each finding is; what is not known of harm and circumstances multiplies by 1."""
    count = len(findings)
    return rank(
        np.array([finding.observed_count for finding in findings], dtype=np.int64),
        np.array([finding.expected_count for finding in findings], dtype=np.float64),
        np.array([finding.dispersion for finding in findings], dtype=np.float64),
        np.array([finding.relative_variance for finding in findings], dtype=np.float64),
        np.array([finding.window_weeks for finding in findings], dtype=np.int64),
        weeks_under_way=np.array([f.as_of_week - f.began_week + 1 for f in findings], dtype=np.int64),
        harm=np.ones(count) if harm is None else np.array(harm, dtype=np.float64),
        vulnerable=np.array(vulnerable or [0] * count, dtype=np.int64),
        asked=np.array(asked or [0] * count, dtype=np.int64),
        usual_vulnerable_share=usual_vulnerable_share,
    )
