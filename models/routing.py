# SPDX-License-Identifier: Apache-2.0
"""Which team takes a complaint, and how thoroughly it is looked into: the first row that fits wins."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from models.agency import Id, Line
from models.messages import Message
from models.terms import Track

ANYTHING: Final = "*"
NOT_STATED: Final = ""
"""What a complaint has where nobody has said, and what stands for every word no row mentions."""
AXES: Final = ("service", "category", "severity", "office")

Box = Mapping[str, frozenset[str]]
"""A set of complaints: on each axis the values it takes in."""


class RoutingRule(Message):
    """One row of policy/routing.csv; `*` fits anything, also what is not stated."""

    service: str
    category: str
    severity: str
    office: str
    team: Id
    track: Track
    because: Line

    def fits(self, complaint: Mapping[str, str]) -> bool:
        """Return whether the row is about a complaint with these values on the four axes."""
        return all(getattr(self, axis) in {ANYTHING, complaint[axis]} for axis in AXES)


class NowhereToGo(LookupError):
    """No row fits; a policy that passed its check always has one."""


def first_fit(
    rules: Sequence[RoutingRule],
    *,
    service: str | None = None,
    category: str | None = None,
    severity: str | None = None,
    office: str | None = None,
) -> RoutingRule:
    """Return the first row that fits; what is not known is None, and fits only `*`."""
    complaint = {
        "service": service or NOT_STATED,
        "category": category or NOT_STATED,
        "severity": severity or NOT_STATED,
        "office": office or NOT_STATED,
    }
    for rule in rules:
        if rule.fits(complaint):
            return rule
    raise NowhereToGo(f"No row of the routing table fits {complaint}.")


def unreachable(rules: Sequence[RoutingRule]) -> dict[int, int | None]:
    """Return the rows that can never win: their index, and the one earlier row to blame, or None if several are."""
    everything = _everything(rules)
    lost: dict[int, int | None] = {}
    for index, rule in enumerate(rules):
        own = _box(rule, everything)
        if not _left_over([own], rules[:index], everything):
            alone = (i for i, other in enumerate(rules[:index]) if not _without(own, _box(other, everything)))
            lost[index] = next(alone, None)
    return lost


def homeless(rules: Sequence[RoutingRule]) -> dict[str, str] | None:
    """Return an example of a complaint that no row fits, or None if every complaint lands."""
    everything = _everything(rules)
    left = _left_over([everything], rules, everything)
    return {axis: min(left[0][axis]) for axis in AXES} if left else None


def _everything(rules: Iterable[RoutingRule]) -> Box:
    """Return the box of all complaints; values that no row mentions behave alike, so one stands for all."""
    return {axis: frozenset({getattr(rule, axis) for rule in rules} - {ANYTHING} | {NOT_STATED}) for axis in AXES}


def _box(rule: RoutingRule, everything: Box) -> Box:
    said = {axis: getattr(rule, axis) for axis in AXES}
    return {axis: everything[axis] if said[axis] == ANYTHING else frozenset({said[axis]}) for axis in AXES}


def _left_over(boxes: list[Box], rules: Sequence[RoutingRule], everything: Box) -> list[Box]:
    for rule in rules:
        boxes = [piece for box in boxes for piece in _without(box, _box(rule, everything))]
    return boxes


def _without(box: Box, taken: Box) -> list[Box]:
    """Return what is left of a box when another is cut out of it, as boxes that do not overlap."""
    if any(box[axis].isdisjoint(taken[axis]) for axis in AXES):
        return [box]
    pieces: list[Box] = []
    core = dict(box)
    for axis in AXES:
        if outside := core[axis] - taken[axis]:
            pieces.append(core | {axis: outside})
        core[axis] &= taken[axis]
    return pieces
