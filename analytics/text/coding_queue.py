# SPDX-License-Identifier: Apache-2.0
"""Which few cases a person should tag this week, so that suggestions learn most from them.

Each next case is the one with the greatest uncertainty × distinctness: uncertainty is 1 minus the lead of the best
label's chance over the second's (Scheffer, Decomain & Wrobel 2001, LNCS 2189:309), distinctness 1 minus the cosine to
the nearest case already chosen (Carbonell & Goldstein 1998, SIGIR 335), so that copies of one letter come once.
"""

from dataclasses import dataclass

import numpy as np

from analytics.arrays import FloatArray
from analytics.text.similar import SimilarTexts

AT_MOST_A_WEEK = 20


@dataclass(frozen=True, slots=True)
class QueuedCase:
    """A case by its index, and the two shares that put it in the queue."""

    index: int
    uncertainty: float
    distinctness: float


def coding_queue(chances: FloatArray, laid_out: SimilarTexts, *, count: int = AT_MOST_A_WEEK) -> list[QueuedCase]:
    """Return up to `count` cases from chances (cases by labels) and the same cases' words, the most useful first."""
    if not chances.size:
        return []
    two_best = np.sort(chances, axis=1)[:, -2:]
    uncertainty = 1.0 - (two_best[:, -1] - two_best[:, 0]) if two_best.shape[1] > 1 else np.zeros(len(chances))
    distinctness = np.ones(len(chances))
    queued: list[QueuedCase] = []
    while len(queued) < min(count, len(chances)):
        worth = uncertainty * distinctness
        chosen = int(worth.argmax())
        if worth[chosen] <= 0:
            break
        queued.append(QueuedCase(chosen, float(uncertainty[chosen]), float(distinctness[chosen])))
        cosines = np.asarray(laid_out.rows @ laid_out.rows[[chosen]].toarray()[0], dtype=np.float64)
        distinctness = np.minimum(distinctness, np.clip(1.0 - cosines, 0.0, 1.0))
        distinctness[chosen] = 0.0
    return queued
