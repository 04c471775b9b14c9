# SPDX-License-Identifier: Apache-2.0
"""The body of `putright rebuild`: the read model made again from the events and, if asked, workflows with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from activities.database import agencies, transaction
from activities.policies import Policies
from activities.rebuilding import Rebuilt, rebuild_agency
from activities.rebuilding_fixes import FixesRebuilt, rebuild_fixes
from activities.running import workflow_runs
from activities.sweeping import KEY_IS_GONE, WORKFLOW_FAULTS, end_workflow, is_running, open_cases
from models.case import Case
from models.fixes.fix import Fix
from models.references import fix_workflow_id_for, workflow_id_for
from models.tables.cases import fault
from run.composition import case_keys, engine_for, now, secrets_of, temporal_client
from run.settings import Settings
from workflows.complaint import ComplaintWorkflow
from workflows.starting import start_case, start_fix
from workflows.systemic_fix import SystemicFixWorkflow

CONNECTIONS = 4
ANSWER_WITHIN = timedelta(seconds=10)
_OPEN_FIXES = text("""
    SELECT f.fix_id, f.sequence,
           EXISTS (SELECT FROM fault x WHERE x.agency = f.agency AND x.case_id = f.fix_id
                   AND x.cleared_at IS NULL AND x.kind = ANY (:faults)) AS is_marked
    FROM fix_file f WHERE f.agency = :agency AND f.is_open ORDER BY f.fix_id
""")


@dataclass(slots=True)
class Restarted:
    """What became of the workflows of an agency's open cases."""

    agency: str
    running: int = 0
    """Running and up to date: left alone."""
    started: int = 0
    """Not running: started."""
    replaced: int = 0
    """Behind the record, stuck, or marked with a fault: ended and started again."""
    ended: int = 0
    """Of cases whose key has been destroyed."""
    silent: int = 0
    """Running, but nobody answered for them: left alone. Is a worker running?"""


async def rebuild_record(
    settings: Settings,
    *,
    agency: str,
    workflows: bool,
    say: Callable[[str], object],
    on_cases: Callable[[int], None] = lambda _: None,
) -> None:
    """Rebuild one agency's read model, or every agency's, and say what was put right.

    `on_cases` hears of every so many cases told again.
    """
    engine = engine_for(settings.worker_database_url, connections=CONNECTIONS)
    try:
        slugs = [slug for slug in await agencies(engine) if agency in {"", slug}]
        for slug in slugs:
            for sentence in sentences_of(await rebuild_agency(engine, Policies(), slug, clock=now, on_cases=on_cases)):
                say(sentence)
            for sentence in fix_sentences_of(slug, await rebuild_fixes(engine, slug)):
                say(sentence)
        if workflows:
            client = await temporal_client(settings, case_keys(engine, secrets_of(settings)))
            for slug in slugs:
                say(sentence_of(await rebuild_workflows(engine, client, slug, task_queue=settings.task_queue)))
                say(await restart_fixes(engine, client, slug, task_queue=settings.task_queue))
    finally:
        await engine.dispose()
    if not slugs:
        say(f"There is no agency {agency}." if agency else "There is no agency.")


async def rebuild_workflows(engine: AsyncEngine, client: Client, agency: str, *, task_queue: str) -> Restarted:
    """See to it that every open case of the agency has a workflow that knows all the record knows."""
    restarted = Restarted(agency)
    async for cases in open_cases(engine, agency):
        for case in cases:
            await _see_to(engine, client, case, restarted, task_queue)
    return restarted


async def restart_fixes(engine: AsyncEngine, client: Client, agency: str, *, task_queue: str) -> str:
    """See to it that every open fix has a workflow that knows all the record knows; return what there is to say."""
    counts = Counter[str]()
    async with transaction(engine, agency) as connection:
        fixes = (await connection.execute(_OPEN_FIXES, {"agency": agency, "faults": list(WORKFLOW_FAULTS)})).all()
    for fix in fixes:
        workflow_id = fix_workflow_id_for(fix.fix_id)
        if not await workflow_runs(client, workflow_id):
            await start_fix(client, agency, fix.fix_id, task_queue=task_queue)
            counts["started"] += 1
            continue
        handle = client.get_workflow_handle_for(SystemicFixWorkflow.run, workflow_id)
        asking = handle.query(SystemicFixWorkflow.current, rpc_timeout=ANSWER_WITHIN)
        is_current = await _has_come_to(asking, fix.sequence)
        if is_current is not False and not fix.is_marked:
            counts["running" if is_current else "silent"] += 1
            continue
        await handle.terminate(reason="rebuilt from the record")
        await start_fix(client, agency, fix.fix_id, task_queue=task_queue)
        counts["replaced"] += 1
        if fix.is_marked:
            await _clear_faults(engine, agency, fix.fix_id)
    silent = f" {counts['silent']} did not answer; is a worker running?" if counts["silent"] else ""
    return (
        f"{agency}: workflows of open fixes: {counts['running']} up to date, {counts['started']} started, "
        f"{counts['replaced']} ended and started again.{silent}"
    )


async def _see_to(engine: AsyncEngine, client: Client, case: Row[Any], restarted: Restarted, task_queue: str) -> None:
    agency, case_id = restarted.agency, case.case_id
    runs = await is_running(client, case_id)
    if case.is_unreadable:
        if runs:
            await end_workflow(client, case_id, KEY_IS_GONE)
            restarted.ended += 1
        return
    if runs:
        is_current = await _is_current(client, case_id, case.sequence)
        if is_current is None and not case.is_marked:
            restarted.silent += 1
            return
        if is_current and not case.is_marked:
            restarted.running += 1
            return
        await end_workflow(client, case_id, "rebuilt from the record")
    await start_case(client, agency, case_id, task_queue=task_queue)
    if case.is_marked:
        await _clear_faults(engine, agency, case_id)
    restarted.replaced += runs
    restarted.started += not runs


async def _is_current(client: Client, case_id: UUID, sequence: int) -> bool | None:
    """Return whether the workflow knows the record's last event; None if nobody answers for it."""
    handle = client.get_workflow_handle_for(ComplaintWorkflow.run, workflow_id_for(case_id))
    return await _has_come_to(handle.query(ComplaintWorkflow.current, rpc_timeout=ANSWER_WITHIN), sequence)


async def _has_come_to(asking: Awaitable[Case | Fix | None], sequence: int) -> bool | None:
    """Return whether what the workflow answers is the record's last event or later; None if nobody answers."""
    try:
        known = await asking
    except WorkflowQueryFailedError:
        return False
    except RPCError as problem:
        if problem.status is RPCStatusCode.FAILED_PRECONDITION:
            return False  # its last task failed, and so will the next
        if problem.status in {RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED, RPCStatusCode.UNAVAILABLE}:
            return None
        raise
    return known is None or known.sequence >= sequence  # None: it is just loading what the record knows


async def _clear_faults(engine: AsyncEngine, agency: str, case_id: UUID) -> None:
    async with transaction(engine, agency) as connection:
        marked = (fault.c.case_id == case_id) & fault.c.kind.in_(WORKFLOW_FAULTS) & fault.c.cleared_at.is_(None)
        await connection.execute(update(fault).where(marked).values(cleared_at=now()))


def sentences_of(rebuilt: Rebuilt) -> Iterator[str]:
    """Yield what there is to say of a rebuilt read model."""
    yield (
        f"{rebuilt.agency}: {rebuilt.cases} cases told again, {rebuilt.waiting} receipts wait to be opened; put right: "
        f"rows of {rebuilt.rows_repaired}, counts of {rebuilt.counts_corrected}, words of {rebuilt.words_repaired}."
    )
    yield from (f"{rebuilt.agency}: {sentence}" for sentence in rebuilt.unreadable)


def fix_sentences_of(agency: str, rebuilt: FixesRebuilt) -> Iterator[str]:
    """Yield what there is to say of the fixes' rebuilt read model."""
    if rebuilt.fixes:
        yield f"{agency}: {rebuilt.fixes} systemic fixes told again; put right: rows of {rebuilt.repaired}."
    yield from (f"{agency}: {sentence}" for sentence in rebuilt.unreadable)


def sentence_of(restarted: Restarted) -> str:
    """Return what there is to say of the workflows."""
    silent = f" {restarted.silent} did not answer; is a worker running?" if restarted.silent else ""
    return (
        f"{restarted.agency}: workflows of open cases: {restarted.running} up to date, {restarted.started} started, "
        f"{restarted.replaced} ended and started again, {restarted.ended} ended for good.{silent}"
    )
