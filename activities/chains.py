# SPDX-License-Identifier: Apache-2.0
"""Stored events checked against their own bytes: the chain of hashes, the columns beside it, the texts they refer to.

Cases and systemic fixes are checked alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from models.events import GENESIS_HASH, chained
from models.messages import canonical, sha256


def chain_breaks(events: Sequence[Row[Any]]) -> Iterator[str]:
    """Yield the first break of a chain; what comes after it follows from it."""
    last_hash = GENESIS_HASH
    for number, event in enumerate(events, start=1):
        if event.sequence != number:
            yield f"event {number} is missing."
            return
        last_hash = chained(last_hash, event.canonical)
        if event.hash != last_hash:
            before = f"event {number - 1}" if number > 1 else "nothing"
            yield f"event {number} is not what was recorded; its hash does not follow from {before} and its bytes."
            return


def column_breaks(events: Sequence[Row[Any]], told: Sequence[Any], id_: str = "case_id") -> Iterator[str]:
    """Yield every column that does not say what its event's bytes say (`told`); `id_` names the column of the id."""
    for event, said in zip(events, told, strict=True):
        command = said["command"]
        columns = {
            id_: (str(getattr(event, id_)), said[id_]),
            "sequence": (event.sequence, said["sequence"]),
            "command_key": (event.command_key, command["key"]),
            "request_hash": (event.request_hash, sha256(canonical(command))),
            "action": (event.action, command["action"]),
            "actor": (event.actor, command["actor"]["name"]),
            "role": (event.role, command["actor"]["role"]),
            "state": (event.state, said["target"]),
            "at": (event.at, moment_of(said["at"])),
        }
        for name, (column, itself) in columns.items():
            if column != itself:
                yield f"the column {name} of event {event.sequence} does not say what the event says."


def text_refs(value: object) -> Iterator[dict[str, str]]:
    """Yield the references to texts that an event's bytes hold."""
    if isinstance(value, dict):
        if value.keys() == {"id", "digest"}:
            yield value
            return
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from text_refs(item)


def missing_texts(texts: Mapping[str, Row[Any]], told: Sequence[Any]) -> int:
    """Return how many texts the events refer to that are there no longer: disposal removes them, which is no break."""
    return len({ref["id"] for ref in text_refs(told)} - texts.keys())


def text_breaks(texts: Mapping[str, Row[Any]], told: Sequence[Any]) -> Iterator[str]:
    """Yield every text that is not the one its event refers to."""
    told_of = {ref["id"]: ref["digest"] for ref in text_refs(told)}
    for text_id, stored in texts.items():
        if not stored.is_whole or stored.digest != told_of.get(text_id, stored.digest):
            yield f"the text {text_id} is not the one that was recorded; its digest differs."


def read_model_breaks(file: Row[Any] | None, events: Sequence[Row[Any]]) -> Iterator[str]:
    """Yield what the read model has otherwise than the last event."""
    last = events[-1] if events else None
    if file is None or last is None:
        if file is not None:
            yield "the read model knows it, but there are no events."
        elif last is not None:
            yield "there are events, but the read model does not know it."
    elif file.sequence != last.sequence:
        yield f"the read model stands at event {file.sequence}, the events end with {last.sequence}."
    elif file.last_hash != last.hash:
        yield "the read model was made from another last event."


def moment_of(spelled: str | None) -> datetime | None:
    """Return the moment that an event's bytes spell."""
    return datetime.fromisoformat(spelled) if spelled else None
