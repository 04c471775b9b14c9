# SPDX-License-Identifier: Apache-2.0
"""Telling the accountable executive: of a signal nobody has decided on in time, of a fix that does not work.

One letter for each, noted in the transaction in which it is handed over, so that of several workers one writes; a
worker that dies in between leaves nothing noted, and the letter goes out again under the same Message-ID.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Table, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncEngine

from activities.database import agencies, transaction
from activities.letter_values import Links, always_there, day_at
from activities.mail import Mail, Mailer, NotDeliveredYet, Undeliverable
from activities.policies import Policies
from models.agency import Executive
from models.fixes.commands import FindNotEffective, Relapse
from models.fixes.fix import FixEvent
from models.letters import LetterKind, MissingValues
from models.policy import Policy
from models.tables.affected import fix_alert, signal_escalation
from models.wording import english_day

LETTERS_AT_A_TIME = 50
_log = logging.getLogger(__name__)
_OVERDUE = text("""
    SELECT s.id, stands.due_on, week.sentences
    FROM signal_states(:today, :expires_after_weeks, :grown) AS stands
    JOIN signal s ON s.id = stands.signal_id
    -- As it stood when the day passed, so that a letter which goes out again says the same.
    CROSS JOIN LATERAL (SELECT w.sentences FROM signal_week w WHERE w.signal_id = s.id AND w.as_of <= stands.due_on
                        ORDER BY w.as_of DESC LIMIT 1) AS week
    WHERE s.agency = :agency AND stands.state = 'to_decide' AND stands.due_on < :today
      AND NOT EXISTS (SELECT FROM signal_escalation e WHERE e.signal_id = s.id AND e.due_on = stands.due_on)
    ORDER BY stands.due_on, s.id LIMIT :limit
""")
_FAILED = text("""
    SELECT e.fix_id, e.sequence, e.canonical, e.at, t.body AS title, coalesce(s.display_name, f.owner) AS owner
    FROM fix_event e JOIN fix_file f USING (fix_id)
    JOIN fix_text t ON t.fix_id = f.fix_id AND t.id = f.title_id
    LEFT JOIN staff s ON s.agency = f.agency AND s.name = f.owner
    WHERE e.agency = :agency AND e.action IN ('find_not_effective', 'relapse')
      AND NOT EXISTS (SELECT FROM fix_alert a WHERE a.fix_id = e.fix_id AND a.sequence = e.sequence)
    ORDER BY e.at, e.fix_id LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class Alert:
    """One letter to the executive, and the row that says it was sent."""

    kind: LetterKind
    table: Table
    key: Mapping[str, Any]
    id: UUID
    at: datetime
    """When there was something to tell: the letter's Date, the same however often it is sent."""
    values: Mapping[str, str]


class Alerts:
    """Writes to the accountable executive of every agency."""

    def __init__(
        self,
        engine: AsyncEngine,
        policies: Policies,
        mailer: Mailer,
        *,
        mail_from: str,
        links: Links,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._policies = policies
        self._mailer = mailer
        self._mail_from = mail_from
        self._links = links
        self._clock = clock

    async def tell_all(self) -> int:
        """Tell every agency's executive what there is to tell; return how many letters left."""
        told = 0
        for agency in await agencies(self._engine):
            try:
                told += await self._tell(agency)
            except LookupError as problem:  # no policy yet; that is no reason to leave the other agencies untold
                _log.error("executives of %s cannot be told: %s", agency, problem)
        return told

    async def _tell(self, agency: str) -> int:
        now = self._clock()
        async with transaction(self._engine, agency) as connection:
            _, policy = await self._policies.in_force(connection, agency, now)
            today = now.astimezone(ZoneInfo(policy.agency.time_zone)).date()
            asked = {"agency": agency, "today": today, "limit": LETTERS_AT_A_TIME}
            states = {
                "expires_after_weeks": policy.surveillance.expires_after_weeks,
                "grown": policy.surveillance.returns_when_excess_grows,
            }
            overdue = [self._overdue(row, policy) for row in await connection.execute(_OVERDUE, asked | states)]
            failed = [self._failed(row) for row in await connection.execute(_FAILED, asked)]
        executive = policy.agency.accountable_executive
        alerts = [*overdue, *failed]
        if executive is None:
            if alerts:
                _log.error("%s: %d letters wait for an accountable executive in agency.toml", agency, len(alerts))
            return 0
        return sum([await self._send(policy, executive, alert) for alert in alerts])

    def _overdue(self, row: Row[Any], policy: Policy) -> Alert:
        values = {
            "signal": "\n\n".join(row.sentences),
            "due_by": english_day(row.due_on),
            "signal_url": self._links.signal(row.id),
        }
        key = {"signal_id": row.id, "due_on": row.due_on}
        passed_at = datetime.combine(row.due_on + timedelta(days=1), time(), ZoneInfo(policy.agency.time_zone))
        letter_id = uuid5(row.id, str(row.due_on))
        return Alert(LetterKind.SIGNAL_OVERDUE, signal_escalation, key, letter_id, passed_at, values)

    def _failed(self, row: Row[Any]) -> Alert:
        command = FixEvent.model_validate_json(row.canonical).command
        assert isinstance(command, FindNotEffective | Relapse)
        values = {
            "fix": row.title,
            "finding": " ".join(command.effect.sentences),
            "owner_name": row.owner,
            "fix_url": self._links.fix(row.fix_id),
        }
        key = {"fix_id": row.fix_id, "sequence": row.sequence}
        return Alert(LetterKind.FIX_ALERT, fix_alert, key, uuid5(row.fix_id, str(row.sequence)), row.at, values)

    async def _send(self, policy: Policy, executive: Executive, alert: Alert) -> bool:
        """Send one letter and note it, while nobody else can; return whether it left."""
        agency = policy.agency
        message_id = f"<{alert.id}@{self._mail_from.partition('@')[2]}>"
        row = {**alert.key, "agency": agency.slug, "message_id": message_id, "told_at": self._clock()}
        try:
            async with transaction(self._engine, agency.slug) as connection:
                note = upsert(alert.table).values(row).on_conflict_do_nothing().returning(alert.table.c.message_id)
                if (await connection.execute(note)).one_or_none() is None:
                    return False  # another worker was quicker
                await self._mailer.send(self._mail(policy, executive, alert, message_id))
        except (NotDeliveredYet, Undeliverable, LookupError, MissingValues) as problem:
            _log.error("a letter to the accountable executive of %s did not leave: %s", agency.slug, problem)
            return False
        return True

    def _mail(self, policy: Policy, executive: Executive, alert: Alert, message_id: str) -> Mail:
        agency = policy.agency
        language = agency.languages[0]
        said = always_there(agency, "", alert.at, language) | {"executive_title": executive.title, **alert.values}
        filled = policy.letter(alert.kind).in_plain_text().filled(said)
        return Mail(
            message_id=message_id,
            sender=self._mail_from,
            sender_name=agency.name,
            reply_to=agency.contact.email,
            recipients=(executive.email,),
            subject=filled.subject,
            body=filled.body,
            language=language,
            written_at=alert.at,
            written_on=day_at(agency, alert.at),
        )
