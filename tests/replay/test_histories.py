# SPDX-License-Identifier: Apache-2.0
"""Kept histories play again through today's code: no case that is open now will fail because of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from activities.interface import WORKFLOW_TYPE_COMPLAINT
from run.worker import sandbox
from tests.replay.fingerprints import WORKFLOWS
from tests.replay.keys import fixed_converter
from tests.replay.lives import LIVES
from tests.replay.record import HISTORIES, ONE_LOOK, history_file
from workflows.complaint import ComplaintWorkflow
from workflows.root_cause import RootCauseWorkflow

KEPT = sorted(HISTORIES.glob("*.json"))
MISSING = "No history of this life under today's commands; keep one: python -m tests.replay.record"


def replayer(*workflows: type) -> Replayer:
    return Replayer(workflows=list(workflows or WORKFLOWS), data_converter=fixed_converter(), workflow_runner=sandbox())


def history_of(file: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(f"complaint/{file.stem}", file.read_text("utf-8"))


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
async def test_a_kept_history_plays_again(file: Path) -> None:
    await replayer().replay_workflow(history_of(file))


@pytest.mark.parametrize("life", LIVES)
def test_a_history_of_every_life_is_kept_under_todays_commands(life: str) -> None:
    assert history_file(life, ComplaintWorkflow).exists(), MISSING


def test_a_history_of_the_weekly_look_is_kept_under_todays_commands() -> None:
    assert history_file(ONE_LOOK, RootCauseWorkflow).exists(), MISSING


async def test_a_history_that_lacks_a_command_does_not_play() -> None:
    """The check itself can fail: without the timer of a life that was left alone, its history is another."""
    told = json.loads(history_file("left_alone", ComplaintWorkflow).read_text("utf-8"))
    kept = [event for event in told["events"] if "TIMER" not in event["eventType"]]
    for number, event in enumerate(kept, start=1):
        event["eventId"] = str(number)
    history = WorkflowHistory.from_json("complaint/x", json.dumps(told | {"events": kept}))

    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(history)


def test_the_lives_go_every_way_that_leaves_a_trace() -> None:
    told = "".join(file.read_text("utf-8") for file in KEPT)
    kinds = set(re.findall(r'"EVENT_TYPE_(\w+)"', told))

    assert kinds >= {
        "MARKER_RECORDED",
        "TIMER_STARTED",
        "TIMER_FIRED",
        "TIMER_CANCELED",
        "WORKFLOW_EXECUTION_UPDATE_COMPLETED",
        "WORKFLOW_EXECUTION_CONTINUED_AS_NEW",
        "WORKFLOW_EXECUTION_COMPLETED",
    }


@pytest.mark.parametrize("file", KEPT, ids=lambda file: file.stem)
def test_a_history_says_nothing_of_the_machine_it_was_recorded_on_and_nothing_readable_of_a_case(file: Path) -> None:
    told = json.loads(file.read_text("utf-8"))
    identities = set(re.findall(r'"identity": ?"([^"]*)"', json.dumps(told)))

    assert identities <= {"recorder", "history-service", ""}
    assert WORKFLOW_TYPE_COMPLAINT in json.dumps(told) or file.name.startswith(ONE_LOOK)
    assert "riverbend" not in json.dumps(told["events"][1:])
