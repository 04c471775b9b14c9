# SPDX-License-Identifier: Apache-2.0
"""The weekly looks that the demonstration's past has had, and what its people did about what was found.

Two planted failures were flagged long ago and taken up by fixes, of which one works and one does not; the looks of the
last weeks find the third, which waits for a decision. Every look counts what was known on its day.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.database import transaction
from activities.fix_history import FixStory, count_lists_as_told, fix_under, hand_over, write_fix
from activities.fix_records import DatabaseFixRecords, append_fix_events, lock_fix
from activities.interface import EffectLook, FixBatch, RootCauseLook, RootCauseRun
from activities.policies import Policies
from activities.root_causes import DatabaseRootCauses
from api.past import past_of
from api.planning import candidates, counted_since
from api.reads.cells import cells_since
from api.reads.signals import Viewed, began_and_raised, standings_of
from api.writes.registers import Decided, decide_signal
from models.aggregates import monday_of
from models.fixes import lifecycle
from models.fixes.cells import by_kind, families_of, family_of
from models.fixes.commands import CellRef, Effect, LinkSignal, Plan
from models.fixes.fix import Fix, FixEvent
from models.fixes.story import apply
from models.fixes.watching import Rhythm, judged_by
from models.policy import Policy
from models.references import uuid7_at
from models.signals import Waiting
from models.tables.fixes import fix_file
from models.tables.signals import signal, signal_decision
from run.demonstration.fix_lives import FixLife, FixWorld, TakenUp, decided_at
from run.demonstration.lives import SUE
from run.demonstration.mending import MENDINGS, Mending
from run.demonstration.plan import Setting
from run.demonstration.themes import Planting

LOOKS_AFTER_WEEKS: Final = (4, 6)
"""So many weeks after an earlier failure flared up, the looks are made that find it."""
WEEKS_LOOKED_BACK: Final = 2
_TRANSITION_WEEKS: Final = 2
_WEEKS_TO_LOOK: Final = 26
"""After so many weeks it is said at the latest whether a change works, where the power table names none."""
_KNOWN_CAUSE: Final = "The same as what the fix is for."
_STILL_KNOWN: Final = "There is more of it by now, and it is what the fix is for all the same."
_CHANCE: Final = "We read the complaints behind it: they have nothing in common."


@dataclass(frozen=True, slots=True)
class Found:
    """A signal that a look raised."""

    id: UUID
    cell: CellRef
    region: str | None
    raised_on: date

    def planted(self, planting: Planting, policy: Policy) -> CellRef | None:
        """Return what a planted failure brings of what the signal counts; None where it has not raised the signal.

        A signal of the whole agency may be anybody's: it must be of the failure's office, region, service or code.
        """
        theme, cell = planting.theme, self.cell
        code = theme.failure if cell.measure == "cause" else theme.category
        planted = CellRef(
            measure=cell.measure,
            family=family_of(cell.measure, code, families_of(policy)),
            code=code,
            service=theme.service,
            office=planting.office,
        )
        regions = {office.id: office.region for office in policy.agency.offices}
        is_there = self.region in {None, regions.get(planting.office)}
        is_somewhere = bool(cell.office or cell.service or cell.code or self.region)
        return planted if cell.contains(planted) and is_there and is_somewhere else None


class LookingBack:
    """The looks of the story's past, and the fixes that came of them."""

    def __init__(
        self, owner: AsyncEngine, worker: AsyncEngine, policy: Policy, setting: Setting, now: datetime
    ) -> None:
        self._owner = owner
        self._worker = worker
        self._policy = policy
        self._setting = setting
        self._now = now
        self._agency = policy.agency.slug
        self._looks = DatabaseRootCauses(worker, Policies())
        self._records = DatabaseFixRecords(worker, Policies())

    async def look_back(self) -> None:
        """Make the looks and lead the fixes; what is in the record already is left as it is."""
        written = await self._lead_fixes()
        for weeks_ago in reversed(range(WEEKS_LOOKED_BACK)):
            await self._look(self._setting.today - timedelta(days=1, weeks=weeks_ago))
        async with transaction(self._owner, self._agency) as connection:
            for mending in written:
                await self._link_what_came_later(connection, mending)
            for mending in MENDINGS:
                fix_id = await fix_under(connection, self._agency, self._key(mending))
                if fix_id is not None:
                    await hand_over(connection, self._agency, fix_id)

    # ---- the earlier failures ----------------------------------------------------------------------------------------

    async def _lead_fixes(self) -> list[Mending]:
        """Look as was looked then and write the fixes' lives; return which were written now."""
        async with transaction(self._owner, self._agency) as connection:
            missing = [one for one in MENDINGS if await fix_under(connection, self._agency, self._key(one)) is None]
        for day in sorted({day for mending in missing for day in self._days_of_looks(mending)}):
            await self._look(day)
        found = {mending.name: await self._found(mending) for mending in missing}
        written = [mending for mending in missing if found[mending.name]]
        # Looks at effects are arithmetic that shares the processors.
        stories = await asyncio.gather(*(self._lived(mending, found[mending.name]) for mending in written))
        for mending, story in zip(written, stories, strict=True):
            await self._write(mending, story, found[mending.name])
        async with transaction(self._owner, self._agency) as connection:
            for one in await self._undecided(connection, self._days_of_looks(MENDINGS[-1])[-1]):
                await self._decide(
                    connection, one, "reject", _CHANCE, decided_at(one.raised_on, self._setting.calendar)
                )
        return written

    async def _found(self, mending: Mending) -> list[Found]:
        """Return the signals that the failure has raised until its fix is opened."""
        async with transaction(self._owner, self._agency) as connection:
            found = await self._undecided(connection, self._days_of_looks(mending)[-1])
        return [one for one in found if one.planted(mending.planting, self._policy)]

    async def _lived(self, mending: Mending, found: Sequence[Found]) -> FixStory:
        first = found[0]
        at = decided_at(first.raised_on, self._setting.calendar)
        randomness = hashlib.sha256(self._key(mending).encode()).digest()[:10]
        world = FixWorld(
            agency=self._agency,
            calendar=self._setting.calendar,
            rhythm=Rhythm(
                time_zone=self._policy.agency.time_zone,
                hour=self._policy.surveillance.run_hour,
                watch_weeks=self._policy.surveillance.watch_weeks,
            ),
            until=self._setting.until,
            look=self._effect_of,
            propose=self._plan_for,
        )
        life = FixLife(uuid7_at(at, randomness), self._key(mending), mending, world)
        signals = tuple(
            TakenUp(one.id, one.cell, one.planted(mending.planting, self._policy) or one.cell, one.raised_on)
            for one in found
        )
        return await life.live(signals, at, self._changed_on(mending))

    async def _write(self, mending: Mending, story: FixStory, found: Sequence[Found]) -> None:
        async with transaction(self._owner, self._agency) as connection:
            await write_fix(connection, story, self._policy)
            for number, one in enumerate(found):
                reason = mending.reason if number == 0 else _KNOWN_CAUSE
                at = max(story.events[0].at, decided_at(one.raised_on, self._setting.calendar))
                # The first is what the fix was opened for; the others' cause was known by then.
                fix = (None, mending.title, SUE.name) if number == 0 else (str(story.fix.id), None, None)
                await self._decide(connection, one, "accept", reason, at, fix)
            await self._say_it_again(connection, mending, story, found)

    async def _say_it_again(
        self, connection: AsyncConnection, mending: Mending, story: FixStory, found: Sequence[Found]
    ) -> None:
        """Have the supervisor say of what has grown since that its cause is known all the same."""
        looked_on = self._days_of_looks(mending)[-1]
        at = decided_at(looked_on, self._setting.calendar)
        standings = await standings_of(connection, [one.id for one in found], Viewed.under(self._policy, looked_on))
        for one in found:
            if standings[one.id].why is Waiting.GROWN:
                fix = (str(story.fix.id), None, None)
                await self._decide(connection, one, "accept", _STILL_KNOWN, at, fix, key="again")

    # ---- the last weeks ----------------------------------------------------------------------------------------------

    async def _link_what_came_later(self, connection: AsyncConnection, mending: Mending) -> None:
        """Have the supervisor link signals of the last weeks to the fix that deals with their failure already."""
        fix_id = await fix_under(connection, self._agency, self._key(mending))
        assert fix_id is not None
        await lock_fix(connection, fix_id)
        snapshot = await connection.scalar(select(fix_file.c.snapshot).where(fix_file.c.fix_id == fix_id))
        fix, events = Fix.model_validate(snapshot), list[FixEvent]()
        for one in await self._undecided(connection, self._setting.today):
            at = max(decided_at(one.raised_on, self._setting.calendar), fix.last_event_at or self._now)
            if not one.planted(mending.planting, self._policy) or at > self._setting.until:
                continue
            link = LinkSignal(actor=SUE, key=f"step-{fix.sequence + 1}", signal_id=one.id, cells=(one.cell,))
            events.append(lifecycle.decide(fix, link, at))
            fix = apply(fix, events[-1])
            await self._decide(connection, one, "accept", _KNOWN_CAUSE, at, (str(fix_id), None, None))
        if events:
            batch = FixBatch(agency=self._agency, fix_id=fix_id, events=tuple(events))
            await append_fix_events(connection, batch)
            await count_lists_as_told(connection, fix_id, self._policy)

    # ---- small helps -------------------------------------------------------------------------------------------------

    async def _look(self, day: date) -> None:
        run = RootCauseRun(agency=self._agency, as_of=day)
        await self._looks.flag_recurring_failures(RootCauseLook(run=run, asked_at=self._now))

    async def _effect_of(self, fix: Fix, as_of: date) -> Effect:
        return await self._records.look_at_effect(EffectLook(agency=self._agency, fix=fix, as_of=as_of))

    async def _plan_for(self, signal: TakenUp, reduction: float, on: date, changed_on: date) -> Plan:
        """Return the plan that the form would have proposed on that day."""
        async with transaction(self._worker, self._agency) as connection:
            counts = await cells_since(connection, counted_since(on), on)
            raised = await began_and_raised(connection, [signal.signal_id])
        assert raised is not None
        kinds = by_kind(counts, self._policy)
        targets = (signal.where,)
        controls = tuple(one.ref for one in candidates(targets, kinds, self._policy) if one.is_proposed)
        past = past_of(targets, controls, kinds, on, planned_on=changed_on, trigger=raised.by)
        weeks = past.weeks_needed(reduction) or _WEEKS_TO_LOOK
        return Plan(
            targets=targets,
            controls=controls,
            baseline_rate=round(past.per_week, 3),
            target_reduction=reduction,
            change_planned_on=changed_on,
            transition_weeks=_TRANSITION_WEEKS,
            trigger_from=raised.by[0],
            trigger_until=raised.by[1],
            look_on=judged_by(changed_on, _TRANSITION_WEEKS, weeks),
        )

    async def _undecided(self, connection: AsyncConnection, until: date) -> list[Found]:
        """Return the signals raised until a day that nobody has decided on; causes first, the narrowest first."""
        decided = select(signal_decision.c.id).where(signal_decision.c.signal_id == signal.c.id).exists()
        wanted: tuple[ColumnElement[bool], ...] = (
            signal.c.agency == self._agency,
            signal.c.raised_on <= until,
            ~decided,
        )
        found = [
            Found(
                row.id,
                _cell(row.measure, row.family, row.code, row.service, row.office),
                row.region,
                row.raised_on,
            )
            for row in await connection.execute(select(signal).where(*wanted))
        ]
        return sorted(found, key=lambda one: (one.cell.measure, -_narrowness(one.cell), one.raised_on, str(one.id)))

    async def _decide(
        self,
        connection: AsyncConnection,
        one: Found,
        decision: str,
        reason: str,
        at: datetime,
        fix: tuple[str | None, str | None, str | None] = (None, None, None),
        *,
        key: str = "",
    ) -> None:
        decided = Decided(
            agency=self._agency,
            signal_id=one.id,
            decision=decision,
            reason=reason,
            defer_until=None,
            fix=fix,
            decided_by=SUE.name,
            decided_at=at,
            key=f"{self._setting.name}/{one.id}/{key}".rstrip("/"),
        )
        await decide_signal(connection, decided)

    def _key(self, mending: Mending) -> str:
        return f"demo:{self._setting.name}:{mending.name}"

    def _changed_on(self, mending: Mending) -> date:
        return monday_of(self._setting.today - timedelta(days=mending.planting.changed_days_ago))

    def _days_of_looks(self, mending: Mending) -> list[date]:
        """Return the Sundays as of which the looks are made that find the failure."""
        flares = monday_of(self._setting.today - timedelta(days=mending.planting.flares_days_ago))
        return [flares + timedelta(weeks=weeks, days=-1) for weeks in LOOKS_AFTER_WEEKS]


def _cell(measure: str, family: str | None, code: str | None, service: str | None, office: str | None) -> CellRef:
    told = {"measure": measure, "family": family, "code": code, "service": service, "office": office}
    return CellRef.model_validate(told)


def _narrowness(cell: CellRef) -> int:
    return sum(part is not None for part in (cell.code, cell.service, cell.office))
