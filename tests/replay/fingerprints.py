# SPDX-License-Identifier: Apache-2.0
"""What each workflow asks of Temporal, in order, read from its source: the shape that open cases' histories have.

`python -m tests.replay.fingerprints` writes fingerprints.json anew, once a change has been thought through
(docs/how-to/change-a-workflow.md).
"""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

from models.messages import canonical, sha256
from workflows.complaint import ComplaintWorkflow
from workflows.help_affected import HelpAffectedWorkflow
from workflows.root_cause import RootCauseWorkflow
from workflows.systemic_fix import SystemicFixWorkflow
from workflows.text import TextWorkflow

KEPT = Path(__file__).with_name("fingerprints.json")
WORKFLOWS: tuple[type, ...] = (
    ComplaintWorkflow,
    RootCauseWorkflow,
    SystemicFixWorkflow,
    HelpAffectedWorkflow,
    TextWorkflow,
)
NAMED_BY_ARGUMENT = {
    "execute_activity",
    "execute_activity_method",
    "execute_child_workflow",
    "execute_local_activity",
    "execute_local_activity_method",
    "start_activity",
    "start_activity_method",
    "start_child_workflow",
    "start_local_activity",
    "start_local_activity_method",
    "deprecate_patch",
    "patched",
}
COMMANDS = NAMED_BY_ARGUMENT | {
    "continue_as_new",
    "sleep",
    "upsert_memo",
    "upsert_search_attributes",
    "signal",
    "cancel",
    "wait_for",
}
"""Calls that leave a trace in history. A wait_condition leaves one only where it has a timeout."""
HANDLERS = {"run", "update", "signal", "query"}
Fingerprint = dict[str, list[str]]


def fingerprint(workflow: type) -> Fingerprint:
    """Return, for each way into the workflow, its commands in the order of the source, helpers followed into."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(workflow))).body
    assert isinstance(tree, ast.ClassDef)
    methods = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    return {name: list(_commands(method, methods, (name,))) for name, method in methods.items() if _is_way_in(method)}


def digest(workflow: type) -> str:
    """Return eight letters that change with the workflow's commands; kept histories carry them in their names."""
    return sha256(canonical(fingerprint(workflow))).hex()[:8]


def _is_way_in(method: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(HANDLERS & set(ast.unparse(decorator).split(".")) for decorator in method.decorator_list)


def _commands(
    node: ast.AST, methods: dict[str, ast.FunctionDef | ast.AsyncFunctionDef], inside: tuple[str, ...]
) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        yield from _commands(child, methods, inside)
    if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self" and node.attr in methods:
        if node.attr not in inside:
            yield from _commands(methods[node.attr], methods, (*inside, node.attr))
    elif isinstance(node, ast.Call):
        name = ast.unparse(node.func).rpartition(".")[2]
        has_timeout = any(keyword.arg == "timeout" for keyword in node.keywords)
        if name in COMMANDS or (name == "wait_condition" and has_timeout):
            yield f"{name}({ast.unparse(node.args[0])})" if name in NAMED_BY_ARGUMENT else name


def kept() -> dict[str, Fingerprint]:
    """Return the fingerprints as they were when somebody last thought about them."""
    return {name: dict(parts) for name, parts in json.loads(KEPT.read_text("utf-8")).items()}


def write() -> None:
    """Keep the fingerprints as they are now."""
    now = {workflow.__name__: fingerprint(workflow) for workflow in WORKFLOWS}
    KEPT.write_text(json.dumps(now, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    write()
