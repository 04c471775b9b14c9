# SPDX-License-Identifier: Apache-2.0
"""Nightly: learning from what people have coded, reading what is open with it, and the week's look.

Learning takes seconds to a minute of one processor and up to two gigabytes, in a process of its own. What was learnt is
stored, so that every worker suggests the same: weights of runs of words and letters under the numbers they are hashed
to, no text. A text that was removed yesterday is not learnt from today, and the older models' numbers are taken away.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio import activity

from activities.database import transaction
from activities.interface import TextLearning, TextLearnt, TextLook, Texts, TextsLookedAt
from activities.policies import Policies
from activities.text_apart import apart as in_another_process
from activities.text_apart import sums_loaded
from activities.text_reading import Reader
from activities.text_rows import (
    CODED,
    LEAST_CASES,
    CodedText,
    Kind,
    Newest,
    answered_texts,
    coded_so_far,
    coded_texts,
    newest_models,
    store_model,
)
from activities.text_weekly import Apart, done, gathered, rows_of, store

if TYPE_CHECKING:
    from activities.text_sums import Fitted

LEARNT_FROM = 30_000
"""The newest so many issues: older ones tell of other forms and other words, and memory is bounded."""
LEAST_CASES_PER_CODE = 5
_A_WORD = re.compile(r"[^\W_]")
LAID_OUT = 10_000
"""So many of the newest answered complaints are looked through for those alike."""


class DatabaseTexts(Texts):
    """Learning and reading on the record in PostgreSQL."""

    def __init__(self, engine: AsyncEngine, policies: Policies, *, apart: Apart = in_another_process) -> None:
        """`apart` does a long sum."""
        self._engine = engine
        self._policies = policies
        self._apart = apart
        self.reader = Reader(engine, policies)
        self._tried: dict[str, tuple[int, int]] = {}

    @activity.defn(name="learn_texts")
    async def learn_texts(self, learning: TextLearning) -> TextLearnt:
        """Learn from what people have coded, once a day; what has taught nothing new leaves all as it is."""
        agency, kind = learning.agency, learning.kind
        async with transaction(self._engine, agency) as connection:
            made_for = await self._local_day(connection, agency, learning.asked_at)
            newest = (await newest_models(connection, agency)).get(kind)
            if newest is not None and newest.made_for >= made_for:
                return TextLearnt(version=newest.version, is_new=False)
            texts, codes = await _material(connection, agency, kind)
        if not texts:
            return await self._unlearnt(agency, kind, made_for, newest, learning.asked_at)
        await sums_loaded()
        from activities.text_sums import fitted, laid_out  # noqa: PLC0415 - a worker starts without the sums

        known_hash = newest.training_hash if newest else ""
        work = laid_out if kind == "likeness" else fitted
        model: Fitted | None = await self._apart(work, texts, codes, known_hash)
        if model is None:
            return TextLearnt(version=newest.version if newest else 0, is_new=False)
        return await self._store(agency, kind, made_for, newest, model, learning.asked_at)

    @activity.defn(name="read_texts")
    async def read_texts(self, look: TextLook) -> int:
        """Read every case that the newest models have not read, and return how many."""
        await self.reader.forget(look.agency, look.asked_at)
        return await self.reader.read_all(look.agency, look.asked_at)

    @activity.defn(name="look_at_texts")
    async def look_at_texts(self, look: TextLook) -> TextsLookedAt:
        """Choose what to code first, see what has changed and what is new, once a week."""
        agency, now = look.agency, look.asked_at
        async with transaction(self._engine, agency) as connection:
            today = await self._local_day(connection, agency, now)
            week = today - timedelta(days=today.weekday())
            stands = await done(connection, agency, week)
            if stands.is_compared and stands.is_queued:
                return TextsLookedAt(queued=0, changed=0, new_failures=0)
            seen = await gathered(connection, agency, now)
        await sums_loaded()
        drifts, queue, new = await rows_of(self._apart, agency, week, stands, seen, now)
        async with transaction(self._engine, agency) as connection:
            await store(connection, drifts, queue, new)
        changed = sum(bool(one["shares"]) for one in drifts)
        return TextsLookedAt(queued=len(queue), changed=changed, new_failures=len(new))

    async def first_night(self, agency: str, at: datetime) -> None:
        """Do all that a night does, for an agency that has learnt nothing yet; leave any other alone.

        What did not do is tried again when more is coded, so that asking often costs a count.
        """
        async with transaction(self._engine, agency) as connection:
            if set(CODED) & set(await newest_models(connection, agency)):
                return
            coded = await coded_so_far(connection, agency)
        if max(coded) < LEAST_CASES or coded == self._tried.get(agency):
            return
        self._tried[agency] = coded
        look = TextLook(agency=agency, asked_at=at)
        try:
            causes = await self._learn(agency, "failure", at)
            if causes:
                # What to code first goes by the root causes alone: nobody waits until the rest is learnt.
                await self.read_texts(look)
                await self.look_at_texts(look)
            kinds = await self._learn(agency, "category", at)
        except (SQLAlchemyError, OSError):  # the record was away: nothing was tried
            del self._tried[agency]
            raise
        if causes or kinds:
            await self._learn(agency, "likeness", at)
            await self.read_texts(look)
            await self.look_at_texts(look)

    async def _learn(self, agency: str, kind: Kind, at: datetime) -> int:
        """Learn, and return the version of what is known then; 0: nothing."""
        return (await self.learn_texts(TextLearning(agency=agency, kind=kind, asked_at=at))).version

    async def _local_day(self, connection: AsyncConnection, agency: str, at: datetime) -> date:
        _, policy = await self._policies.in_force(connection, agency, at)
        return at.astimezone(ZoneInfo(policy.agency.time_zone)).date()

    async def _store(
        self, agency: str, kind: Kind, made_for: date, newest: Newest | None, model: Fitted, fitted_at: datetime
    ) -> TextLearnt:
        """Store a model, or answer with the one that another worker has stored for the day meanwhile."""
        told = {
            "cases": model.cases,
            "labels": model.labels,
            "checked_cases": model.checked_cases,
            "accuracy": model.accuracy,
            "calibration_error": model.calibration_error,
            "training_hash": model.training_hash,
            "payload": model.payload,
        }
        return await self._stored(agency, kind, newest, {"made_for": made_for, "fitted_at": fitted_at, **told})

    async def _unlearnt(
        self, agency: str, kind: Kind, made_for: date, newest: Newest | None, at: datetime
    ) -> TextLearnt:
        """Answer that there is too little to learn from; what was learnt before goes, for some of it was removed."""
        if newest is None or not newest.training_hash:
            return TextLearnt(version=newest.version if newest else 0, is_new=False)
        nothing = {"cases": 0, "labels": 0, "checked_cases": 0, "training_hash": "", "payload": None}
        return await self._stored(agency, kind, newest, {"made_for": made_for, "fitted_at": at, **nothing})

    async def _stored(self, agency: str, kind: Kind, newest: Newest | None, told: dict[str, Any]) -> TextLearnt:
        version = (newest.version if newest else 0) + 1
        async with transaction(self._engine, agency) as connection:
            await store_model(connection, {"agency": agency, "kind": kind, "version": version, **told})
            stored = (await newest_models(connection, agency))[kind]
        return TextLearnt(version=stored.version, is_new=stored.training_hash == told["training_hash"])


async def _material(connection: AsyncConnection, agency: str, kind: Kind) -> tuple[list[str], list[str]]:
    """Return texts and what goes with each: the code, or the case's id; none where they are too few."""
    if kind == "likeness":
        answered = await answered_texts(connection, agency, LAID_OUT)
        return [words for _, words in answered], [str(case_id) for case_id, _ in answered]
    coded = await coded_texts(connection, agency, kind, limit=LEARNT_FROM)
    return _teaching(coded)


def _teaching(coded: Sequence[CodedText]) -> tuple[list[str], list[str]]:
    """Return texts and codes that can be learnt from: without words, or with a code seldom given, none can."""
    count = Counter(one.code for one in coded)
    kept = [one for one in coded if count[one.code] >= LEAST_CASES_PER_CODE and _A_WORD.search(one.words)]
    codes = [one.code for one in kept]
    if len(kept) < LEAST_CASES or len(set(codes)) < 2:  # noqa: PLR2004 - two codes are the fewest to choose from
        return [], []
    return [one.words for one in kept], codes
