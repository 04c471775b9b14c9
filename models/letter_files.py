# SPDX-License-Identifier: Apache-2.0
"""Reading letters: policy/letters/<occasion>.<language>.md, a subject as the first heading, then the body."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from models.letters import ALWAYS_THERE, MUST_SAY, PLACEHOLDER, Letter, LetterKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from models.policy_source import Faults

LETTERS_FOLDER: Final = "letters/"
LETTER_SIZE_LIMIT: Final = 20_000

_NAME = re.compile(r"^letters/([a-z_]+)\.([a-z]{2,3})\.md$")
_COMMENT = re.compile(r"\A\s*<!--.*?-->", re.DOTALL)
_KINDS = {str(kind): kind for kind in LetterKind}


def letter_file(kind: LetterKind, language: str) -> str:
    """Return the name of the file with the words for an occasion in a language."""
    return f"{LETTERS_FOLDER}{kind}.{language}.md"


def read_letters(files: Mapping[str, str], languages: tuple[str, ...] | None, faults: Faults) -> tuple[Letter, ...]:
    """Return the letters the files hold, and a fault for each that is missing, unknown or badly filled.

    The languages are None when agency.toml cannot be read; the letters are then judged by their content alone.
    """
    if languages is not None:
        _report_missing(files, languages, faults)
    return tuple(_letters(files, languages, faults))


def _report_missing(files: Mapping[str, str], languages: tuple[str, ...], faults: Faults) -> None:
    for kind in LetterKind:
        for language in languages[:1] if kind.is_for_staff else languages:
            name = letter_file(kind, language)
            if name not in files:
                faults.add(name, 1, f"The letter '{kind}' in '{language}' is missing.")


def _letters(files: Mapping[str, str], languages: tuple[str, ...] | None, faults: Faults) -> Iterator[Letter]:
    for name, text in files.items():
        match = _NAME.match(name)
        if match is None or match[1] not in _KINDS:
            faults.add(name, 1, "A letter's file is named <occasion>.<language>.md, with an occasion that exists.")
        elif languages is not None and match[2] not in languages:
            faults.add(name, 1, f"The agency does not write in '{match[2]}'; its languages stand in agency.toml.")
        elif (letter := _letter(name, _KINDS[match[1]], match[2], text, faults)) is not None:
            yield letter


def _letter(name: str, kind: LetterKind, language: str, text: str, faults: Faults) -> Letter | None:
    comment = _COMMENT.match(text)
    skipped = comment.end() if comment else 0
    subject, _, body = text[skipped:].strip().partition("\n")
    if not subject.startswith("# ") or not body.strip() or len(text) > LETTER_SIZE_LIMIT:
        line = text.count("\n", 0, skipped) + 1
        faults.add(name, line, "A letter is a heading ('# …', its subject) and a body of at most 20,000 characters.")
        return None
    _check_placeholders(name, kind, text, skipped, faults)
    return Letter(kind=kind, language=language, subject=subject.removeprefix("# ").strip(), body=body.strip() + "\n")


def _check_placeholders(name: str, kind: LetterKind, text: str, skipped: int, faults: Faults) -> None:
    said: set[str] = set()
    first = text.count("\n", 0, skipped) + 1
    for number, line in enumerate(text[skipped:].split("\n"), start=first):
        names = PLACEHOLDER.findall(line)
        said.update(names)
        for unknown in _in_order(set(names) - MUST_SAY[kind] - ALWAYS_THERE):
            faults.add(name, number, f"{{{unknown}}} is not something the letter '{kind}' can say.")
        if set(PLACEHOLDER.sub("", line)) & {"{", "}"}:
            faults.add(name, number, "A brace stands alone, or around something that is not a name in small letters.")
    for missing in _in_order(MUST_SAY[kind] - said):
        faults.add(name, first, f"The letter '{kind}' must say {{{missing}}}.")


def _in_order(names: Iterable[str]) -> list[str]:
    return sorted(names)
