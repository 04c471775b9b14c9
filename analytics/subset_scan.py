# SPDX-License-Identifier: Apache-2.0
"""Where exactly: of all sets of offices, the one whose excess is least like chance.

The score of a set is the expectation-based Poisson log likelihood ratio O log(O/E) + E - O of its summed counts where
they exceed the summed expectations (Neill 2009, Int. J. Forecasting 25:498). Of the 2ⁿ sets only n can be best: those
that take offices in the order of their O/E, however many (linear-time subset scanning: Neill 2012, JRSS-B 74:337); so
the search is exact in n log n. Counts with extra variance are scaled by it, O/φ and E/φ (quasi-likelihood), which
leaves the order and so the exactness as they are; an uncertain expectation adds E times its relative variance to φ.

The chance of so high a score, the best of all sets having been chosen, is found by Monte Carlo: counts drawn around
the same expectations, each searched as the real ones were.
"""

from dataclasses import dataclass

import numpy as np

from analytics.arrays import BoolArray, FloatArray, IntArray

NO_EXTRA_VARIANCE = 1e-9
DRAWS_AT_ONCE = 2_000_000


@dataclass(frozen=True, slots=True)
class Subset:
    """The best set: which offices, their counts and expectations summed, the score, and its chance where none is bad.

    Without any office above its expectation the set is empty, its score 0 and its p-value 1.
    """

    is_member: BoolArray
    observed_count: int
    expected_count: float
    score: float
    p_value: float


def scan_subsets(
    observed: IntArray,
    expected: FloatArray,
    dispersion: FloatArray,
    *,
    relative_variance: FloatArray | None = None,
    replicates: int = 999,
    rng: np.random.Generator,
) -> Subset:
    """Return the best set of offices. All arrays are per office; expectations are positive.

    `dispersion` is variance over mean, `relative_variance` that of the expectation. Raises ValueError when an
    expectation is not positive.
    """
    if len(observed) and not (expected > 0).all():
        raise ValueError("Every office needs an expectation above nothing.")
    uncertainty = np.zeros(len(expected)) if relative_variance is None else relative_variance
    spread = np.maximum(dispersion, 1.0) + expected * uncertainty
    scores, sizes, order = _best_prefixes(observed[None, :], expected, spread)
    is_member = np.zeros(len(observed), dtype=np.bool_)
    is_member[order[0, : int(sizes[0])]] = True
    score = float(scores[0])
    as_high = _count_as_high(score, expected, spread, replicates, rng) if score > 0 else replicates
    return Subset(
        is_member=is_member,
        observed_count=int(observed[is_member].sum()),
        expected_count=float(expected[is_member].sum()),
        score=score,
        p_value=(1.0 + as_high) / (1.0 + replicates),
    )


def _best_prefixes(counts: IntArray, expected: FloatArray, spread: FloatArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Return, for each row of `counts` (draws by offices), the best score, the set's size, and the order searched."""
    order = np.argsort(-counts / expected, axis=1, kind="stable")
    observed_so_far = np.cumsum(np.take_along_axis(counts / spread, order, axis=1), axis=1)
    expected_so_far = np.cumsum((expected / spread)[order], axis=1)
    none = np.zeros((len(counts), 1))
    scores = np.concatenate([none, poisson_score(observed_so_far, expected_so_far)], axis=1)
    size = np.argmax(scores, axis=1)
    return np.take_along_axis(scores, size[:, None], axis=1)[:, 0], size.astype(np.int64), order.astype(np.int64)


def poisson_score(observed: FloatArray, expected: FloatArray) -> FloatArray:
    """Return O log(O/E) + E - O where O exceeds E, else 0."""
    safe = np.maximum(observed, expected)
    return np.asarray(safe * np.log(safe / expected) + expected - safe, dtype=np.float64)


def _count_as_high(
    score: float, expected: FloatArray, spread: FloatArray, replicates: int, rng: np.random.Generator
) -> int:
    """Return in how many of the replicates chance alone reaches the score."""
    per_batch = max(1, DRAWS_AT_ONCE // len(expected))
    almost = score * (1.0 - 1e-12)  # an equal score counts, however it was rounded
    found = 0
    for start in range(0, replicates, per_batch):
        shape = (min(per_batch, replicates - start), len(expected))
        found += int((_best_prefixes(_draw(expected, spread, shape, rng), expected, spread)[0] >= almost).sum())
    return found


def _draw(expected: FloatArray, spread: FloatArray, shape: tuple[int, int], rng: np.random.Generator) -> IntArray:
    """Return counts by chance: negative binomial with variance `spread` times mean, a Poisson of a gamma mean."""
    extra = spread - 1.0
    safe = np.maximum(extra, NO_EXTRA_VARIANCE)
    gamma = rng.gamma(np.broadcast_to(expected / safe, shape)) * safe
    mean = np.where(extra < NO_EXTRA_VARIANCE, expected, gamma)
    return rng.poisson(mean).astype(np.int64)
