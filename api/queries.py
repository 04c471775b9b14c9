# SPDX-License-Identifier: Apache-2.0
"""Queries: one that a route does not know is refused, so that a misspelled filter is not taken for none."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant

from api.problems import Unprocessable
from api.shapes import FieldFault


async def only_known_queries(request: Request) -> None:
    """Raise Unprocessable for every name in the address's query that the route does not ask for."""
    if not request.query_params:
        return
    known = set(_queries_of(request.scope["route"].dependant))
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        asks = f"this asks for {', '.join(sorted(known))}" if known else "this takes no query"
        problem = Unprocessable(
            FieldFault(field=name, sentence=f"'{name}' is not a query of this address; {asks}.") for name in unknown
        )
        problem.code = "unknown-query"
        problem.title = "Unknown query"
        raise problem


def _queries_of(dependant: Dependant) -> Iterator[str]:
    """Yield the names that a route and its dependencies read from the query."""
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _queries_of(inner)
