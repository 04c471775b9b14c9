# SPDX-License-Identifier: Apache-2.0
"""Weights per feature and label, learnt from texts that people have labelled.

One label against the rest, squared hinge loss, length of the weights held back (a linear support vector machine in its
primal form: Chang, Hsieh & Lin 2008, JMLR 9:1369), all labels at once by L-BFGS (Liu & Nocedal 1989, Math. Program.
45:503). A rare label's texts weigh more, so that the label is found at all. On short texts this is as good as logistic
regression for the common labels and better for the rare ones; probabilities come afterwards (`calibrating`).
"""

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from analytics.arrays import FloatArray, IntArray
from analytics.text.features import Rows, Weights

_EVERY = 5
_FEW_ITERATIONS = 15
_MEMORY = 6
_ENOUGH = 1e-4
"""A step must gain this share of what the slope promises (Armijo 1966, Pacific J. Math. 16:1), or is halved."""
_SHORTEST = 1e-6


@dataclass(frozen=True, slots=True)
class LearningSettings:
    """The numbers learning depends on, chosen on one public set of complaints (docs/analytics/text.md).

    `closeness` to the labelled texts against short weights; `rarity_power` of how much more a rare label's texts weigh,
    a label of fewer than `rarest_texts` texts counting as one of so many; `iterations` and `tolerance` of the search.
    """

    closeness: float = 0.1
    rarity_power: float = 1.0
    rarest_texts: int = 5
    iterations: int = 60
    tolerance: float = 1e-4


@dataclass(frozen=True, slots=True)
class Linear:
    """Features by labels, and a level per label: a text's margin is its features times the weights plus the level."""

    weights: Weights
    levels: Weights

    def margins(self, rows: Rows) -> FloatArray:
        """Return texts by labels: above 0 speaks for the label."""
        return np.asarray(rows @ self.weights + self.levels, dtype=np.float64)


def learn(
    rows: Rows, labels: IntArray, label_count: int, settings: LearningSettings, *, begin: Linear | None = None
) -> Linear:
    """Return the weights for texts by features and each text's label, the search begun at `begin` or at nothing."""
    objective = _Objective(rows, labels, label_count, settings)
    start = np.zeros((rows.shape[1] + 1, label_count), dtype=np.float32)
    if begin is not None:
        start[:-1], start[-1] = begin.weights, begin.levels
    found = _lowest(objective, start.ravel(), settings.iterations, settings.tolerance).reshape(start.shape)
    return Linear(found[:-1], found[-1])


def learn_from_many(rows: Rows, labels: IntArray, label_count: int, settings: LearningSettings) -> Linear:
    """Return nearly the weights that `learn` does, in a third of the time: learn from every fifth text, then go on.

    Every fifth text counts five times at first, so that both searches are for the same weights.
    """
    some = replace(settings, closeness=settings.closeness * _EVERY, iterations=2 * _FEW_ITERATIONS)
    rough = learn(rows[::_EVERY], labels[::_EVERY], label_count, some)
    return learn(rows, labels, label_count, replace(settings, iterations=_FEW_ITERATIONS), begin=rough)


def _lowest(objective: "_Objective", start: Weights, iterations: int, tolerance: float) -> Weights:
    """Return where the objective is (nearly) lowest: its relative gain per step has fallen to `tolerance`."""
    here, value, slope = start, *objective(start)
    memory: deque[tuple[Weights, Weights, float]] = deque(maxlen=_MEMORY)
    for _ in range(iterations):
        direction = _direction(slope, memory)
        fall = _dot(slope, direction)
        length = 1.0 if memory else min(1.0, 1.0 / max(_dot(slope, slope) ** 0.5, 1.0))
        there, new_value, new_slope = _step(objective, here, direction, length)
        while new_value > value + _ENOUGH * length * fall:
            length /= 2
            if length < _SHORTEST:
                return here
            there, new_value, new_slope = _step(objective, here, direction, length)
        moved, turned = there - here, new_slope - slope
        curvature = _dot(moved, turned)
        if curvature > 0:
            memory.append((moved, turned, curvature))
        gain, scale = value - new_value, max(abs(value), 1.0)
        here, value, slope = there, new_value, new_slope
        if gain <= tolerance * scale:
            break
    return here


def _step(objective: "_Objective", here: Weights, direction: Weights, length: float) -> tuple[Weights, float, Weights]:
    """Return the place reached, with value and slope there."""
    there = here + np.float32(length) * direction
    return there, *objective(there)


def _direction(slope: Weights, memory: deque[tuple[Weights, Weights, float]]) -> Weights:
    """Return the way down that the last moves suggest (two loops: Nocedal 1980, Math. Comput. 35:773)."""
    way = -slope
    taken = []
    for moved, turned, curvature in reversed(memory):
        taken.append(_dot(moved, way) / curvature)
        way -= np.float32(taken[-1]) * turned
    if memory:
        _, turned, curvature = memory[-1]
        way *= np.float32(curvature / _dot(turned, turned))
    for (moved, turned, curvature), share in zip(memory, reversed(taken), strict=True):
        way += np.float32(share - _dot(turned, way) / curvature) * moved
    return way


def _dot(one: Weights, other: Weights) -> float:
    return float(np.dot(one, other))


class _Objective:
    """What is made small, and its slope, as a function of features (and one level) by labels."""

    def __init__(self, rows: Rows, labels: IntArray, label_count: int, settings: LearningSettings) -> None:
        self._rows = rows
        self._columns = rows.T
        self._shape = (rows.shape[1] + 1, label_count)
        self._closeness = settings.closeness
        is_label = labels[:, None] == np.arange(label_count)
        self._sign: Weights = np.where(is_label, np.float32(1), np.float32(-1))
        self._importance: Weights = np.where(is_label, _rarity(labels, label_count, settings)[:, None], np.float32(1))

    def __call__(self, flat: Weights) -> tuple[float, Weights]:
        unknowns = flat.reshape(self._shape)
        margins = self._rows @ unknowns[:-1] + unknowns[-1]
        shortfall = np.maximum(np.float32(0), np.float32(1) - self._sign * margins)
        pull = self._importance * shortfall
        loss = float(np.sum(pull * shortfall, dtype=np.float64))
        pull *= np.float32(-2 * self._closeness) * self._sign
        slope = unknowns.copy()
        slope[:-1] += self._columns @ pull
        slope[-1] += pull.sum(axis=0)
        return self._closeness * loss + 0.5 * _dot(flat, flat), slope.ravel()


def _rarity(labels: IntArray, label_count: int, settings: LearningSettings) -> npt.NDArray[np.float32]:
    """Return how much each text weighs where it speaks for its own label."""
    texts_with = np.maximum(np.bincount(labels, minlength=label_count), settings.rarest_texts)
    fair_share = len(labels) / label_count
    return np.asarray((fair_share / texts_with[labels]) ** settings.rarity_power, dtype=np.float32)
