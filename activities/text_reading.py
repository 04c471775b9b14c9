# SPDX-License-Identifier: Apache-2.0
"""Reading complaints soon after they come in: what they may be coded as, whose letter they copy, which cases are alike.

Nothing is tagged here; what is found stands beside the case until a person has decided. Read again, a case gives the
same under the same models; two workers never read for one agency at the same time.
"""

from __future__ import annotations

import asyncio
import logging
import zipfile
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from activities.database import transaction
from activities.policies import Policies
from activities.text_apart import sums_loaded
from activities.text_rows import (
    KINDS,
    WINDOW,
    Kind,
    Unread,
    forget,
    is_our_turn,
    letters_sharing,
    narratives_of,
    newest_models,
    payload_of,
    put_bands,
    texts_of,
    unread,
)
from models.policy import Policy
from models.tables.text import text_copy, text_read, text_suggestion
from models.taxonomy import Kind as TermKind

if TYPE_CHECKING:
    from activities.text_sums import Letter

AT_ONCE = 200
LATELY = timedelta(days=2)
"""So far back changed cases are looked for between two nights."""
OUR_TURN_AFTER = timedelta(seconds=1)
CANDIDATES = 20
_SHARED_AT_MOST = 50_000
_MODELS_KEPT = 6
"""In memory, over all agencies."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Copy:
    """A case that came with another's letter."""

    case_id: UUID
    of_case_id: UUID
    similarity: float


class Reader:
    """Reads what has not been read, some cases at a time."""

    def __init__(self, engine: AsyncEngine, policies: Policies) -> None:
        self._engine = engine
        self._policies = policies
        self._known: OrderedDict[tuple[str, Kind, int], Any] = OrderedDict()

    async def read_lately(self, agency: str, now: datetime) -> int:
        """Read an agency's complaints that came in or changed lately; return how many."""
        read = 0
        while some := await self.read_some(agency, now, since=now - LATELY):
            read += some
        return read

    async def read_all(self, agency: str, now: datetime) -> int:
        """Read all that the newest models have not read of an agency, after whoever else is reading for it."""
        read = 0
        while (some := await self.read_some(agency, now, since=now - 2 * WINDOW)) != 0:
            if some is None:
                await asyncio.sleep(OUR_TURN_AFTER.total_seconds())
            read += some or 0
        return read

    async def read_some(self, agency: str, now: datetime, *, since: datetime) -> int | None:
        """Read some; None where another worker is reading for the agency."""
        async with transaction(self._engine, agency) as connection:
            if not await is_our_turn(connection, agency):
                return None
            newest = {kind: found.version for kind, found in (await newest_models(connection, agency)).items()}
            self._drop(agency, newest)
            models = "/".join(str(newest.get(kind, 0)) for kind in KINDS)
            cases = await unread(connection, agency, models, changed_since=since, now=now, limit=AT_ONCE)
            if not cases:
                return 0
            await sums_loaded()
            texts = await texts_of(connection, agency, cases)
            _, policy = await self._policies.in_force(connection, agency, now)

            async def read(these: Sequence[Unread]) -> None:
                await self._suggest(connection, agency, policy, newest, these, texts, now)
                await _find_copies(connection, agency, these, texts, now)
                nearest = await self._nearest(connection, agency, newest.get("likeness", 0), these, texts)
                await _note_read(connection, agency, these, models, nearest, now)

            for one in await _unreadable(connection, cases, read):
                await connection.execute(delete(text_suggestion).where(text_suggestion.c.case_id == one.case_id))
                await _note_read(connection, agency, [one], models, {}, now)
            return len(cases)

    def _drop(self, agency: str, newest: Mapping[str, int]) -> None:
        """Forget the agency's models that are no longer the newest: they may hold what was removed since."""
        for known in [one for one in self._known if one[0] == agency and one[2] != newest.get(one[1])]:
            del self._known[known]

    async def forget(self, agency: str, now: datetime) -> None:
        """Take away what removed texts have left behind."""
        async with transaction(self._engine, agency) as connection:
            await forget(connection, agency, now)

    async def _suggest(
        self,
        connection: AsyncConnection,
        agency: str,
        policy: Policy,
        newest: Mapping[str, int],
        cases: Sequence[Unread],
        texts: Mapping[tuple[UUID, str], str],
        now: datetime,
    ) -> None:
        """Store what each issue without a code may be."""
        on = policy.calendar.local_date(now)
        may_be: dict[Kind, frozenset[str]] = {
            "category": _codes(policy, on, TermKind.INTAKE),
            "failure": _codes(policy, on, TermKind.FAILURE, TermKind.NON_FAILURE),
        }
        for kind, codes in may_be.items():
            asked = [
                (one.case_id, number, words)
                for one in cases
                if one.is_open and not (kind == "category" and one.is_triaged)
                for number, text_id in one.numbers
                if (words := texts.get((one.case_id, text_id)))
            ]
            suggester = await self._model(connection, agency, kind, newest.get(kind, 0))
            if asked and suggester is not None:
                from activities.text_sums import proposed  # noqa: PLC0415 - a worker starts without the sums

                found = await asyncio.to_thread(proposed, suggester, [words for _, _, words in asked], codes)
                rows = [
                    {
                        "case_id": case_id,
                        "number": number,
                        "kind": kind,
                        "agency": agency,
                        "version": newest[kind],
                        "codes": list(one.codes),
                        "chances": list(one.chances),
                        "abstained": one.abstained,
                        "words": one.words,
                        "made_at": now,
                    }
                    for (case_id, number, _), one in zip(asked, found, strict=True)
                ]
                await _put(connection, rows)

    async def _nearest(
        self,
        connection: AsyncConnection,
        agency: str,
        version: int,
        cases: Sequence[Unread],
        texts: Mapping[tuple[UUID, str], str],
    ) -> dict[UUID, list[tuple[UUID, float]]]:
        """Return the cases most alike to each open one."""
        likeness = await self._model(connection, agency, "likeness", version)
        if likeness is None:
            return {}
        asked = [
            (one.case_id, words) for one in cases if one.is_open and (words := texts.get((one.case_id, one.narrative)))
        ]
        return await asyncio.to_thread(lambda: {case_id: likeness.nearest(case_id, words) for case_id, words in asked})

    async def _model(self, connection: AsyncConnection, agency: str, kind: Kind, version: int) -> Any:  # noqa: ANN401 - its class comes with the sums
        """Return a model ready for use, None where there is none that this version can read."""
        which = (agency, kind, version)
        if which not in self._known:
            payload = await payload_of(connection, agency, kind, version) if version else None
            self._known[which] = None if payload is None else await asyncio.to_thread(_opened, kind, payload)
            while len(self._known) > _MODELS_KEPT:
                self._known.popitem(last=False)
        self._known.move_to_end(which)
        return self._known[which]


async def _unreadable(
    connection: AsyncConnection, cases: Sequence[Unread], read: Callable[[Sequence[Unread]], Awaitable[None]]
) -> list[Unread]:
    """Read cases together, or else each by itself, and return those that the sums cannot take, whatever it is.

    They are tried again under newer models. What the record refuses is no text's fault, and is raised.
    """
    try:
        async with connection.begin_nested():
            await read(cases)
    except (SQLAlchemyError, OSError):
        raise
    except Exception as fault:  # noqa: BLE001 - one text must not keep the others from being read
        if len(cases) == 1:
            _log.error("case %s cannot be read (%s), going on", cases[0].case_id, type(fault).__name__)
            return list(cases)
        return [found for one in cases for found in await _unreadable(connection, [one], read)]
    return []


def _opened(kind: Kind, payload: bytes) -> Any:  # noqa: ANN401 - its class comes with the sums
    """Return a stored model ready for use; None where another version stored it: the next night makes a new one."""
    from activities import text_sums  # noqa: PLC0415 - a worker starts without the sums

    try:
        return text_sums.likeness_of(payload) if kind == "likeness" else text_sums.suggester_of(payload)
    except (KeyError, ValueError, zipfile.BadZipFile) as fault:
        _log.warning("a stored model of the %s is not read (%s)", kind, type(fault).__name__)
        return None


def _codes(policy: Policy, on: Any, *kinds: TermKind) -> frozenset[str]:  # noqa: ANN401
    return frozenset(term.code for kind in kinds for term in policy.taxonomy.of(kind, on=on))


async def _put(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    new = upsert(text_suggestion)
    told = {name: new.excluded[name] for name in ("version", "codes", "chances", "abstained", "words", "made_at")}
    keys = ["case_id", "number", "kind"]
    await connection.execute(new.on_conflict_do_update(index_elements=keys, set_=told), rows)


async def _find_copies(
    connection: AsyncConnection,
    agency: str,
    cases: Sequence[Unread],
    texts: Mapping[tuple[UUID, str], str],
    now: datetime,
) -> None:
    """Note which of the cases, read for the first time, came with a letter that another came with before."""
    first_time = [one for one in cases if not one.was_read]
    received_at = {one.case_id: one.received_at for one in first_time}
    asked = [(one.case_id, words) for one in first_time if (words := texts.get((one.case_id, one.narrative)))]
    if not asked:
        return
    from activities.text_sums import letters  # noqa: PLC0415 - a worker starts without the sums

    found = await asyncio.to_thread(letters, asked)
    keys = sorted({key for letter in found for key in letter.keys})
    since = min(received_at.values()) - WINDOW
    sharing = await letters_sharing(connection, agency, keys, seen_since=since, limit=_SHARED_AT_MOST)
    known = await narratives_of(connection, {case_id for _, _, case_id, _ in sharing})
    copies, letter_of = await asyncio.to_thread(_compared, found, sharing, known, received_at)
    bands = [
        (key, letter_of[letter.case_id], letter.case_id, received_at[letter.case_id])
        for letter in found
        for key in letter.keys
    ]
    await put_bands(connection, agency, bands)
    rows = [
        {
            "case_id": one.case_id,
            "agency": agency,
            "of_case_id": one.of_case_id,
            "similarity": one.similarity,
            "found_at": now,
        }
        for one in copies
    ]
    if rows:
        await connection.execute(upsert(text_copy).on_conflict_do_nothing(), rows)


def _compared(
    letters: Iterable[Letter],
    sharing: Iterable[tuple[int, UUID, UUID, datetime]],
    known: Mapping[UUID, str],
    received_at: Mapping[UUID, datetime],
) -> tuple[list[Copy], dict[UUID, UUID]]:
    """Return the copies among letters, in order, and the first case of each one's letter.

    Compared are the cases that share most keys, of letters seen in the half year before; run of words by run of words.
    """
    from activities.text_sums import LEAST_JACCARD, likenesses  # noqa: PLC0415 - a worker starts without the sums

    letter_of: dict[UUID, UUID] = {}
    seen: dict[UUID, datetime] = {}
    words = dict(known)
    holders: defaultdict[int, set[UUID]] = defaultdict(set)
    for key, letter_id, case_id, seen_at in sharing:
        if case_id in known:
            letter_of[case_id] = letter_id
            seen[letter_id] = max(seen_at, seen.get(letter_id, seen_at))
            holders[key].add(case_id)
    copies = []
    for letter in letters:
        at = received_at[letter.case_id]
        shared = Counter(held for key in letter.keys for held in holders[key] if seen[letter_of[held]] >= at - WINDOW)
        nearest = sorted(shared, key=lambda case_id: (-shared[case_id], case_id))[:CANDIDATES]
        alike = likenesses(letter.text, [words[case_id] for case_id in nearest]) if nearest else []
        best = max(range(len(alike)), key=lambda place: alike[place], default=None)
        own = letter.case_id
        if best is not None and alike[best] >= LEAST_JACCARD:
            own = letter_of[nearest[best]]
            copies.append(Copy(letter.case_id, own, alike[best]))
        letter_of[letter.case_id], words[letter.case_id] = own, letter.text
        seen[own] = max(at, seen.get(own, at))
        for key in letter.keys:
            # One holder of a key for each letter is enough: a campaign must not make its every letter slower.
            if not any(letter_of[held] == own for held in holders[key]):
                holders[key].add(letter.case_id)
    return copies, letter_of


async def _note_read(
    connection: AsyncConnection,
    agency: str,
    cases: Sequence[Unread],
    models: str,
    nearest: Mapping[UUID, Sequence[tuple[UUID, float]]],
    now: datetime,
) -> None:
    new = upsert(text_read)
    told = {name: new.excluded[name] for name in ("models", "issues_hash", "nearest", "cosines", "read_at")}
    rows = [
        {
            "case_id": one.case_id,
            "agency": agency,
            "models": models,
            "issues_hash": one.issues_hash,
            "nearest": [case_id for case_id, _ in nearest.get(one.case_id, ())],
            "cosines": [cosine for _, cosine in nearest.get(one.case_id, ())],
            "read_at": now,
        }
        for one in cases
    ]
    await connection.execute(new.on_conflict_do_update(index_elements=["case_id"], set_=told), rows)
