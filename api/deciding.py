# SPDX-License-Identifier: Apache-2.0
"""Deciding on a signal, and laying evidence beside it. Each is done once per key.

What is accepted is dealt with by a fix, opened or found in the same request.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from api.acting import key_for
from api.fixing import act_on_fix, name_of_signal, opening_of
from api.problems import NotFound, Unprocessable
from api.reads.fixes import FixOfSignal, FixRow, fix_by_id, fixes_of_signals, open_fixes_of
from api.reads.people import Staff
from api.reads.signal_cases import twins_of
from api.reads.signals import SignalRow, Viewed, signal_by_id
from api.services import Services
from api.shapes import FieldFault
from api.shapes_fixes import FixAsked, LinkSignalAsked
from api.shapes_signals import DecisionAsked, SignalEvidenceAsked
from api.writes.evidence import Attached, attach_evidence
from api.writes.fixes import one_at_a_time, open_fix
from api.writes.registers import Decided, decide_signal, is_decided
from models.fixes.terms import FixAction
from models.messages import sha256
from models.policy import Policy
from models.refusals import AlreadyDone, SameMatter
from models.wording import english_day


async def decide_on(services: Services, staff: Staff, signal_id: UUID, asked: DecisionAsked, *, key: str) -> None:
    """Write a decision, once per key; raises NotFound, Unprocessable, Refused, Busy or RecordAway."""
    now = services.clock()
    policy = (await services.policies.current(staff.agency, now)).policy
    if asked.defer_until is not None:
        _check_defer(asked.defer_until, policy, now)
    signal = await _signal(services, staff, signal_id)
    if asked.decision == "accept" and asked.fix_id is None:
        title = asked.fix_title or name_of_signal(signal, policy)
        told = FixAsked(title=title, owner=asked.fix_owner, signal_id=signal_id, reason=asked.reason)
        await _accept_and_open(services, staff, signal, asked, told, key=key)
        return
    decided = _decided(services, staff, signal_id, asked, key)
    if asked.fix_id is not None:
        await _link(services, staff, decided, asked.fix_id, key)
    async with services.database.of(staff.agency) as connection:
        await decide_signal(connection, decided)


async def attach(services: Services, staff: Staff, signal_id: UUID, asked: SignalEvidenceAsked, *, key: str) -> None:
    """Lay evidence beside a signal, once per key; raises NotFound, Unprocessable, KeyReused or RecordAway."""
    now = services.clock()
    policy = (await services.policies.current(staff.agency, now)).policy
    if asked.gathered_on is not None and asked.gathered_on > policy.calendar.local_date(now):
        raise Unprocessable([FieldFault(field="gathered_on", sentence="'gathered_on': this day has not come yet.")])
    await _signal(services, staff, signal_id)
    attached = Attached(
        agency=staff.agency,
        signal_id=signal_id,
        source=asked.source,
        words=asked.words,
        people_count=asked.people_count,
        gathered_on=asked.gathered_on,
        added_by=staff.name,
        added_at=now,
        key=key_for(staff.actor, key),
    )
    async with services.database.of(staff.agency) as connection:
        await attach_evidence(connection, attached)


async def open_asked(services: Services, staff: Staff, asked: FixAsked, *, key: str) -> UUID:
    """Open a fix, for a signal or for none, once per key; return its id. It is durable whatever state Temporal is in.

    Raises NotFound, Unprocessable, Refused or RecordAway.
    """
    if asked.signal_id is not None:
        signal = await _signal(services, staff, asked.signal_id)
        assert asked.reason is not None
        accepted = DecisionAsked(
            decision="accept",
            reason=asked.reason,
            fix_title=asked.title,
            fix_owner=asked.owner,
            opens_second_fix=asked.opens_second_fix,
        )
        return await _accept_and_open(services, staff, signal, accepted, asked, key=key)
    opening = await opening_of(services, staff, asked, None, key=key)
    async with services.database.of(staff.agency) as connection:
        return await open_fix(
            connection,
            opening.command,
            opening.texts,
            request_hash=opening.request_hash,
            opened_at=services.clock(),
        )


async def _accept_and_open(
    services: Services, staff: Staff, signal: SignalRow, asked: DecisionAsked, told: FixAsked, *, key: str
) -> UUID:
    """Accept a signal and open the fix that deals with it, both or neither; return the fix's id.

    `told` is the fix with whatever was left out of `asked` filled in.
    """
    opening = await opening_of(services, staff, told, signal, key=key)
    decided = _decided(services, staff, signal.id, asked, key)
    # Of what was asked for, not of what was filled in: the name that we give a fix may be another one tomorrow.
    request_hash = sha256(decided.request_hash, (told.statement or "").encode())
    policy = (await services.policies.current(staff.agency, decided.decided_at)).policy
    at = Viewed.under(policy, policy.calendar.local_date(decided.decided_at))
    async with services.database.of(staff.agency) as connection:
        # Looked for before anybody has to wait: which signals are twins takes a while, whether a fix is open does not.
        twins = [pair.other_than(signal.id).id for pair in await twins_of(connection, signal, policy, at=at)]
    async with services.database.of(staff.agency) as connection:
        # Two who accept the same signal at once, or a signal and its twin, must not open two fixes.
        await one_at_a_time(connection, f"signals/{staff.agency}")
        if not await is_decided(connection, decided):
            dealt_with = (await fixes_of_signals(connection, [signal.id])).get(signal.id)
            of_twin = next(iter((await open_fixes_of(connection, twins)).values()), None)
            _refuse_what_is_dealt_with(dealt_with, of_twin, is_second=asked.opens_second_fix)
        fix_id = await open_fix(
            connection, opening.command, opening.texts, request_hash=request_hash, opened_at=decided.decided_at
        )
        await decide_signal(connection, decided)
    return fix_id


def _refuse_what_is_dealt_with(dealt_with: FixOfSignal | None, of_twin: FixRow | None, *, is_second: bool) -> None:
    """Raise AlreadyDone where an open fix deals with the signal, and SameMatter where one deals with its twin."""
    if dealt_with is not None and dealt_with.is_open:
        raise AlreadyDone(
            "An open fix deals with this signal already; choose “Known cause” to link the signal to that fix."
        )
    if of_twin is not None and not is_second:
        raise SameMatter(
            f"The fix “{of_twin.title}” is open for the same matter, which is seen in the other measure too. Choose "
            "“Known cause” and link this signal to it, or choose “Open a second fix” if that fix does not deal with "
            "this."
        )


def _check_defer(until: date, policy: Policy, now: datetime) -> None:
    """Raise Unprocessable for a day that is over, or later than a signal may be put off."""
    most = policy.surveillance.defer_at_most_working_days
    last = policy.calendar.local_date(policy.calendar.add_working_days(now, most))
    if until <= policy.calendar.local_date(now):
        sentence = "'defer_until': name a day to come."
    elif until > last:
        day = english_day(last)
        sentence = f"'defer_until': a signal is put off for {most} business days at most; name a day up to {day}."
    else:
        return
    raise Unprocessable([FieldFault(field="defer_until", sentence=sentence)])


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
