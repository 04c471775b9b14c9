# SPDX-License-Identifier: Apache-2.0
"""Codes that come in, checked against the policy of the case: every one that it does not know is named at once."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from api.problems import Unprocessable
from api.shapes import FieldFault
from models.policy import Policy
from models.taxonomy import Kind

_WHAT = {
    Kind.INTAKE: "what people complain about",
    Kind.FAILURE: "process failures",
    Kind.CAUSE: "contributing causes",
    Kind.NON_FAILURE: "reasons without a failure",
}


class CodeCheck:
    """Collects the codes that a policy does not know; None is always fine."""

    def __init__(self, policy: Policy, on: date) -> None:
        self._policy = policy
        self._on = on
        self._faults: list[FieldFault] = []

    def service(self, field: str, code: str | None) -> None:
        """Check a service."""
        self._among(field, code, [service.id for service in self._policy.agency.services], "services")

    def office(self, field: str, code: str | None) -> None:
        """Check an office."""
        self._among(field, code, [office.id for office in self._policy.agency.offices], "offices")

    def team(self, field: str, code: str | None) -> None:
        """Check a team."""
        self._among(field, code, [team.id for team in self._policy.agency.teams], "teams")

    def channel(self, field: str, code: str | None) -> None:
        """Check a channel."""
        self._among(field, code, [channel.id for channel in self._policy.agency.channels], "channels")

    def language(self, field: str, code: str | None) -> None:
        """Check a language."""
        self._among(field, code, self._policy.agency.languages, "languages")

    def term(self, field: str, code: str | None, kind: Kind) -> None:
        """Check a code of the taxonomy that may be given on this day."""
        if code is None:
            return
        known = [term.code for term in self._policy.taxonomy.of(kind, on=self._on)]
        if code not in known:
            self.refuse(field, f"'{field}': '{code}' is not among the codes for {_WHAT[kind]}: {', '.join(known)}.")

    def person(self, field: str, name: str | None, people: Collection[str]) -> None:
        """Check the account name of somebody whom work can be given to."""
        if name is not None and name not in people:
            self.refuse(field, f"'{field}': '{name}' is not among the people here who take cases.")

    def refuse(self, field: str, sentence: str) -> None:
        """Add a fault of another kind."""
        self._faults.append(FieldFault(field=field, sentence=sentence))

    def done(self) -> None:
        """Raise Unprocessable if anything was found."""
        if self._faults:
            raise Unprocessable(self._faults)

    def _among(self, field: str, code: str | None, known: Collection[str], what: str) -> None:
        if code is not None and code not in known:
            self.refuse(field, f"'{field}': '{code}' is not among the {what} of this agency: {', '.join(known)}.")
