# SPDX-License-Identifier: Apache-2.0
"""What a workflow that is led by a table keeps in memory: decided at once, written in order, adopted from the record.

No waiting here: the workflow waits, this decides what for. `decide` and `apply` are the lifecycle's and the story's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from models.refusals import KeyReused, Refused


class Asked(Protocol):
    """A command: done once under its key."""

    @property
    def key(self) -> str:
        """The idempotency key."""

    @property
    def request_hash(self) -> bytes:
        """The hash of the whole request."""


class Happened(Protocol):
    """An event: a granted command with its place in the story."""

    @property
    def sequence(self) -> int:
        """The number in the story."""

    @property
    def at(self) -> datetime:
        """When it was decided."""

    @property
    def command(self) -> Asked:
        """What was granted."""


class Led(Protocol):
    """What the events make: a value with its place in the story."""

    @property
    def last_event_at(self) -> datetime | None:
        """When the story last went on."""


State = TypeVar("State", bound=Led)
Command = TypeVar("Command", bound=Asked)
Event = TypeVar("Event", bound=Happened)


@dataclass(slots=True)
class Pending(Generic[Command, Event]):
    """A command that is decided and applied, and not recorded yet."""

    command: Command
    event: Event


class OrderedWriter(Generic[State, Command, Event]):
    """The commands of one story: each decided in one breath, recorded in order, answered from the record."""

    def __init__(
        self, decide: Callable[[State, Command, datetime], Event], apply: Callable[[State, Event], State]
    ) -> None:
        self._decide = decide
        self._apply = apply
        self.recorded: State | None = None
        """As the record has it."""
        self.current: State | None = None
        """The same with what is pending applied."""
        self.pending: list[Pending[Command, Event]] = []
        self.answers: dict[str, Event | Refused] = {}
        self.asked: dict[str, bytes] = {}

    def begin(self, state: State) -> None:
        """Go on from what the record holds; nothing may be pending."""
        self.recorded = self.current = state

    @property
    def state(self) -> State:
        """The story so far, what is pending included."""
        assert self.current is not None
        return self.current

    @property
    def batch(self) -> tuple[Event, ...]:
        """What is to be recorded next, in order."""
        return tuple(pending.event for pending in self.pending)

    def moment(self) -> datetime:
        """Return the workflow's time, never earlier than the story so far."""
        last_at = self.state.last_event_at
        return workflow.now() if last_at is None else max(workflow.now(), last_at)

    def check(self, command: Command) -> None:
        """Raise Refused where the command would be, or its key belongs to another request."""
        if (asked := self.asked.get(command.key)) is not None:
            if asked != command.request_hash:
                raise KeyReused("This key was used for another request; send a new key with a new request.")
        elif self.current is not None:
            self._decide(self.current, command, self.moment())

    def ask(self, command: Command) -> None:
        """Decide and apply with no await between: that is the only lock. The same request again does nothing."""
        if command.key in self.asked:
            self.check(command)
            return
        event = self._decide(self.state, command, self.moment())
        self.current = self._apply(self.state, event)
        self.asked[command.key] = command.request_hash
        self.pending.append(Pending(command, event))

    def settle(self, events: Iterable[Event], *, earlier: Iterable[Event] = ()) -> None:
        """Take these events as recorded and answer their commands."""
        assert self.recorded is not None
        following = tuple(events)
        for event in following:
            self.recorded = self._apply(self.recorded, event)
        for event in (*earlier, *following):
            self.asked[event.command.key] = event.command.request_hash
            self.answers[event.command.key] = event
        self.pending = [pending for pending in self.pending if pending.command.key not in self.answers]

    def decide_anew(self) -> None:
        """Go on from what the record holds: commands that are not in it are decided again, in their order."""
        waiting, self.pending, self.current = self.pending, [], self.recorded
        for pending in waiting:
            del self.asked[pending.command.key]
            try:
                self.ask(pending.command)
            except Refused as refused:
                self.asked[pending.command.key] = pending.command.request_hash
                self.answers[pending.command.key] = refused

    def answer_to(self, command: Command) -> Event:
        """Return the recorded event of the command, or raise the refusal it met."""
        answer = self.answers[command.key]
        if isinstance(answer, Refused):
            raise answer
        return answer
