# SPDX-License-Identifier: Apache-2.0
"""False alarms held in check when many cells are looked at in the same week.

Benjamini & Hochberg (1995, JRSS-B 57:289) hold the false discovery rate; positively dependent p-values, as nested cells
mostly have, do no harm (Benjamini & Yekutieli 2001, Ann. Statist. 29:1165). Over families of cells: select families by
their Simes p, then cells within a selected family at the share of families selected (Benjamini & Bogomolov 2014, JRSS-B
76:297; Bogomolov et al. 2021, Biometrika 108:575). A q-value is the smallest rate at which the cell is selected.

What is shown are not cells but the findings they fold into. One failure makes dozens of cells unusual, rightly, and
these would make room for chance: ten false cells among a hundred called are one in ten, but ten false findings beside
seven true ones. `focused` holds the rate among findings (Focused BH: Katsevich, Sabatti & Bogomolov 2023, J. Am. Stat.
Assoc. 118:165).
"""

from collections.abc import Callable

import numpy as np

from analytics.arrays import BoolArray, FloatArray, IntArray


def benjamini_hochberg(p_values: FloatArray, *, tested_count: int | None = None) -> FloatArray:
    """Return q-values in the order of `p_values`.

    `tested_count` is the number of tests when it exceeds the p-values given: the others count as p = 1.
    """
    given = len(p_values)
    tested = given if tested_count is None else tested_count
    if tested < given:
        raise ValueError("There cannot be more p-values than tests.")
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * tested / np.arange(1, given + 1)
    q_values = np.empty(given)
    q_values[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q_values


def tree_benjamini_hochberg(p_values: FloatArray, families: IntArray, tested_counts: IntArray) -> FloatArray:
    """Return q-values of cells in families.

    `families` numbers each cell's family from 0; `tested_counts` holds, per family, how many cells were looked at,
    those with no p-value of their own included. A family without any p-value counts as looked at and silent.
    """
    within = np.ones(len(p_values))
    for family in np.unique(families):
        members = families == family
        within[members] = benjamini_hochberg(p_values[members], tested_count=int(tested_counts[family]))
    family_count = len(tested_counts)
    simes = np.ones(family_count)
    np.minimum.at(simes, families, within)  # the smallest q within a family is its Simes p
    family_q = benjamini_hochberg(simes)
    # With `selected` families in, a cell must pass `rate * selected / family_count`; take the cheapest way in.
    ordered_q = np.sort(family_q)
    selected = np.arange(1, family_count + 1)
    price = np.maximum(ordered_q[None, :], within[:, None] * family_count / selected[None, :])
    return np.asarray(np.minimum(np.maximum(price.min(axis=1), family_q[families]), 1.0), dtype=np.float64)


def focused(
    is_unusual: BoolArray,
    p_values: FloatArray,
    findings_among: Callable[[BoolArray], int],
    *,
    rate: float,
    tested_count: int,
) -> BoolArray:
    """Return which of the unusual cells remain when the rate is to hold among the findings they fold into.

    Of `tested_count` cells chance alone sends `tested_count * p` below p; so the largest p that remains must be at most
    `rate * findings / tested_count`. `findings_among` says how many findings a selection folds into.
    """
    selected = is_unusual
    while True:
        limit = rate * findings_among(selected) / tested_count
        kept = selected & (p_values <= limit)
        if kept.sum() == selected.sum():
            return np.asarray(selected, dtype=np.bool_)
        selected = kept
