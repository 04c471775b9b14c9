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

from activities.interface import (
    WORKFLOW_TYPE_AFFECTED,
    WORKFLOW_TYPE_COMPLAINT,
    WORKFLOW_TYPE_FIX,
    WORKFLOW_TYPE_ROOT_CAUSE,
    WORKFLOW_TYPE_TEXTS,
)
from run.worker import sandbox
from tests.replay.fingerprints import WORKFLOWS
from tests.replay.fix_lives import FIX_LIVES
from tests.replay.keys import fixed_converter
from tests.replay.lives import LIVES
from tests.replay.record import HISTORIES, ONE_LIST, ONE_LOOK, ONE_NIGHT, history_file
from workflows.complaint import ComplaintWorkflow
from workflows.help_affected import HelpAffectedWorkflow
from workflows.root_cause import RootCauseWorkflow
from workflows.systemic_fix import SystemicFixWorkflow
from workflows.text import TextWorkflow

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


@pytest.mark.parametrize("life", FIX_LIVES)
def test_a_history_of_every_life_of_a_fix_is_kept_under_todays_commands(life: str) -> None:
    assert history_file(life, SystemicFixWorkflow).exists(), MISSING


def test_histories_of_the_weekly_look_of_a_list_and_of_a_night_are_kept_under_todays_commands() -> None:
    assert history_file(ONE_LOOK, RootCauseWorkflow).exists(), MISSING
    assert history_file(ONE_LIST, HelpAffectedWorkflow).exists(), MISSING
    assert history_file(ONE_NIGHT, TextWorkflow).exists(), MISSING


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
    types = {
        WORKFLOW_TYPE_COMPLAINT,
        WORKFLOW_TYPE_ROOT_CAUSE,
        WORKFLOW_TYPE_FIX,
        WORKFLOW_TYPE_AFFECTED,
        WORKFLOW_TYPE_TEXTS,
    }
    assert told["events"][0]["workflowExecutionStartedEventAttributes"]["workflowType"]["name"] in types
    assert "riverbend" not in json.dumps(told["events"][1:])
