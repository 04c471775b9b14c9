# SPDX-License-Identifier: Apache-2.0
"""Weights learnt from labelled texts."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize, sparse

from analytics.arrays import IntArray
from analytics.text.features import Rows
from analytics.text.learning import LearningSettings, Linear, _Objective, learn, learn_from_many

THOROUGH = LearningSettings(iterations=500, tolerance=1e-9)


def texts(seed: int, text_count: int = 120, label_count: int = 4) -> tuple[Rows, IntArray]:
    """Return rows of length 1 whose first columns lean towards their label."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, label_count, text_count)
    rows = rng.random((text_count, 30)) * (rng.random((text_count, 30)) < 0.4)
    rows[np.arange(text_count), labels] += 0.7
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return sparse.csr_array(rows.astype(np.float32)), labels


def worth(linear: Linear, objective: _Objective) -> float:
    return objective(np.vstack([linear.weights, linear.levels]).ravel())[0]


def test_the_search_ends_where_another_search_ends() -> None:
    rows, labels = texts(1)
    objective = _Objective(rows, labels, 4, THOROUGH)
    found = learn(rows, labels, 4, THOROUGH)

    def other(flat: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = objective(flat.astype(np.float32))
        return value, slope.astype(np.float64)

    lowest = optimize.minimize(other, np.zeros(31 * 4), jac=True, method="L-BFGS-B").fun

    assert worth(found, objective) == pytest.approx(lowest, rel=1e-4)
    assert np.linalg.norm(objective(np.vstack([found.weights, found.levels]).ravel())[1]) < 0.05


def test_the_slope_is_that_of_the_value() -> None:
    rows, labels = texts(2)
    objective = _Objective(rows, labels, 4, LearningSettings())
    rng = np.random.default_rng(3)
    here = rng.normal(0, 0.3, 31 * 4).astype(np.float32)
    way = rng.normal(0, 1, 31 * 4).astype(np.float32)
    ahead, behind = (objective(here + np.float32(step) * way)[0] for step in (1e-2, -1e-2))

    assert (ahead - behind) / 2e-2 == pytest.approx(float(objective(here)[1] @ way), rel=1e-2)


def test_learning_from_many_ends_near_where_learning_from_all_does() -> None:
    rows, labels = texts(4, text_count=600)
    objective = _Objective(rows, labels, 4, LearningSettings())
    thorough, quick = learn(rows, labels, 4, THOROUGH), learn_from_many(rows, labels, 4, LearningSettings())

    assert worth(quick, objective) == pytest.approx(worth(thorough, objective), rel=0.05)


def test_a_rare_label_is_found_because_its_texts_weigh_more() -> None:
    rng = np.random.default_rng(5)
    labels = (rng.random(400) < 0.05).astype(np.int64)
    dense = np.column_stack([rng.normal(labels * 0.8, 0.6), np.ones(400)]).astype(np.float32)
    rows = sparse.csr_array(dense)
    even = replace(THOROUGH, rarity_power=0.0)
    found = [(learn(rows, labels, 2, how).margins(rows).argmax(axis=1) == 1).sum() for how in (even, THOROUGH)]

    assert found[0] < found[1]


def test_the_search_goes_on_from_where_it_is_told_to_begin() -> None:
    rows, labels = texts(6)
    there = learn(rows, labels, 4, THOROUGH)
    again = learn(rows, labels, 4, replace(THOROUGH, iterations=1), begin=there)

    assert again.weights == pytest.approx(there.weights, abs=1e-3)


def test_texts_without_features_teach_only_levels() -> None:
    rows = sparse.csr_array((6, 0), dtype=np.float32)
    found = learn(rows, np.array([0, 0, 0, 0, 1, 1]), 2, THOROUGH)

    assert found.weights.shape == (0, 2)
    assert found.levels[0] > found.levels[1]
