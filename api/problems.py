# SPDX-License-Identifier: Apache-2.0
"""Everything that goes wrong, as RFC 9457 says: one sentence in `detail`, and a `type` that programs can tell apart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.actions import Busy
from api.reads.database import RecordAway
from api.reads.paging import BadCursor
from api.reads.policies import UnknownAgency
from api.shapes import EMAIL_PATTERN, FieldFault, ProblemView
from models.refusals import Refused

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 3
TYPES = "/problems/"
_TITLES = {
    HTTPStatus.NOT_FOUND: "Not found",
    HTTPStatus.METHOD_NOT_ALLOWED: "Not possible here",
    HTTPStatus.BAD_REQUEST: "Not understood",
}


class Problem(Exception):
    """Something a client is told in a sentence; its kind stands in `code`."""

    status = HTTPStatus.BAD_REQUEST
    code = "bad-request"
    title = "Not understood"

    def __init__(
        self, detail: str, *, headers: Mapping[str, str] | None = None, faults: Iterable[FieldFault] = ()
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = dict(headers or {})
        self.errors = tuple(faults)


class NotFound(Problem):
    """There is nothing of that name for this asker; what another agency has is told no otherwise."""

    status = HTTPStatus.NOT_FOUND
    code = "not-found"
    title = "Not found"


class NotSignedIn(Problem):
    """The route is for signed-in people, and nobody known is asking."""

    status = HTTPStatus.UNAUTHORIZED
    code = "not-signed-in"
    title = "Not signed in"

    def __init__(self, detail: str = "Sign in first, or send a valid bearer token.") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class Forbidden(Problem):
    """The asker is known, and the route is for other people."""

    status = HTTPStatus.FORBIDDEN
    code = "forbidden"
    title = "Not for you"


class Unprocessable(Problem):
    """The request is well-formed and says something that cannot be; every fault is named at once."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "invalid"
    title = "Some fields need correcting"

    def __init__(self, faults: Iterable[FieldFault]) -> None:
        named = tuple(faults)
        super().__init__(" ".join(fault.sentence for fault in named), faults=named)


class TooLarge(Problem):
    """The body is longer than anything this interface takes."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "too-large"
    title = "Too large"


class TooMany(Problem):
    """More requests than the published limit; the header says when to come back."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too-many-requests"
    title = "Too many requests"


class Conflict(Problem):
    """The request contradicts what is there already."""

    status = HTTPStatus.CONFLICT
    code = "conflict"
    title = "This contradicts what is there"


def problem_response(problem: Problem) -> JSONResponse:
    """Return a problem as it is sent."""
    view = ProblemView(
        type=TYPES + problem.code,
        title=problem.title,
        status=problem.status,
        detail=problem.detail,
        errors=problem.errors,
    )
    body = view.model_dump(mode="json", exclude_defaults=True)
    return JSONResponse(body, status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def problem_of(error: Exception) -> Problem:
    """Return the problem that tells of an expected error; an unexpected one is raised again."""
    if isinstance(error, Problem):
        return error
    for kind, told_as in _TOLD_AS.items():
        if isinstance(error, kind):
            return told_as(error)
    raise error


def faults_of(errors: Iterable[Any]) -> list[FieldFault]:
    """Return one sentence for each field that pydantic refuses."""
    return [_fault(error) for error in errors]


def add_problem_handlers(app: FastAPI, tell: Callable[[Request, Problem], Awaitable[Response]]) -> None:
    """Have every error answered as a problem, in the way `tell` tells it."""

    async def answer(request: Request, error: Exception) -> Response:
        return await tell(request, problem_of(error))

    async def unexpected(request: Request, _error: Exception) -> Response:
        """Answer what nobody expected; the server's log has the rest."""
        problem = Problem("Something went wrong on our side. It is noted; ask again with the same key in a while.")
        problem.status, problem.code, problem.title = HTTPStatus.INTERNAL_SERVER_ERROR, "unexpected", "Our fault"
        return await tell(request, problem)

    app.add_exception_handler(Problem, answer)
    for kind in _TOLD_AS:
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(Exception, unexpected)


def problems(*kinds: type[Exception]) -> dict[int | str, dict[str, Any]]:
    """Return the problems of a route for its documentation."""
    told: dict[int, list[str]] = {}
    for kind in kinds:
        status, sentence = _documented(kind)
        told.setdefault(status, []).append(sentence)
    return {
        status: {
            "model": ProblemView,
            "description": " ".join(dict.fromkeys(sentences)),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemView"}}},
        }
        for status, sentences in told.items()
    }


def _documented(kind: type[Exception]) -> tuple[int, str]:
    sentence = (kind.__doc__ or "").strip().partition("\n")[0]
    if issubclass(kind, Problem):
        return kind.status, sentence
    if issubclass(kind, Refused):
        return HTTPStatus.CONFLICT, sentence
    return HTTPStatus.SERVICE_UNAVAILABLE, sentence


def _refusal(refused: Refused) -> Problem:
    problem = Conflict(str(refused))
    problem.code = refused.code
    problem.title = refused.code.replace("-", " ").capitalize()
    return problem


def _unavailable(error: Exception) -> Problem:
    problem = Problem(str(error), headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
    problem.status, problem.code, problem.title = HTTPStatus.SERVICE_UNAVAILABLE, "try-again", "Try again shortly"
    return problem


def _http(error: HTTPException) -> Problem:
    if isinstance(error.__cause__, UnicodeDecodeError):
        # The body could not even be read as text; FastAPI knows no field for that.
        return Unprocessable([FieldFault(field="body", sentence="The body is not JSON in UTF-8.")])
    status = HTTPStatus(error.status_code)
    problem = Problem(str(error.detail).rstrip(".") + ".", headers=error.headers)
    problem.status = status
    problem.code = status.phrase.lower().replace(" ", "-")
    problem.title = _TITLES.get(status, status.phrase)
    return problem


def _fault(error: Mapping[str, Any]) -> FieldFault:
    kind, told = str(error["type"]), dict(error.get("ctx") or {})
    if kind == "json_invalid":
        return FieldFault(field="body", sentence=_not_json(error, told))
    field = ".".join(str(part) for part in _without_place(error["loc"])) or "body"
    if kind in _OF_A_TAG:
        tag = str(told["discriminator"]).strip("'")
        field = tag if field == "body" else f"{field}.{tag}"
    whole = {
        "missing": f"'{field}' is missing." if field != "body" else "The request has no body; send a JSON object.",
        "union_tag_not_found": f"'{field}' is missing.",
        "extra_forbidden": f"'{field}' is not a field of this request.",
    }
    return FieldFault(field=field, sentence=whole.get(kind) or f"'{field}': {_sentence(error, kind, told)}")


_OF_A_TAG = frozenset({"union_tag_invalid", "union_tag_not_found"})
_SENTENCES = {
    "string_pattern_mismatch": "this holds signs that cannot stand here.",
    "string_type": "this must be a text.",
    "string_unicode": "this holds characters that are no text.",
    "int_type": "this must be a whole number.",
    "int_parsing": "this must be a whole number.",
    "int_from_float": "this must be a whole number.",
    "float_parsing": "this must be a number.",
    "bool_type": "say true or false.",
    "bool_parsing": "say true or false.",
    "uuid_type": "this is not an id.",
    "uuid_parsing": "this is not an id.",
    "greater_than_equal": "this must be {ge} or more.",
    "greater_than": "this must be more than {gt}.",
    "less_than_equal": "this must be {le} or less.",
    "less_than": "this must be less than {lt}.",
    "string_too_short": "this needs {min_length} characters or more.",
    "string_too_long": "this is longer than {max_length} characters.",
    "too_short": "this needs {min_length} or more.",
    "too_long": "this takes {max_length} at most.",
    "literal_error": "choose {expected}.",
    "enum": "choose {expected}.",
}
"""What pydantic finds, as a person says it; in braces what it tells of the limit."""
_PATTERNS = {EMAIL_PATTERN: "this is not an e-mail address."}
"""The same for a text that must have one form."""
_FAMILIES = (
    (("model_", "dict_", "dataclass_", "mapping_"), "this must be an object with named fields, written in braces."),
    (("list_", "tuple_", "set_", "iterable_"), "this must be a list, written in square brackets."),
    (("datetime_", "timezone_"), "this must be a moment with its zone, such as 2026-03-09T16:05:00Z."),
    (("date_",), "this must be a day, such as 2026-03-09."),
)
"""The same by how the name of the finding begins."""


def _sentence(error: Mapping[str, Any], kind: str, told: Mapping[str, Any]) -> str:
    if kind == "string_too_short" and told["min_length"] == 1:
        return "this is empty."
    if kind == "union_tag_invalid":
        # It names them as Python does: <Action.NOTE: 'note'>, …
        known = str(told["expected_tags"]).split("'")[1::2]
        return f"'{told['tag']}' is none of {', '.join(known)}."
    if (family := next((words for start, words in _FAMILIES if kind.startswith(start)), None)) is not None:
        return family
    if kind == "string_pattern_mismatch" and told["pattern"] in _PATTERNS:
        return _PATTERNS[told["pattern"]]
    if kind in _SENTENCES:
        return _SENTENCES[kind].format_map(told)
    text = str(error["msg"]).removeprefix("Value error, ")
    return text[:1].lower() + text[1:] + ("" if text.endswith(".") else ".")


def _not_json(error: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    place = next((part for part in reversed(error["loc"]) if isinstance(part, int)), 0)
    why = str(told.get("error", "")).rstrip(".")
    return f"The body is not JSON: {why[:1].lower() + why[1:] or 'it cannot be read'}, at character {place + 1}."


def _without_place(loc: Sequence[str | int]) -> Sequence[str | int]:
    return loc[1:] if loc and loc[0] in {"body", "query", "path", "header", "cookie"} else loc


_TOLD_AS: dict[type[Exception], Callable[[Any], Problem]] = {
    Refused: _refusal,
    Busy: _unavailable,
    RecordAway: _unavailable,
    BadCursor: lambda error: Unprocessable([FieldFault(field="cursor", sentence=str(error))]),
    UnknownAgency: lambda error: Unprocessable([FieldFault(field="agency", sentence=str(error))]),
    RequestValidationError: lambda error: Unprocessable(faults_of(error.errors())),
    HTTPException: _http,
}
