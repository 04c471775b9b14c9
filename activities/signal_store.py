# SPDX-License-Identifier: Apache-2.0
"""Writing down what a look came to: the run, the signals it raised, and what each says of this week."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from activities.interface import RootCauseOutcome
from activities.signal_budget import Known, known_signals
from activities.signal_cells import settings_of
from activities.signal_inputs import Measure
from activities.signal_judging import Judged, Told
from analytics.creeping import IN_CONTROL_WEEKS
from analytics.cube import monday_of
from analytics.wording import Labels, creep_sentences, sentences, standing_sentences
from models.aggregates import NOT_STATED
from models.fixes.cells import INTAKE_FAMILY, OTHER_FAMILY
from models.messages import sha256
from models.policy import Policy
from models.tables.signals import signal, signal_run, signal_week
from models.taxonomy import Kind
from models.wording import english_day

WEEKS_PER_YEAR = 52.0
_NAMESPACE = UUID("b0b8c4a4-6d0f-5c5e-8a44-0d6f3c1f7a11")


@dataclass(frozen=True, slots=True)
class Look:
    """Whose look it is, as of when, and by which policy."""

    agency: str
    as_of: date
    policy: Policy

    @property
    def expires_after(self) -> timedelta:
        """How long a signal that is not seen again, put off or mended is remembered."""
        return timedelta(weeks=self.policy.surveillance.expires_after_weeks)


async def store(
    connection: AsyncConnection, look: Look, judged: Sequence[Judged], facts: Mapping[Measure, list[dict[str, Any]]]
) -> RootCauseOutcome:
    """Write down what every measure came to, and return it; what stands there already stays as it is."""
    inputs_hash = sha256(*(part.inputs_hash.encode() for part in judged)).hex()
    cells = sum(part.prepared.looked_at for part in judged)
    run = {"agency": look.agency, "as_of": look.as_of, "inputs_hash": inputs_hash, "cells": cells}
    lifetime = {name: kept for part in judged for name, kept in part.lifetime.items()}
    settings = {**asdict(settings_of(look.policy)), "lifetime": lifetime}
    await connection.execute(upsert(signal_run).values(settings=settings, **run).on_conflict_do_nothing())
    raised: list[tuple[UUID, str]] = []
    seen_again: list[tuple[UUID, str]] = []
    near = look.expires_after
    for part in judged:
        known = await known_signals(
            connection, look.agency, part.measure, as_of=look.as_of, expires_after=near, last_day=look.as_of + near
        )
        for told, evidence in zip(part.told, facts[part.measure], strict=True):
            finding = told.finding
            same = next((old for old in known if finding.is_same_matter_as(old.cells)), None)
            said = said_of(told, labels_of(look.policy), int(evidence["complaints"]))
            signal_id = same.id if same else await _raise(connection, look, part.measure, told)
            await _add_week(connection, look, part, signal_id, told, said, evidence)
            known = [*(old for old in known if old.id != signal_id), Known(signal_id, finding.cells)]
            (seen_again if same else raised).append((signal_id, said[0]))
    return RootCauseOutcome(
        agency=look.agency,
        as_of=look.as_of,
        cells=cells,
        raised=tuple(found for found, _ in raised),
        seen_again=tuple(found for found, _ in seen_again),
        sentences=tuple(sentence for _, sentence in (*raised, *seen_again)),
        inputs_hash=inputs_hash,
    )


def said_of(told: Told, labels: Labels, complaints: int) -> tuple[str, str]:
    """Return the matter in two sentences, those of its kind."""
    if told.kind == "creep" and told.creep:
        return creep_sentences(
            told.finding,
            labels,
            complaints,
            excess=told.creep.excess,
            threshold=told.creep.threshold,
            years=IN_CONTROL_WEEKS / WEEKS_PER_YEAR,
        )
    if told.kind == "standing" and told.standing:
        pair = told.standing
        return standing_sentences(
            told.finding,
            labels,
            complaints,
            ratio=pair.ebgm,
            low=pair.eb05,
            high=pair.eb95,
            is_prior_learnt=pair.is_prior_learnt,
        )
    return sentences(told.finding, labels, complaints)


def labels_of(policy: Policy) -> Labels:
    """Return what staff call the codes."""
    language = policy.agency.languages[0]
    terms = policy.taxonomy.by_code.values()
    return Labels(
        day=english_day,
        families={t.code: t.name_in(language) for t in terms if t.kind is Kind.FAMILY}
        | {INTAKE_FAMILY: "All complaints", OTHER_FAMILY: "Other failures"},
        failures={t.code: t.name_in(language) for t in terms if t.kind in {Kind.FAILURE, Kind.INTAKE}}
        | {NOT_STATED: "Kind not stated"},
        services={service.id: service.name[language] for service in policy.agency.services},
        offices={office.id: office.name for office in policy.agency.offices},
        further={"channel": {channel.id: channel.name[language] for channel in policy.agency.channels}},
    )


async def _raise(connection: AsyncConnection, look: Look, measure: Measure, told: Told) -> UUID:
    cell = told.finding.cell
    signal_id = uuid5(_NAMESPACE, f"{look.agency}/{measure}/{cell.key}/{look.as_of}")
    calendar = look.policy.calendar
    noon = datetime.combine(look.as_of, time(12), ZoneInfo(look.policy.agency.time_zone))
    decide_by = calendar.add_working_days(noon, look.policy.surveillance.decide_within_working_days)
    named = cell.named
    await connection.execute(
        upsert(signal)
        .values(
            id=signal_id,
            agency=look.agency,
            measure=measure,
            kind=told.kind,
            code=cell.failure or None,
            family=cell.family or None,
            service=cell.service or None,
            region=None if cell.office else named.get("region"),
            office=cell.office or None,
            channel=named.get("channel"),
            began_week=monday_of(told.finding.began_week),
            raised_on=look.as_of,
            decide_by=calendar.local_date(decide_by),
        )
        .on_conflict_do_nothing()
    )
    return signal_id


async def _add_week(
    connection: AsyncConnection,
    look: Look,
    part: Judged,
    signal_id: UUID,
    told: Told,
    said: tuple[str, str],
    evidence: Mapping[str, Any],
) -> None:
    finding = told.finding
    row = {
        "agency": look.agency,
        "inputs_hash": part.inputs_hash,
        "observed": finding.observed_count,
        "expected": finding.expected_count,
        "threshold": finding.threshold_count,
        "p_value": finding.p_value,
        "q_value": finding.q_value,
        "window_weeks": finding.window_weeks,
        "sentences": list(said),
        "evidence": evidence,
    }
    statement = upsert(signal_week).values(signal_id=signal_id, as_of=look.as_of, **row)
    # Written once for the same inputs: what a repeated look could say otherwise is of now, not of that day.
    await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["signal_id", "as_of"],
            set_=row,
            where=signal_week.c.inputs_hash != statement.excluded.inputs_hash,
        )
    )
