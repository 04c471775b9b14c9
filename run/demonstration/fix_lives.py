# SPDX-License-Identifier: Apache-2.0
"""How the demonstration's fixes are led: by the lifecycle's own rules, with the looks that the process makes by itself.

Once the change is in place the process looks at the effect every Monday, as the fix's workflow would have done, by the
counts as they were known then. The story ends where the complaints' story ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from activities.fix_history import FixStory
from models.commands import Actor
from models.fixes import lifecycle
from models.fixes.commands import (
    AddCause,
    AddEvidence,
    AddOption,
    ApproveWords,
    CellRef,
    ChooseOption,
    Describe,
    Effect,
    FinishMeasure,
    FixCommand,
    LinkSignal,
    Open,
    Plan,
    PlanMeasure,
    PutInPlace,
    Register,
    Translation,
)
from models.fixes.fix import Fix, FixEvent
from models.fixes.story import apply
from models.fixes.terms import FixState, Occasion
from models.fixes.watching import Rhythm, command_after, end_of_watch, next_look, watch_ends_at
from models.messages import ContentRef
from models.receiving import Text, text_of
from models.working_time import WorkingCalendar
from run.demonstration.lives import SUE
from run.demonstration.mending import AMY, LEO, InLanguages, Mending, Whys

DAYS_TO_DECIDE: Final = 2
DAYS_BETWEEN_STEPS: Final = 3
_INTO_THE_DAY: Final = timedelta(hours=2)
Look = Callable[[Fix, date], Awaitable[Effect]]
"""Looks at the effect as of the end of a day."""


@dataclass(frozen=True, slots=True)
class TakenUp:
    """A signal that a fix deals with."""

    signal_id: UUID
    cell: CellRef
    where: CellRef
    """Where exactly the failure is: what the plan is judged by."""
    raised_on: date


Propose = Callable[[TakenUp, float, date, date], Awaitable[Plan]]
"""Returns the plan that a signal asks for with a share to be reduced, as of a day, for a change on another."""


@dataclass(frozen=True, slots=True)
class FixWorld:
    """What a fix's life happens in."""

    agency: str
    calendar: WorkingCalendar
    rhythm: Rhythm
    until: datetime
    look: Look
    propose: Propose


def decided_at(raised_on: date, calendar: WorkingCalendar) -> datetime:
    """Return when the story's supervisor decides on a signal of that day."""
    return _in_the_morning(raised_on + timedelta(days=DAYS_TO_DECIDE), calendar)


def _in_the_morning(day: date, calendar: WorkingCalendar) -> datetime:
    """Return a moment of the first open day that is not before `day`."""
    return calendar.opening_at(calendar.next_open_day(day - timedelta(days=1))) + _INTO_THE_DAY


class FixLife:
    """One fix's life, up to the end of the story."""

    def __init__(self, fix_id: UUID, key: str, mending: Mending, world: FixWorld) -> None:
        self.fix = Fix(id=fix_id, agency=world.agency)
        self._key = key
        self._mending = mending
        self._world = world
        self._events: list[FixEvent] = []
        self._texts: list[Text] = []

    async def live(self, signals: Sequence[TakenUp], at: datetime, changed_on: date) -> FixStory:
        """Return the life, opened at a moment for the first signal; the others are linked when they are decided on."""
        self._open(signals[0], at)
        for signal in signals[1:]:
            link = LinkSignal(**self._by(SUE), signal_id=signal.signal_id, cells=(signal.cell,))
            self._do(link, decided_at(signal.raised_on, self._world.calendar))
        self._approve(Occasion.ACCEPTED, self._mending.told_at_acceptance)
        self._work_out()
        self._plan(changed_on)
        plan = await self._world.propose(signals[0], self._mending.reduction, self._next_morning().date(), changed_on)
        self._do_later(Register(**self._by(SUE), plan=plan))
        self._carry_out(changed_on)
        while self.fix.state is FixState.MONITORED and await self._process_looks():
            pass
        self._draw_conclusions()
        while await self._process_looks():
            pass
        return FixStory(self.fix, tuple(self._events), tuple(self._texts))

    # ---- the steps ---------------------------------------------------------------------------------------------------

    def _open(self, signal: TakenUp, at: datetime) -> None:
        opening = Open(
            actor=SUE,
            key=self._key,
            fix_id=self.fix.id,
            agency=self._world.agency,
            title=self._say("title", self._mending.title),
            owner=SUE.name,
            signal_id=signal.signal_id,
            cells=(signal.cell,),
        )
        self._do(opening, at)

    def _approve(self, occasion: Occasion, told: InLanguages) -> None:
        (_, first), *others = told.items()
        translations = [Translation(language=code, words=self._say(f"words-{code}", body)) for code, body in others]
        command = ApproveWords(
            **self._by(LEO), occasion=occasion, words=self._say("words", first), translations=tuple(translations)
        )
        self._do_later(command)

    def _work_out(self) -> None:
        told = self._mending
        self._do_later(Describe(**self._by(AMY), statement=self._say("statement", told.statement)))
        self._think_of(told.causes)
        for source, words, people in told.evidence:
            said = self._say("words", words)
            self._do_later(AddEvidence(**self._by(AMY), source=source, words=said, people_count=people))
        for words in told.options:
            self._do_later(AddOption(**self._by(AMY), words=self._say("words", words)))
        self._do_later(ChooseOption(**self._by(SUE), number=1, reason=self._say("reason", told.why_chosen)))

    def _think_of(self, causes: tuple[Whys, ...]) -> None:
        for category, whys in causes:
            said = tuple(self._say(f"why-{number}", why) for number, why in enumerate(whys, start=1))
            self._do_later(AddCause(**self._by(AMY), category=category, whys=said))

    def _plan(self, changed_on: date) -> None:
        for number, measure in enumerate(self._mending.measures, start=1):
            command = PlanMeasure(
                **self._by(AMY),
                number=number,
                words=self._say("words", measure.words),
                kind=measure.kind,
                strength=measure.strength,
                owner=measure.owner,
                due_on=changed_on,
                document=self._say("document", measure.document) if measure.document else None,
            )
            self._do_later(command)

    def _carry_out(self, changed_on: date) -> None:
        on_the_day = _in_the_morning(changed_on, self._world.calendar)
        for number, _ in enumerate(self._mending.measures, start=1):
            done = FinishMeasure(**self._by(SUE), number=number, done_on=changed_on, effective_on=changed_on)
            self._do(done, on_the_day)
        self._do(PutInPlace(**self._by(SUE), changed_on=changed_on), on_the_day)

    def _draw_conclusions(self) -> None:
        """Tell those who complained that it works, or think again why it does not, unless the story ends first."""
        told = self._mending
        if self.fix.state is FixState.EFFECTIVE and self._is_told_yet():
            self._approve(Occasion.JUDGED, told.told_at_verdict)
        if self.fix.state is FixState.WORKED_OUT and self._is_told_yet():
            self._think_of(told.thoughts_afterwards)

    # ---- the process -------------------------------------------------------------------------------------------------

    async def _process_looks(self) -> bool:
        """Do what the process does by itself next, if it does it before the story ends; return whether it did."""
        fix, rhythm = self.fix, self._world.rhythm
        ends_at, look = watch_ends_at(fix, rhythm), next_look(fix, rhythm)
        if ends_at is not None and ends_at <= self._world.until and (look is None or ends_at <= look.at):
            self._do(end_of_watch(fix), ends_at)
            return True
        if look is None or look.at > self._world.until:
            return False
        self._do(command_after(fix, await self._world.look(fix, look.as_of)), look.at)
        return True

    # ---- small helps -------------------------------------------------------------------------------------------------

    def _is_told_yet(self) -> bool:
        return self._next_morning() <= self._world.until

    def _next_morning(self) -> datetime:
        """Return when the next step is taken that nobody hurries with."""
        assert self.fix.last_event_at is not None
        last_on = self._world.calendar.local_date(self.fix.last_event_at)
        return _in_the_morning(last_on + timedelta(days=DAYS_BETWEEN_STEPS), self._world.calendar)

    def _do_later(self, command: FixCommand) -> None:
        self._do(command, self._next_morning())

    def _do(self, command: FixCommand, at: datetime) -> None:
        event = lifecycle.decide(self.fix, command, max(at, self.fix.last_event_at or at))
        self.fix = apply(self.fix, event)
        self._events.append(event)

    def _by(self, actor: Actor) -> dict[str, Any]:
        return {"actor": actor, "key": f"step-{self.fix.sequence + 1}"}

    def _say(self, kind: str, body: str) -> ContentRef:
        text = text_of(self.fix.id, f"step-{self.fix.sequence + 1}", kind, body)
        self._texts.append(text)
        return text.ref
