# SPDX-License-Identifier: Apache-2.0
"""Deciding on a signal. What is accepted is dealt with by a fix, opened or found in the same request, once per key."""

from __future__ import annotations

from uuid import UUID

from api.acting import key_for
from api.cells import name_of_cell
from api.fixing import act_on_fix, cell_of, opening_of
from api.problems import NotFound, Unprocessable
from api.reads.fixes import fix_by_id, fixes_of_signals
from api.reads.people import Staff
from api.reads.signals import SignalRow, signal_by_id
from api.services import Services
from api.shapes import FieldFault
from api.shapes_fixes import FixAsked, LinkSignalAsked
from api.shapes_registers import DecisionAsked
from api.writes.fixes import one_at_a_time, open_fix
from api.writes.registers import Decided, decide_signal, is_decided
from models.fixes.terms import FixAction
from models.refusals import AlreadyDone


async def decide_on(services: Services, staff: Staff, signal_id: UUID, asked: DecisionAsked, *, key: str) -> None:
    """Write a decision, once per key; raises NotFound, Unprocessable, Refused, Busy or RecordAway."""
    now = services.clock()
    policy = (await services.policies.current(staff.agency, now)).policy
    if asked.defer_until is not None and asked.defer_until <= policy.calendar.local_date(now):
        raise Unprocessable([FieldFault(field="defer_until", sentence="'defer_until': name a day to come.")])
    signal = await _signal(services, staff, signal_id)
    if asked.decision == "accept" and asked.fix_id is None:
        title = asked.fix_title or name_of_cell(cell_of(signal), policy)
        told = FixAsked(title=title, owner=asked.fix_owner, signal_id=signal_id, reason=asked.reason)
        await accept_and_open(services, staff, signal, told, key=key)
        return
    decided = _decided(services, staff, signal_id, asked, key)
    if asked.fix_id is not None:
        await _link(services, staff, decided, asked.fix_id, key)
    async with services.database.of(staff.agency) as connection:
        await decide_signal(connection, decided)


async def open_asked(services: Services, staff: Staff, asked: FixAsked, *, key: str) -> UUID:
    """Open a fix, for a signal or for none, once per key; return its id. It is durable whatever state Temporal is in.

    Raises NotFound, Unprocessable, Refused or RecordAway.
    """
    if asked.signal_id is not None:
        signal = await _signal(services, staff, asked.signal_id)
        return await accept_and_open(services, staff, signal, asked, key=key)
    opening = await opening_of(services, staff, asked, None, key=key)
    async with services.database.of(staff.agency) as connection:
        return await open_fix(
            connection,
            opening.command,
            opening.texts,
            request_hash=opening.request_hash,
            opened_at=services.clock(),
        )


async def accept_and_open(services: Services, staff: Staff, signal: SignalRow, asked: FixAsked, *, key: str) -> UUID:
    """Accept a signal and open the fix that deals with it, both or neither; return the fix's id."""
    assert asked.reason is not None
    opening = await opening_of(services, staff, asked, signal, key=key)
    accepted = DecisionAsked(decision="accept", reason=asked.reason, fix_title=asked.title, fix_owner=asked.owner)
    decided = _decided(services, staff, signal.id, accepted, key)
    async with services.database.of(staff.agency) as connection:
        # Two who accept the same signal at once must not open two fixes.
        await one_at_a_time(connection, f"signal/{signal.id}")
        dealt_with = (await fixes_of_signals(connection, [signal.id])).get(signal.id)
        was_decided = await is_decided(connection, decided)
        if dealt_with is not None and dealt_with.is_open and not was_decided:
            raise AlreadyDone("An open fix deals with this signal already; link the signal to that fix instead.")
        fix_id = await open_fix(
            connection,
            opening.command,
            opening.texts,
            request_hash=opening.request_hash,
            opened_at=decided.decided_at,
        )
        await decide_signal(connection, decided)
    return fix_id


async def _signal(services: Services, staff: Staff, signal_id: UUID) -> SignalRow:
    async with services.database.of(staff.agency) as connection:
        signal = await signal_by_id(connection, signal_id)
    if signal is None:
        raise NotFound("There is no such signal.")
    return signal


async def _link(services: Services, staff: Staff, decided: Decided, fix_id: UUID, key: str) -> None:
    """Link the signal to a fix, before the decision is written: while nobody can link it, nothing is decided."""
    async with services.database.of(staff.agency) as connection:
        was_decided = await is_decided(connection, decided)
        fix = await fix_by_id(connection, fix_id)
        dealt_with = (await fixes_of_signals(connection, [decided.signal_id])).get(decided.signal_id)
    if fix is None:
        raise Unprocessable([FieldFault(field="fix_id", sentence=f"'fix_id': there is no fix '{fix_id}' here.")])
    if dealt_with is not None and dealt_with.is_open and dealt_with.fix_id != fix_id and not was_decided:
        raise AlreadyDone("Another open fix deals with this signal already.")
    if decided.signal_id not in fix.signals:
        asked = LinkSignalAsked(action=FixAction.LINK_SIGNAL, signal_id=decided.signal_id)
        await act_on_fix(services, staff.agency, staff.actor, fix_id, asked, key=key)


def _decided(services: Services, staff: Staff, signal_id: UUID, asked: DecisionAsked, key: str) -> Decided:
    return Decided(
        agency=staff.agency,
        signal_id=signal_id,
        decision=asked.decision,
        reason=asked.reason,
        defer_until=asked.defer_until,
        fix=(str(asked.fix_id) if asked.fix_id else None, asked.fix_title, asked.fix_owner),
        decided_by=staff.name,
        decided_at=services.clock(),
        key=key_for(staff.actor, key),
    )
