# SPDX-License-Identifier: Apache-2.0
"""From margins to chances that hold, and to sets of labels that hold the right one as often as promised.

Chances: a sigmoid of each label's margin, one steepness and one level for all labels (Platt 1999, Adv. Large Margin
Classif. 61), divided by their sum (Zadrozny & Elkan 2002, KDD 694); then raised to a power and times a factor per label
(vector scaling: Guo et al. 2017, ICML, PMLR 70:1321), for learning gave rare labels more weight than they have. Sets:
every label whose chance reaches a limit set so that the true label of a case not yet seen is in the set at least
`coverage` of the time, whatever the chances are worth (split-conformal: Vovk, Gammerman & Shafer 2005; Sadinle, Lei &
Wasserman 2019, JASA 114:223). All of it needs margins of texts the weights were not learnt from.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from analytics.arrays import BoolArray, FloatArray, IntArray

_LEAST = 1e-6
"""No label is impossible."""


@dataclass(frozen=True, slots=True)
class Link:
    """How margins become chances; `factors` are logarithms, one per label.

    `doubt` is shared out evenly over the labels: n texts cannot teach that something never fails, and a text one has
    learnt from has greater margins than it deserves. It is 1 / (n + 2), Laplace's rule of succession.
    """

    steepness: float
    level: float
    power: float
    factors: tuple[float, ...]
    doubt: float

    def chances(self, margins: FloatArray) -> FloatArray:
        """Return texts by labels, each text's chances adding up to 1."""
        scaled = self.power * _log_shares(margins, self.steepness, self.level) + np.array(self.factors)
        return np.asarray((1.0 - self.doubt) * special.softmax(scaled, axis=1) + self.doubt / margins.shape[1])


def link_for(margins: FloatArray, labels: IntArray) -> Link:
    """Return the link under which the labels are likeliest, factors held near 1 by a normal prior of spread 1."""
    own = np.arange(len(labels))
    label_count = margins.shape[1]

    def unlikelihood(unknowns: FloatArray) -> float:
        return float(-_log_shares(margins, math.exp(unknowns[0]), float(unknowns[1]))[own, labels].mean())

    sigmoid = optimize.minimize(
        unlikelihood, np.array([1.5, 0.0]), method="Nelder-Mead", bounds=[(-3.0, 4.0), (-10.0, 10.0)]
    ).x
    steepness, level = math.exp(sigmoid[0]), float(sigmoid[1])
    shares = _log_shares(margins, steepness, level)

    def penalised(unknowns: FloatArray) -> tuple[float, FloatArray]:
        scaled = unknowns[0] * shares + unknowns[1:]
        log_chances = special.log_softmax(scaled, axis=1)
        excess = np.exp(log_chances)
        excess[own, labels] -= 1.0
        slope = np.concatenate([[np.vdot(excess, shares)], excess.sum(axis=0) + unknowns[1:]])
        return float(-log_chances[own, labels].sum() + 0.5 * np.vdot(unknowns[1:], unknowns[1:])), slope

    begin = np.concatenate([[1.0], np.zeros(label_count)])
    found = optimize.minimize(
        penalised, begin, jac=True, method="L-BFGS-B", bounds=[(0.1, 10.0), *[(None, None)] * label_count]
    ).x
    factors = tuple(float(factor) for factor in found[1:])
    return Link(steepness, level, float(found[0]), factors, doubt=1.0 / (len(labels) + 2))


def _log_shares(margins: FloatArray, steepness: float, level: float) -> FloatArray:
    """Return the logarithms of each text's sigmoids over their sum."""
    each = np.log(special.expit(steepness * margins + level) + _LEAST)
    return np.asarray(each - special.logsumexp(each, axis=1, keepdims=True))


def handicaps_for(label_chances: FloatArray, labels: IntArray) -> tuple[float, ...]:
    """Return by how much (a logarithm) each label's chance is held back when one label is chosen.

    A frequent label is held back by a power of its frequency (logit adjustment: Menon et al. 2021, ICLR), the one of
    0, 0.1, … 1 under which accuracy and macro-F1 together are best, so that rare labels are found too.
    """
    label_count = label_chances.shape[1]
    frequency = np.log((np.bincount(labels, minlength=label_count) + 1) / (len(labels) + label_count))
    log_chances = np.log(label_chances)

    def worth(power: float) -> float:
        chosen = (log_chances - power * frequency).argmax(axis=1)
        return float((chosen == labels).mean()) + macro_f1(chosen, labels)

    best = max(np.linspace(0.0, 1.0, 11), key=worth)
    return tuple(float(value) for value in best * frequency)


def macro_f1(chosen: IntArray, labels: IntArray) -> float:
    """Return the mean over the labels that occur of each label's F1, the harmonic mean of precision and recall."""
    count = int(max(chosen.max(), labels.max())) + 1
    hits = np.bincount(labels[chosen == labels], minlength=count)
    both = np.bincount(chosen, minlength=count) + np.bincount(labels, minlength=count)
    occurs = np.bincount(labels, minlength=count) > 0
    return float((2 * hits[occurs] / both[occurs]).mean())


def limit_for(label_chances: FloatArray, labels: IntArray, coverage: float) -> float:
    """Return the limit a label's chance must reach to be in the set; 0 when too few texts stand behind it."""
    own = np.sort(label_chances[np.arange(len(labels)), labels])
    below = math.floor((len(own) + 1) * (1.0 - coverage))
    return float(own[below - 1]) if below >= 1 else 0.0


def label_sets(label_chances: FloatArray, limit: float) -> BoolArray:
    """Return texts by labels: which labels are in each text's set; the likeliest always is."""
    likeliest = label_chances.argmax(axis=1)[:, None] == np.arange(label_chances.shape[1])
    return np.asarray((label_chances >= limit) | likeliest)


def calibration_error(confidence: FloatArray, is_right: BoolArray, *, bin_count: int = 15) -> float:
    """Return the expected calibration error: |share right - mean confidence| over equal bins, by their texts.

    As Guo et al. 2017, equation 5.
    """
    bins = np.minimum((confidence * bin_count).astype(np.int64), bin_count - 1)
    difference = np.bincount(bins, weights=is_right.astype(np.float64) - confidence, minlength=bin_count)
    return float(np.abs(difference).sum() / len(confidence))
