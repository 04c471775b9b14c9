# SPDX-License-Identifier: Apache-2.0
"""The languages of the public's pages: which there are, which one is read, and how a sentence is said in it.

Sentences stand in English where they are used, in templates as `_("…")` and in Python as `say("…")`; a file in
api/translations holds what they are in another language. What belongs to the agency (services, promises, notices,
letters) is in its policy, and there in every language. Staff read English.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fastapi import Request, Response

TRANSLATIONS = Path(__file__).resolve().parents[1] / "translations"
NAMES: Mapping[str, str] = {"en": "English", "es": "Español"}
"""What a language is called by those who read it."""
ASKED = "lang"
COOKIE = "language"
REMEMBERED_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Tongue:
    """A language with the sentences it is known in; what it lacks is said in English."""

    code: str
    sentences: Mapping[str, str]
    plurals: Mapping[str, tuple[str, str]]

    def gettext(self, sentence: str) -> str:
        """Return a sentence in this language, its %(names)s still to be filled in."""
        return self.sentences.get(sentence, sentence)

    def ngettext(self, one: str, many: str, count: int) -> str:
        """Return the form of a sentence that goes with a count."""
        told_of_one, told_of_many = self.plurals.get(one, (one, many))
        return told_of_one if count == 1 else told_of_many

    def say(self, sentence: str, **values: object) -> str:
        """Return a sentence in this language with its names filled in."""
        said = self.gettext(sentence)
        return said % values if values else said


ENGLISH = Tongue("en", {}, {})


@cache
def tongue_of(code: str) -> Tongue:
    """Return a language; in one that has no file the agency's words stand beside ours in English."""
    file = TRANSLATIONS / f"{code}.toml"
    if code not in spoken():
        return Tongue(code, {}, {})
    if code == ENGLISH.code:
        return ENGLISH
    told = tomllib.loads(file.read_text("utf-8"))
    plurals = {one: (forms["one"], forms["many"]) for one, forms in told["plurals"].items()}
    return Tongue(code, told["sentences"], plurals)


@cache
def spoken() -> tuple[str, ...]:
    """Return the languages in which the pages can be read."""
    return (ENGLISH.code, *sorted(file.stem for file in TRANSLATIONS.glob("*.toml")))


def offered(languages: Sequence[str]) -> tuple[str, ...]:
    """Return those of an agency's languages in which its pages can be read; its first, where none is."""
    return tuple(code for code in languages if code in spoken()) or (languages[0],)


def read_in(request: Request, languages: Sequence[str]) -> str:
    """Return the language that somebody reads: the one asked for, that remembered, or the browser's; else the first."""
    wanted = (request.query_params.get(ASKED, ""), request.cookies.get(COOKIE, ""), *_of_browser(request))
    return next((code for code in wanted if code in languages), languages[0])


def remember(response: Response, code: str, *, is_https: bool) -> None:
    """Have the browser say from now on which language is read."""
    response.set_cookie(COOKIE, code, max_age=REMEMBERED_SECONDS, secure=is_https, httponly=True, samesite="lax")


def _of_browser(request: Request) -> list[str]:
    """Return what `Accept-Language` names, the most wanted first (RFC 9110 §12.5.4); regions do not matter here."""
    ranges = [part.partition(";") for part in request.headers.get("accept-language", "").split(",")]
    wanted = [(_weight(rest), name.strip().lower().partition("-")[0]) for name, _, rest in ranges]
    return [name for weight, name in sorted(wanted, key=lambda each: -each[0]) if weight > 0]


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0
