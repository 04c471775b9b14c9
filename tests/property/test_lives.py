# SPDX-License-Identifier: Apache-2.0
"""Any life a complaint can have: whoever asks whatever, in any order, the rules hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from models import lifecycle
from models.aggregates import Cell, cells_of, changes, queues_of
from models.case import Case, new_case
from models.clocks import Rules, clocks_of, next_moment, rules_for
from models.commands import Actor, Command
from models.events import Event
from models.outgoing import letters_of
from models.refusals import Refused
from models.story import apply, fold
from models.terms import Action, Role, State, Track
from tests.given import MONDAY, a_command, a_policy, a_receipt

POLICY = a_policy()
RULES: Rules = rules_for(POLICY.standards, POLICY.calendar, around=MONDAY, until=MONDAY)
AS_OFTEN = settings(max_examples=60, deadline=None, derandomize=True)
PEOPLE = [Actor(name=f"{role}-{number}", role=role) for role in Role for number in (1, 2)]


@dataclass(frozen=True, slots=True)
class Step:
    """Somebody asks for something, some time after what came before."""

    action: Action
    actor: Actor
    later: timedelta
    approval_required: bool
    track: Track
    is_moment_first: bool
    """Whether the process's own warning or missed deadline, if there is one, comes in between."""


@dataclass(slots=True)
class Life:
    """What became of a complaint."""

    cases: list[Case]
    events: list[Event] = field(default_factory=list)
    refusals: list[Refused] = field(default_factory=list)

    @property
    def case(self) -> Case:
        return self.cases[-1]

    def ask(self, command: Command, at: datetime) -> None:
        try:
            event = lifecycle.decide(self.case, command, at)
        except Refused as refused:
            self.refusals.append(refused)
            return
        self.events.append(event)
        self.cases.append(apply(self.case, event))

    def steps(self) -> Iterator[tuple[Case, Event, Case]]:
        yield from zip(self.cases[:-1], self.events, self.cases[1:], strict=True)


def command_of(step: Step, case: Case) -> Command:
    command = a_command(step.action, case, step.actor)
    if command.action is Action.TRIAGE:
        return command.model_copy(update={"approval_required": step.approval_required, "track": step.track})
    return command


def live(steps: list[Step], *, is_imported: bool) -> Life:
    """Lead a case through the steps; whatever is refused leaves it as it was."""
    life, at = Life([new_case(a_receipt(is_imported=is_imported, can_be_written_to=True))]), MONDAY
    for step in steps:
        at += step.later
        moment = next_moment(life.case, RULES)
        if step.is_moment_first and moment is not None and moment.at <= at:
            life.ask(moment.command, at)
        life.ask(command_of(step, life.case), at)
    return life


anything = st.builds(
    Step,
    action=st.sampled_from(Action),
    actor=st.sampled_from(PEOPLE),
    later=st.timedeltas(timedelta(), timedelta(days=9)),
    approval_required=st.booleans(),
    track=st.sampled_from(Track),
    is_moment_first=st.booleans(),
)


def step_of(row: lifecycle.Transition) -> st.SearchStrategy[Step]:
    """Draw somebody of a role that may, who asks for the row's action."""
    return st.builds(
        Step,
        action=st.just(row.action),
        actor=st.sampled_from([person for person in PEOPLE if person.role in row.roles]),
        later=st.timedeltas(timedelta(), timedelta(days=9)),
        approval_required=st.booleans(),
        track=st.sampled_from(Track),
        is_moment_first=st.booleans(),
    )


@st.composite
def lawful(draw: st.DrawFn) -> list[Step]:
    """Draw steps that mostly may be taken: straight to some state, with or without a root cause, and on from there."""
    goal = draw(st.sampled_from([State.IN_RESOLUTION, State.AWAITING_APPROVAL, State.ANSWERED, State.CLOSED]))
    rows = list(lifecycle.shortest_path(State.NEW, goal, of=lambda row: row.action is not Action.RECORD_AS_HISTORY))
    if goal is State.CLOSED and draw(st.booleans()):
        rows.insert(-1, lifecycle.row_of(State.ANSWERED, Action.TAG_ROOT_CAUSE))
    steps = [draw(step_of(row)) for row in rows]
    case, at = live(steps, is_imported=False).case, MONDAY + sum((step.later for step in steps), timedelta())
    for _ in range(draw(st.integers(0, 8))):
        here = [row for row in lifecycle.TRANSITIONS if case.state in row.sources]
        step = draw(st.sampled_from(here).flatmap(step_of))
        steps.append(step)
        at += step.later
        try:
            case = apply(case, lifecycle.decide(case, command_of(step, case), at))
        except Refused:
            continue
    return steps


lives = st.builds(live, st.one_of(lawful(), st.lists(anything, max_size=25)), is_imported=st.booleans())


@given(life=lives)
@AS_OFTEN
def test_whatever_is_asked_is_granted_or_refused_with_a_sentence(life: Life) -> None:
    for refused in life.refusals:
        assert str(refused).lstrip("“")[0].isupper()
        assert str(refused).endswith((".", ".\n"))
        assert refused.code.replace("-", "").islower()


@given(life=lives)
@AS_OFTEN
def test_a_story_folds_to_the_case_however_it_is_cut(life: Life) -> None:
    for number in range(len(life.events) + 1):
        assert fold(fold(life.cases[0], life.events[:number]), life.events[number:]) == life.case


@given(life=lives)
@AS_OFTEN
def test_what_is_stored_reads_back_byte_for_byte(life: Life) -> None:
    stored = [event.canonical() for event in life.events]
    read = [Event.model_validate_json(canonical) for canonical in stored]

    assert [event.canonical() for event in read] == stored
    assert fold(life.cases[0], read) == life.case
    assert Case.model_validate_json(life.case.model_dump_json()) == life.case


@given(life=lives)
@AS_OFTEN
def test_events_are_numbered_without_a_gap_and_each_begins_where_the_last_ended(life: Life) -> None:
    assert [event.sequence for event in life.events] == list(range(1, len(life.events) + 1))
    for before, event, then in life.steps():
        assert (event.source, event.target) == (before.state, then.state)


@given(life=lives)
@AS_OFTEN
def test_differences_add_up_to_what_the_case_counts_for(life: Life) -> None:
    cells: Counter[Cell] = Counter()
    queues: Counter[str] = Counter()
    for before, _, then in life.steps():
        for cell, change in changes(cells_of(before), cells_of(then)):
            cells[cell] += change
        for queue, change in changes(Counter(queues_of(before)), Counter(queues_of(then))):
            queues[queue] += change

    assert +cells == cells_of(life.case)
    assert set(+queues) == queues_of(life.case)
    assert all(count >= 0 for count in (*cells.values(), *queues.values()))


@given(life=lives)
@AS_OFTEN
def test_a_case_is_closed_only_when_every_issue_is_answered_and_coded(life: Life) -> None:
    for before, event, then in life.steps():
        if event.command.action is Action.CLOSE:
            assert before.state is State.ANSWERED
            assert (before.unanswered, before.uncoded) == ((), ())
        if then.state.is_final and not then.is_history:
            assert (then.unanswered, then.uncoded) == ((), ())


@given(life=lives)
@AS_OFTEN
def test_no_clock_is_due_before_it_starts_and_none_runs_in_a_case_that_has_ended(life: Life) -> None:
    for case in life.cases:
        for clock in clocks_of(case, RULES):
            assert clock.due_at >= clock.started_at
            assert clock.stopped_at is None or clock.stopped_at >= clock.started_at
            assert clock.paused_days >= 0
            assert not (case.state.is_final and clock.is_running)


@given(life=lives)
@AS_OFTEN
def test_a_clock_stands_still_only_while_we_wait_for_the_complainant(life: Life) -> None:
    for case in life.cases:
        assert (case.open_pause is not None) is (case.state is State.WAITING_FOR_COMPLAINANT)


@given(life=lives)
@AS_OFTEN
def test_from_wherever_a_case_stands_there_is_a_way_to_its_end(life: Life) -> None:
    assert lifecycle.shortest_path(life.case.state, State.CLOSED) is not None


@given(life=lives)
@AS_OFTEN
def test_nobody_reviews_their_own_answer_and_nobody_approves_their_own_proposal(life: Life) -> None:
    for before, event, _ in life.steps():
        if event.command.action is Action.APPROVE:
            assert before.proposal is not None
            assert before.proposal.by != event.command.actor.name
        if event.command.action in {Action.ANSWER, Action.PROPOSE_ANSWER, Action.APPROVE} and before.review_round:
            assert event.command.actor.name not in before.answered_by


@given(life=lives)
@AS_OFTEN
def test_no_two_letters_of_a_case_share_an_id(life: Life) -> None:
    ids = [letter.id for before, event, then in life.steps() for letter in letters_of(event, before, then)]

    assert len(ids) == len(set(ids))


@given(life=lives)
@AS_OFTEN
def test_the_moments_of_a_case_come_to_an_end(life: Life) -> None:
    for _ in range(20):
        if (moment := next_moment(life.case, RULES)) is None:
            return
        life.ask(moment.command, max(moment.at, life.case.last_event_at or moment.at))
        assert life.events[-1].command == moment.command
    message = "a case without anybody's doing goes on noting deadlines"
    raise AssertionError(message)
