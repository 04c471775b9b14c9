# SPDX-License-Identifier: Apache-2.0
"""Always bad, not only newly bad: offices where a failure has been out of proportion for a year.

No window and no sum finds these, for their own past is as bad. Each office's confirmed failures of a year are held
against what it would have if office and failure had nothing to do with each other, within each service and channel
(strata), by the shrinkage of disproportionality.py. Called are pairs with EB05 of at least 2 and at least 3 complaints:
where the prior was learnt from the pairs themselves, the chance that the true ratio is below 2 is then at most one in
twenty, whatever else is called. With too few pairs to learn from the prior is a fixed one, and no rate can be told.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.disproportionality import disproportionality
from analytics.multiplicity import tree_benjamini_hochberg
from analytics.tails import tail_probability

TRAILING_WEEKS = 52
LEAST_EB05 = 2.0
LEAST_COUNT = 3
FALSE_SHARE_AT_MOST = 0.05
"""The share of those called whose true ratio is expected to be below `LEAST_EB05`; only where the prior is learnt."""


@dataclass(frozen=True, slots=True)
class FailureSeen:
    """So many confirmed failures of one kind, of one service, channel and office."""

    failure: str
    service: str
    channel: str
    office: str
    count: int


@dataclass(frozen=True, slots=True)
class OutOfProportion:
    """A failure at an office: how many, how many were to be expected, and the shrunken ratio with its 90 % interval.

    `p_value` is the chance of so many if the expectation held, `q_value` the rate of false discoveries among all pairs.
    """

    office: str
    failure: str
    observed: int
    expected: float
    ebgm: float
    eb05: float
    eb95: float
    is_prior_learnt: bool
    p_value: float
    q_value: float

    @property
    def false_share_at_most(self) -> float | None:
        """The share of such signals expected to be false; None where too little is known to say."""
        return FALSE_SHARE_AT_MOST if self.is_prior_learnt else None


def out_of_proportion(seen: Sequence[FailureSeen]) -> list[OutOfProportion]:
    """Return the pairs out of proportion, the worst first; what is of no known office is not looked at."""
    kept = sorted(
        (one for one in seen if one.office and one.count > 0),
        key=lambda one: (one.office, one.failure, one.service, one.channel),
    )
    if not kept:
        return []
    offices, failures = sorted({one.office for one in kept}), sorted({one.failure for one in kept})
    strata = sorted({(one.service, one.channel) for one in kept})
    times = [one.count for one in kept]
    result = disproportionality(
        np.repeat([offices.index(one.office) for one in kept], times),
        np.repeat([failures.index(one.failure) for one in kept], times),
        stratum=np.repeat([strata.index((one.service, one.channel)) for one in kept], times),
    )
    pairs = result.pairs
    pair_count = len(pairs.count)
    p_values = tail_probability(pairs.count, pairs.expected, np.ones(pair_count), np.zeros(pair_count))
    q_values = tree_benjamini_hochberg(p_values, np.zeros(pair_count, dtype=np.int64), np.array([pair_count]))
    called = np.flatnonzero((result.eb05 >= LEAST_EB05) & (pairs.count >= LEAST_COUNT))
    return [
        OutOfProportion(
            office=offices[pairs.first[pair]],
            failure=failures[pairs.second[pair]],
            observed=int(pairs.count[pair]),
            expected=float(pairs.expected[pair]),
            ebgm=float(result.ebgm[pair]),
            eb05=float(result.eb05[pair]),
            eb95=float(result.eb95[pair]),
            is_prior_learnt=result.prior.is_learnt,
            p_value=float(p_values[pair]),
            q_value=float(q_values[pair]),
        )
        for pair in called[np.argsort(-result.eb05[called], kind="stable")]
    ]
