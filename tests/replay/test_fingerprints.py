# SPDX-License-Identifier: Apache-2.0
"""Whoever changes what a workflow asks of Temporal changes the past of every open case, and is told so here."""

from __future__ import annotations

import ast
import inspect
import textwrap

import pytest

import workflows
from run.worker import temporal_worker
from tests.replay import fingerprints
from tests.replay.fingerprints import WORKFLOWS, fingerprint, kept

WARNING = """
What {workflow} asks of Temporal has changed. Cases that are open now began under the old code, and their histories are
played again through the new one: a command that is added, removed or moved makes them fail, every one of them.

    kept:  {old}
    now:   {new}

{advice}

docs/how-to/change-a-workflow.md tells the whole way. Then keep the new shape:
    python -m tests.replay.fingerprints && python -m tests.replay.record
"""
UNPATCHED = """No new workflow.patched(...) is among the commands. Put the change behind one, so that old cases keep
their way:
    if workflow.patched("2027-01-apology-letter"): ..."""
PATCHED = "A new workflow.patched(...) is there: {markers}. Check that every changed command stands behind it."


def advice(old: list[str], new: list[str]) -> str:
    markers = [command for command in new if command.startswith("patched(") and command not in old]
    return PATCHED.format(markers=", ".join(markers)) if markers else UNPATCHED


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_a_workflows_commands_are_those_that_open_cases_have_in_their_histories(workflow: type) -> None:
    old, new = kept()[workflow.__name__], fingerprint(workflow)
    flat_old, flat_new = ([command for part in shape.values() for command in part] for shape in (old, new))

    assert new == old, WARNING.format(workflow=workflow.__name__, old=old, new=new, advice=advice(flat_old, flat_new))


def test_every_workflow_that_a_worker_runs_is_watched() -> None:
    source = ast.parse(textwrap.dedent(inspect.getsource(temporal_worker)))
    (registered,) = (
        {element.id for element in keyword.value.elts if isinstance(element, ast.Name)}
        for call in ast.walk(source)
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if keyword.arg == "workflows" and isinstance(keyword.value, ast.List)
    )

    assert registered == {workflow.__name__ for workflow in WORKFLOWS} == kept().keys()


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_a_fingerprint_is_not_empty(workflow: type) -> None:
    assert any(command.startswith("execute_") for command in fingerprint(workflow)["run"])


def of_source(source: str) -> dict[str, list[str]]:
    class_ = type("Sample", (), {"__module__": workflows.__name__})
    original = inspect.getsource
    inspect.getsource = lambda _: textwrap.dedent(source)  # type: ignore[assignment]
    try:
        return fingerprint(class_)
    finally:
        inspect.getsource = original


BEFORE = """
    class Sample:
        @workflow.run
        async def run(self):
            await self.load()
            await self.leave()

        async def load(self):
            await workflow.execute_local_activity_method(Records.load)

        async def leave(self):
            await workflow.sleep(1)
"""


def test_a_helper_that_only_moves_in_the_file_changes_nothing() -> None:
    load = BEFORE[BEFORE.index("        async def load") : BEFORE.index("        async def leave")]
    moved = BEFORE.replace(load, "") + "\n" + load

    assert of_source(moved) == of_source(BEFORE) == {"run": ["execute_local_activity_method(Records.load)", "sleep"]}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("await self.load()\n            await self.leave()", "await self.leave()\n            await self.load()"),
        ("await workflow.sleep(1)", "pass"),
        ("Records.load", "Records.fetch"),
        ("await workflow.sleep(1)", "await workflow.wait_condition(f, timeout=1)"),
    ],
    ids=["reordered", "removed", "another activity", "another kind of wait"],
)
def test_what_would_break_an_open_case_changes_the_fingerprint(old: str, new: str) -> None:
    assert of_source(BEFORE.replace(old, new)) != of_source(BEFORE)


def test_a_wait_without_a_timeout_leaves_no_trace() -> None:
    waiting = BEFORE.replace("await self.load()", "await self.load(); await workflow.wait_condition(f)")

    assert of_source(waiting) == of_source(BEFORE)


def test_the_advice_knows_a_new_patch() -> None:
    assert advice(["a"], ["a", "patched('x')"]).startswith("A new workflow.patched(...) is there: patched('x')")
    assert advice(["patched('x')"], ["patched('x')", "b"]) == UNPATCHED


def test_the_histories_names_change_with_the_commands() -> None:
    assert len({fingerprints.digest(workflow) for workflow in WORKFLOWS}) == len(WORKFLOWS)
