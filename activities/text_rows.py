# SPDX-License-Identifier: Apache-2.0
"""Texts, codes and what was found in them: the queries of everything that reads complaints' words.

A text that was removed from `content` is not found here, and so is in nothing that is made afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from models.tables.text import text_model

Kind = Literal["category", "failure", "likeness"]
CODED: tuple[Kind, ...] = ("category", "failure")
KINDS: tuple[Kind, ...] = (*CODED, "likeness")
LEAST_CASES = 50
"""Fewer coded issues teach nothing."""
TEXTS_WITH_A_WORD = 5
"""A word that fewer texts have is not named as one of many."""
WINDOW = timedelta(weeks=26)
"""Copies of a letter are looked for so far back; older complaints are read no more."""

# Each issue that a person has coded, with the words it is about. A case from another system has the kind of problem
# that was given there, and no root cause.
_CODED_ISSUES = """
    FROM case_file f
    CROSS JOIN LATERAL jsonb_array_elements(f.snapshot -> 'issues') AS issue
    JOIN content c ON c.case_id = f.case_id
        AND c.id = coalesce(issue #>> '{words,id}', f.snapshot #>> '{receipt,narrative,id}')::uuid
    WHERE f.agency = :agency AND f.state NOT IN ('withdrawn', 'duplicate')
"""
_CODE = {
    "category": "CASE WHEN f.severity IS NOT NULL OR f.is_history THEN issue ->> 'category' END",
    "failure": "coalesce(issue #>> '{cause,failure}', issue #>> '{cause,reason}')",
}
_NEWEST_TEXTS = text("""
    SELECT f.case_id, c.body FROM case_file f
    JOIN content c ON c.case_id = f.case_id AND c.id = (f.snapshot #>> '{receipt,narrative,id}')::uuid
    WHERE f.agency = :agency AND f.state NOT IN ('withdrawn', 'duplicate') AND f.answered_at IS NOT NULL
    ORDER BY f.sort_at DESC, f.case_id LIMIT :limit
""")
# What an issue is about may change while the number of issues stays: each one's number and text.
_ISSUES_HASH = """
    md5((SELECT coalesce(string_agg(concat_ws(':', issue ->> 'number', issue #>> '{words,id}'), ','
                                    ORDER BY (issue ->> 'number')::integer), '')
         FROM jsonb_array_elements(coalesce(f.snapshot -> 'issues', '[]')) AS issue))
"""
_TO_READ = text(f"""
    SELECT f.case_id, f.sort_at, f.is_open, f.severity IS NOT NULL AS is_triaged, r.case_id IS NOT NULL AS was_read,
           f.snapshot #>> '{{receipt,narrative,id}}' AS narrative,
           coalesce(f.snapshot -> 'issues', '[]') AS issues, {_ISSUES_HASH} AS issues_hash
    FROM case_file f LEFT JOIN text_read r ON r.case_id = f.case_id
    WHERE f.agency = :agency AND f.last_event_at >= :changed_since AND (f.is_open OR NOT f.is_history)
      AND ((r.case_id IS NULL AND (f.is_open OR f.sort_at >= :received_since))
           OR (f.is_open AND (r.models <> :models OR r.issues_hash <> {_ISSUES_HASH})))
    ORDER BY f.sort_at, f.case_id LIMIT :limit
""")  # noqa: S608 - only our own constant is put in
_TEXTS = text("""
    SELECT case_id, id, body FROM content
    WHERE case_id = ANY (:case_ids) AND id = ANY (:ids) AND agency = :agency
""")
_NARRATIVES = text("""
    SELECT f.case_id, c.body FROM case_file f
    JOIN content c ON c.case_id = f.case_id AND c.id = (f.snapshot #>> '{receipt,narrative,id}')::uuid
    WHERE f.case_id = ANY (:case_ids)
""")
_NEWEST = text("""
    SELECT DISTINCT ON (kind) kind, version, made_for, training_hash FROM text_model
    WHERE agency = :agency ORDER BY kind, version DESC
""")
_SHARING = text("""
    SELECT key, letter_id, case_id, seen_at FROM text_band
    WHERE agency = :agency AND key = ANY (:keys) AND seen_at >= :seen_since ORDER BY seen_at DESC LIMIT :limit
""")
_PUT_BANDS = text("""
    INSERT INTO text_band (agency, key, letter_id, case_id, seen_at)
    SELECT DISTINCT ON (key, letter_id) :agency, key, letter_id, case_id, seen_at
    FROM unnest(CAST(:keys AS bigint[]), CAST(:letter_ids AS uuid[]), CAST(:case_ids AS uuid[]),
                CAST(:seen AS timestamptz[])) AS one (key, letter_id, case_id, seen_at)
    ORDER BY key, letter_id, seen_at
    ON CONFLICT (agency, key, letter_id) DO UPDATE SET seen_at = greatest(text_band.seen_at, excluded.seen_at)
""")
_FORGET = (
    # What a text has left behind goes when the text has gone.
    text("""
        DELETE FROM text_suggestion s WHERE s.agency = :agency
        AND NOT EXISTS (SELECT FROM content c WHERE c.case_id = s.case_id AND c.kind = 'narrative')
    """),
    text("""
        DELETE FROM text_band b WHERE b.agency = :agency AND (b.seen_at < :seen_since
        OR NOT EXISTS (SELECT FROM content c WHERE c.case_id = b.case_id AND c.kind = 'narrative'))
    """),
    # Of the weeks' looks only the newest is shown. A look goes when a text it names is gone, or when too few texts are
    # left with one of its words; the comparison, which reaches back 34 weeks, is then made anew the same night.
    text("""
        DELETE FROM text_new_failure n WHERE n.agency = :agency
        AND (n.week < (SELECT max(week) FROM text_drift WHERE agency = :agency)
             OR EXISTS (SELECT FROM unnest(n.case_ids) AS member (case_id) WHERE NOT EXISTS (
                 SELECT FROM content c WHERE c.case_id = member.case_id AND c.kind = 'narrative')))
    """),
    text("""
        DELETE FROM text_drift d WHERE d.agency = :agency
        AND d.week < (SELECT max(week) FROM text_drift WHERE agency = :agency)
    """),
    text(r"""
        DELETE FROM text_drift d WHERE d.agency = :agency AND EXISTS (
            SELECT FROM text_drift named CROSS JOIN unnest(named.words) AS word
            WHERE named.agency = :agency AND (
                SELECT count(*) FROM (
                    SELECT FROM case_file f JOIN content c ON c.case_id = f.case_id
                    WHERE f.agency = :agency AND f.sort_at >= named.made_at - interval '34 weeks'
                    AND (c.kind = 'narrative' OR c.kind LIKE 'issue-%')
                    AND normalize(lower(c.body), NFKC) ~ ('\m' || word || '\M') LIMIT :texts_with_a_word
                ) AS found) < :texts_with_a_word)
    """),
)
_CODED_SO_FAR = text("""
    SELECT (SELECT count(*) FROM case_issue i JOIN case_file f USING (case_id)
            WHERE f.agency = :agency AND (f.severity IS NOT NULL OR f.is_history)) AS category,
           (SELECT count(*) FROM case_tag WHERE agency = :agency) AS failure
""")
_TURN = text("SELECT pg_try_advisory_xact_lock(hashtextextended('putright.text/' || :agency, 0))")


@dataclass(frozen=True, slots=True)
class CodedText:
    """The words of an issue and the code a person gave it."""

    case_id: UUID
    received_at: datetime
    words: str
    code: str


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest model of a kind; its hash is empty where too little was left to learn from."""

    version: int
    made_for: date
    training_hash: str


@dataclass(frozen=True, slots=True)
class Unread:
    """A case whose words wait to be read; `numbers` are its issues without a root cause, and what text each has."""

    case_id: UUID
    received_at: datetime
    is_open: bool
    is_triaged: bool
    was_read: bool
    narrative: str
    issues_hash: str
    numbers: tuple[tuple[int, str], ...]


async def coded_texts(
    connection: AsyncConnection, agency: str, kind: Kind, *, since: datetime | None = None, limit: int
) -> list[CodedText]:
    """Return the newest issues that people have coded, the oldest of them first."""
    # Both parts are this module's own words; what is asked for goes in as parameters.
    query = text(f"""
        SELECT * FROM (
            SELECT f.case_id, f.sort_at, c.body, {_CODE[kind]} AS code {_CODED_ISSUES}
              AND (CAST(:since AS timestamptz) IS NULL OR f.sort_at >= :since)
        ) AS coded WHERE code IS NOT NULL ORDER BY sort_at DESC, case_id DESC, code LIMIT :limit
    """)  # noqa: S608
    rows = await connection.execute(query, {"agency": agency, "since": since, "limit": limit})
    return [CodedText(row.case_id, row.sort_at, row.body, row.code) for row in rows][::-1]


async def coded_so_far(connection: AsyncConnection, agency: str) -> tuple[int, int]:
    """Return about how many issues have a kind of problem, and a root cause, without looking into any of them."""
    row = (await connection.execute(_CODED_SO_FAR, {"agency": agency})).one()
    return row.category, row.failure


async def answered_texts(connection: AsyncConnection, agency: str, limit: int) -> list[tuple[UUID, str]]:
    """Return the newest answered complaints in their complainants' words."""
    rows = await connection.execute(_NEWEST_TEXTS, {"agency": agency, "limit": limit})
    return [(row.case_id, row.body) for row in rows]


async def newest_models(connection: AsyncConnection, agency: str) -> dict[str, Newest]:
    """Return the newest model of each kind that the agency has."""
    rows = await connection.execute(_NEWEST, {"agency": agency})
    return {row.kind: Newest(row.version, row.made_for, row.training_hash) for row in rows}


async def payload_of(connection: AsyncConnection, agency: str, kind: Kind, version: int) -> bytes | None:
    """Return a stored model; None where a newer one has taken its place."""
    query = select(text_model.c.payload).where(
        text_model.c.agency == agency, text_model.c.kind == kind, text_model.c.version == version
    )
    return (await connection.execute(query)).scalar_one_or_none()


async def store_model(connection: AsyncConnection, row: dict[str, Any]) -> None:
    """Store a model, if that day has none, and take away what the older ones held."""
    await connection.execute(upsert(text_model).values(row).on_conflict_do_nothing())
    older = (text_model.c.version < row["version"], text_model.c.payload.is_not(None))
    mine = (text_model.c.agency == row["agency"], text_model.c.kind == row["kind"])
    await connection.execute(update(text_model).where(*mine, *older).values(payload=None))


async def is_our_turn(connection: AsyncConnection, agency: str) -> bool:
    """Return whether this transaction, and no other meanwhile, reads the agency's complaints."""
    return bool(await connection.scalar(_TURN, {"agency": agency}))


async def unread(
    connection: AsyncConnection, agency: str, models: str, *, changed_since: datetime, now: datetime, limit: int
) -> list[Unread]:
    """Return some cases that were not read under these models, or have other issues since, the oldest first."""
    asked = {"agency": agency, "models": models, "changed_since": changed_since, "limit": limit}
    rows = await connection.execute(_TO_READ, {**asked, "received_since": now - WINDOW})
    return [
        Unread(
            row.case_id,
            row.sort_at,
            row.is_open,
            row.is_triaged,
            row.was_read,
            row.narrative or "",
            row.issues_hash,
            tuple(_uncoded(row.issues, row.narrative or "")),
        )
        for row in rows
    ]


def _uncoded(issues: Sequence[dict[str, Any]], narrative: str) -> Iterable[tuple[int, str]]:
    if not issues:
        yield 1, narrative
    for issue in issues:
        if not issue.get("cause"):
            yield issue["number"], (issue.get("words") or {}).get("id") or narrative


async def texts_of(connection: AsyncConnection, agency: str, cases: Sequence[Unread]) -> dict[tuple[UUID, str], str]:
    """Return the texts of cases by case and id; those removed are absent."""
    ids = {found for one in cases for found in (one.narrative, *(words for _, words in one.numbers)) if found}
    asked = {"agency": agency, "case_ids": [one.case_id for one in cases], "ids": [UUID(found) for found in ids]}
    rows = await connection.execute(_TEXTS, asked)
    return {(row.case_id, str(row.id)): row.body for row in rows}


async def narratives_of(connection: AsyncConnection, case_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return what complainants wrote; what was removed is absent."""
    rows = await connection.execute(_NARRATIVES, {"case_ids": list(case_ids)})
    return {row.case_id: row.body for row in rows}


async def letters_sharing(
    connection: AsyncConnection, agency: str, keys: Iterable[int], *, seen_since: datetime, limit: int
) -> list[tuple[int, UUID, UUID, datetime]]:
    """Return key, letter, the case that brought the key and when it was last seen, of letters with one of the keys."""
    asked = {"agency": agency, "keys": list(keys), "seen_since": seen_since, "limit": limit}
    rows = await connection.execute(_SHARING, asked)
    return [(row.key, row.letter_id, row.case_id, row.seen_at) for row in rows]


async def put_bands(connection: AsyncConnection, agency: str, rows: Sequence[tuple[int, UUID, UUID, datetime]]) -> None:
    """Note the keys of letters: key, letter, the case that brought it, and when that was received."""
    if rows:
        keys, letters, cases, seen = zip(*rows, strict=True)
        told = {"keys": list(keys), "letter_ids": list(letters), "case_ids": list(cases), "seen": list(seen)}
        await connection.execute(_PUT_BANDS, {"agency": agency, **told})


async def forget(connection: AsyncConnection, agency: str, now: datetime) -> None:
    """Take away what removed texts have left behind, letters' keys that are out of date, and past weeks' looks."""
    asked = {"agency": agency, "seen_since": now - WINDOW, "texts_with_a_word": TEXTS_WITH_A_WORD}
    for statement in _FORGET:
        await connection.execute(statement, {name: asked[name] for name in statement.compile().params})
