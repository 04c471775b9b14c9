# SPDX-License-Identifier: Apache-2.0
"""What the words of complaints told the worker: suggestions, copies, likeness, what to code first, what has changed.

Rows only: nothing here computes, so that the interface needs no library for sums. The words of a text that has been
removed are told no more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

COPIES_SHOWN = 10
_SUGGESTED = text("""
    SELECT s.number, s.kind, s.version, s.codes, s.chances, s.abstained, s.words, s.made_at FROM text_suggestion s
    WHERE s.case_id = :case_id AND EXISTS (SELECT FROM content c WHERE c.case_id = s.case_id AND c.kind = 'narrative')
    ORDER BY s.kind, s.number
""")
_LETTER = """
    SELECT CAST(:case_id AS uuid) AS case_id,
           coalesce((SELECT of_case_id FROM text_copy WHERE case_id = :case_id), :case_id) AS letter_id
"""
_COPIES = text(f"""
    WITH asked AS ({_LETTER}), letter AS (
        SELECT c.case_id FROM asked JOIN text_copy c ON c.of_case_id = asked.letter_id
        UNION ALL SELECT letter_id FROM asked
    )
    SELECT f.case_id, f.reference, f.service, f.category, f.state, f.received_at, count(*) OVER () AS in_all
    FROM letter JOIN case_file f USING (case_id) WHERE f.case_id <> :case_id
    ORDER BY f.sort_at, f.case_id LIMIT :limit
""")  # noqa: S608 - only our own constant is put in
_NEAREST = text("""
    SELECT f.case_id, f.reference, f.service, f.category, f.state, f.received_at, near.cosine,
           (SELECT array_agg(coalesce(t.failure, t.no_failure) ORDER BY t.number) FROM case_tag t
            WHERE t.case_id = f.case_id) AS codes
    FROM text_read r CROSS JOIN unnest(r.nearest, r.cosines) WITH ORDINALITY AS near (id, cosine, place)
    JOIN case_file f ON f.case_id = near.id
    WHERE r.case_id = :case_id ORDER BY near.place
""")
_QUEUE = text("""
    SELECT q.week, q.place, q.case_id, q.number, q.uncertainty, q.distinctness, f.reference, f.state, f.is_open,
           f.owner, f.team, coalesce(i.service, f.service) AS service, coalesce(i.category, f.category) AS category,
           EXISTS (SELECT FROM case_tag t WHERE t.case_id = q.case_id AND t.number = q.number) AS is_coded,
           s.codes, s.chances, s.abstained
    FROM coding_queue q JOIN case_file f USING (case_id)
    LEFT JOIN case_issue i ON i.case_id = q.case_id AND i.number = q.number
    LEFT JOIN text_suggestion s ON s.case_id = q.case_id AND s.number = q.number AND s.kind = 'failure'
    WHERE q.week = (SELECT max(week) FROM coding_queue) ORDER BY q.place
""")
_DRIFT = text("""
    SELECT DISTINCT ON (kind) kind, week, cases_before, cases_after, shares, words, words_p_value
    FROM text_drift ORDER BY kind, week DESC
""")
_NEW = text("""
    SELECT n.week, n.place, n.letter_count, n.expected_count, n.words, behind.case_ids, behind."references"
    FROM text_new_failure n CROSS JOIN LATERAL (
        SELECT array_agg(f.case_id ORDER BY f.sort_at, f.case_id) AS case_ids,
               array_agg(f.reference ORDER BY f.sort_at, f.case_id) AS "references"
        FROM case_file f WHERE f.case_id = ANY (n.case_ids)) AS behind
    WHERE n.week = (SELECT max(week) FROM text_drift) ORDER BY n.place
""")
_MODELS = text("""
    SELECT DISTINCT ON (kind) kind, version, made_for, cases, labels, checked_cases, accuracy, calibration_error
    FROM text_model WHERE kind <> 'likeness' ORDER BY kind, version DESC
""")


@dataclass(frozen=True, slots=True)
class SuggestedCode:
    """A code, its chance, and the words of the complaint that speak for it."""

    code: str
    chance: float
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Suggested:
    """What one issue may be coded as, the one chosen first; `kind` is category or failure."""

    number: int
    kind: str
    version: int
    abstained: bool
    made_at: datetime
    codes: tuple[SuggestedCode, ...]


@dataclass(frozen=True, slots=True)
class OtherCase:
    """Another case of the agency; `cosine` and `codes` where it is one of the nearest."""

    case_id: UUID
    reference: str
    service: str | None
    category: str | None
    state: str
    received_at: datetime | None
    cosine: float | None = None
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextsOfCase:
    """All that the words of a case told."""

    suggested: tuple[Suggested, ...]
    copies: tuple[OtherCase, ...]
    copy_count: int
    """How many other cases came with the same letter; the first few are listed."""
    nearest: tuple[OtherCase, ...]


@dataclass(frozen=True, slots=True)
class ToCode:
    """An issue that a person should code this week."""

    week: date
    place: int
    case_id: UUID
    number: int
    uncertainty: float
    distinctness: float
    reference: str
    state: str
    is_open: bool
    owner: str | None
    team: str | None
    service: str | None
    category: str | None
    is_coded: bool
    codes: tuple[str, ...]
    chances: tuple[float, ...]
    abstained: bool


@dataclass(frozen=True, slots=True)
class Shift:
    """A code whose share of the cases has changed."""

    code: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Drift:
    """Whether codes of a kind, or the words of cases with the same code, are used otherwise than before.

    `words_p_value` None: there were too few cases to tell.
    """

    kind: str
    week: date
    cases_before: int
    cases_after: int
    shares: tuple[Shift, ...]
    words: tuple[str, ...]
    words_p_value: float | None


@dataclass(frozen=True, slots=True)
class ProposedFailure:
    """Recent cases that no code fits, alike among each other."""

    week: date
    place: int
    case_ids: tuple[UUID, ...]
    references: tuple[str, ...]
    letter_count: int
    expected_count: float
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """What suggestions are made with, and how they did on the newest cases."""

    kind: str
    version: int
    made_for: date
    cases: int
    labels: int
    checked_cases: int
    accuracy: float | None
    calibration_error: float | None


@dataclass(frozen=True, slots=True)
class Coding:
    """The week's look at coding."""

    queue: tuple[ToCode, ...]
    drifts: tuple[Drift, ...]
    new_failures: tuple[ProposedFailure, ...]
    models: tuple[Model, ...]


async def texts_of_case(connection: AsyncConnection, case_id: UUID) -> TextsOfCase:
    """Return what the words of a case told."""
    asked = {"case_id": case_id}
    suggested = (await connection.execute(_SUGGESTED, asked)).all()
    copies = (await connection.execute(_COPIES, {**asked, "limit": COPIES_SHOWN})).all()
    nearest = (await connection.execute(_NEAREST, asked)).all()
    return TextsOfCase(
        suggested=tuple(_suggested(row) for row in suggested),
        copies=tuple(_other(row) for row in copies),
        copy_count=copies[0].in_all if copies else 0,
        nearest=tuple(_other(row, row.cosine, tuple(row.codes or ())) for row in nearest),
    )


def _suggested(row: Any) -> Suggested:  # noqa: ANN401 - a row of the query above
    codes = (
        SuggestedCode(code, chance, tuple(row.words.get(code, ())))
        for code, chance in zip(row.codes, row.chances, strict=True)
    )
    return Suggested(row.number, row.kind, row.version, row.abstained, row.made_at, tuple(codes))


def _other(row: Any, cosine: float | None = None, codes: tuple[str, ...] = ()) -> OtherCase:  # noqa: ANN401 - as above
    return OtherCase(row.case_id, row.reference, row.service, row.category, row.state, row.received_at, cosine, codes)


async def coding(connection: AsyncConnection) -> Coding:
    """Return the newest week's look at coding."""
    queue = (await connection.execute(_QUEUE)).mappings()
    drifts = (await connection.execute(_DRIFT)).mappings()
    new = (await connection.execute(_NEW)).mappings()
    models = (await connection.execute(_MODELS)).mappings()
    return Coding(
        queue=tuple(
            ToCode(
                **{
                    **row,
                    "codes": tuple(row["codes"] or ()),
                    "chances": tuple(row["chances"] or ()),
                    "abstained": row["abstained"] is not False,
                }
            )
            for row in queue
        ),
        drifts=tuple(_drift(row) for row in drifts),
        new_failures=tuple(
            ProposedFailure(
                **{
                    **row,
                    "case_ids": tuple(row["case_ids"] or ()),
                    "references": tuple(row["references"] or ()),
                    "words": tuple(row["words"]),
                }
            )
            for row in new
        ),
        models=tuple(Model(**row) for row in models),
    )


def _drift(row: Any) -> Drift:  # noqa: ANN401 - as above
    shares = tuple(Shift(one["code"], one["before"], one["after"]) for one in row["shares"])
    return Drift(**{**row, "shares": shares, "words": tuple(row["words"])})
