# SPDX-License-Identifier: Apache-2.0
"""The public's pages in every language of the agency: chosen, remembered, and without a sentence in another."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest

from api import views
from api.pages import site
from api.pages.languages import TRANSLATIONS, spoken, tongue_of
from models import lifecycle
from models.terms import Role, State
from tests.api.conftest import Front
from tests.given import a_key

HOME = "/a/riverbend"
PAGES = Path(site.__file__).parent
TEMPLATES = PAGES.parent / "templates"
OF_THE_PUBLIC = (
    "base.html",
    "problem.html",
    "parts/fields.html",
    *(f"public/{p.name}" for p in (TEMPLATES / "public").iterdir()),
)
SAYING = ("filing_form", "fix_words", "forms", "front", "public", "site", "tracking", "visiting", "you_said")
RETURNING = {"_who_acts", "_why_not", "_next_date"}
"""What these return is said."""
NAME = re.compile(r"%\((\w+)\)s")
FOREIGN = {
    "es": {"the", "you", "your", "we", "our", "and", "with", "is", "it", "of", "to", "by", "this", "not", "what", "for"}
    | {
        "or",
        "please",
        "from",
        "cannot",
        "has",
        "have",
        "here",
        "write",
        "send",
        "day",
        "days",
        "complaint",
        "optional",
    },
    "en": {"usted", "su", "queja", "el", "la", "los", "las", "que", "por", "para", "con", "nuestra", "día", "escriba"},
}
"""Words that betray a sentence of another language, and that no name of the agency is made of."""
SAID = {"en": "They lost my form.", "es": "Perdieron mi formulario."}
ANSWERED = {"en": "We found it.", "es": "Lo encontramos."}


class Visible(HTMLParser):
    """Gathers what a reader sees and hears of a page, but for names and what is marked as another language."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.languages: list[str] = []
        self._skipped: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "html":
            self.languages.append(told.get("lang") or "")
        is_name = told.get("id") == "office" or "brand" in (told.get("class") or "")
        if self._skipped or tag in {"script", "style"} or is_name or (tag != "html" and "lang" in told):
            if tag not in {"input", "br", "meta", "link"}:
                self._skipped.append(tag)
        elif label := told.get("aria-label"):
            self.words.append(label)

    def handle_endtag(self, tag: str) -> None:
        if self._skipped and self._skipped[-1] == tag:
            self._skipped.pop()

    def handle_data(self, data: str) -> None:
        if not self._skipped and data.strip():
            self.words.append(" ".join(data.split()))


def seen(page: httpx.Response) -> Visible:
    visible = Visible()
    visible.feed(page.text)
    return visible


def foreign_lines(page: httpx.Response, language: str) -> list[str]:
    """Return what stands on a page and is not in its language."""
    agency = ("Riverbend Department of Public Services", "Complaints Office, 1 River Street, Riverbend")
    lines = []
    for line in seen(page).words:
        told = line
        for name in agency:
            told = told.replace(name, "")
        if FOREIGN[language] & set(re.findall(r"[\w@.]+", told.lower())):
            lines.append(line)
    return lines


def sentences_of_templates() -> Iterator[str]:
    english = site._environment("en")
    for name in OF_THE_PUBLIC:
        for _, _, told in english.extract_translations((TEMPLATES / name).read_text("utf-8")):  # type: ignore[attr-defined]
            first = told[0] if isinstance(told, tuple) else told
            if first is not None:
                yield first


def sentences_of_code() -> Iterator[str]:
    """Yield every literal that is said, and those of the tables whose values are."""
    for name in SAYING:
        for node in ast.walk(ast.parse((PAGES / f"{name}.py").read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "say":
                yield from (
                    arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
                )
    for node in ast.walk(ast.parse((PAGES / "tracking.py").read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name in RETURNING:
            lines = node.body[1 if ast.get_docstring(node) else 0 :]
            parts = [part for line in lines for part in ast.walk(line)]
            yield from (part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str))
    steps = (views._STEPS, views._STEPS_WITHOUT_LETTERS, views._STEPS_ON_PAPER)
    for table in (lifecycle._PHASES, *steps, site._HEADINGS, site._FOR_THE_PUBLIC):
        yield from table.values()
    yield from (site.DONE["sent"], site._OTHER_HEADING, site._NOT_UNDERSTOOD, site._SEND_AGAIN)


@pytest.mark.parametrize("language", [code for code in spoken() if code != "en"])
def test_every_sentence_of_the_public_pages_is_there_in_every_language(language: str) -> None:
    tongue = tongue_of(language)
    known = {*tongue.sentences, *tongue.plurals}

    assert [said for said in (*sentences_of_templates(), *sentences_of_code()) if said not in known] == []


@pytest.mark.parametrize("language", [code for code in spoken() if code != "en"])
def test_a_translation_holds_no_sentence_that_no_page_says_and_the_same_names(language: str) -> None:
    tongue = tongue_of(language)
    code = "".join(path.read_text("utf-8") for path in [*PAGES.glob("*.py")])
    said = {*sentences_of_templates(), *sentences_of_code()}

    assert [each for each in (*tongue.sentences, *tongue.plurals) if each not in said and f'"{each}"' not in code] == []
    for sentence, told in tongue.sentences.items():
        assert sorted(NAME.findall(sentence)) == sorted(NAME.findall(told)), sentence


@asynccontextmanager
async def visiting(front: Front, taken: dict[str, object]) -> AsyncIterator[None]:
    front.client.cookies.set("complaint", f"{taken['reference']}.{taken['secret']}")
    yield
    front.client.cookies.delete("complaint")


async def pages_without_a_visit(front: Front, headers: dict[str, str]) -> list[httpx.Response]:
    client = front.client
    too_long = {"narrative": "x", "name": "n" * 300, "email": "nobody", "post": "p" * 1_100, "service": "none"}
    return [
        await client.get("/", headers=headers),
        *[await client.get(f"{HOME}{page}", headers=headers) for page in ("", "/complain", "/track", "/you-said")],
        await client.post(f"{HOME}/complain/send", data={}, headers=headers),
        await client.post(f"{HOME}/complain/send", data=too_long, headers=headers),
        await client.post(f"{HOME}/track", data={}, headers=headers),
        await client.post(f"{HOME}/track", data={"reference": "RIV-1", "secret": "x"}, headers=headers),
        await client.get(f"{HOME}/nothing", headers=headers | {"Accept": "text/html"}),
        await client.get("/a/nowhere", headers=headers | {"Accept": "text/html"}),
    ]


async def pages_of(front: Front, taken: dict[str, object], headers: dict[str, str]) -> list[httpx.Response]:
    """Return what a complainant sees of a complaint as it stands, and what they are told where something is missing."""
    async with visiting(front, taken):
        view = await front.client.get(f"{HOME}/track/view?done=sent", headers=headers)
        offered = re.findall(r'name="action" value="(\w+)"', view.text)
        asked = [
            await front.client.post(f"{HOME}/track/act", data={"action": action}, headers=headers)
            for action in [*offered, "dance", ""]
            if action != "withdraw"
        ]
        return [view, await front.client.get(f"{HOME}/receipt", headers=headers), *asked]


@pytest.mark.parametrize("language", ["en", "es"])
async def test_no_page_of_the_public_holds_a_sentence_of_another_language(front: Front, language: str) -> None:
    headers = {"Accept-Language": f"{language}-US,{language};q=0.9"}
    shown = await pages_without_a_visit(front, headers)
    said = {"narrative": SAID[language], "language": language, "contact": {"name": "Ana", "email": "ana@home.example"}}
    ann = await front.token(Role.CASEWORKER, name="ann")

    new = await front.file(**said)
    shown += await pages_of(front, new, headers)
    shown += await pages_of(front, await front.open_case(narrative=SAID[language], language=language), headers)
    asked = await front.case_at(State.IN_RESOLUTION, **said)
    shown += await pages_of(front, asked, headers)
    await front.act(str(asked["id"]), ann, action="acknowledge", text=SAID[language])
    await front.act(str(asked["id"]), ann, action="request_information", text=SAID[language])
    shown += await pages_of(front, asked, headers)
    money = {"number": 1, "finding": "partly_upheld", "remedies": ["refund"]}
    issues = [money | {"amount": {"cents": 2_550, "authority": "12(b)"}}]
    await front.act(str(asked["id"]), ann, action="record_information", text=SAID[language])
    done = await front.act(str(asked["id"]), ann, action="answer", text=ANSWERED[language], issues=issues)
    assert done.status_code == 200, done.text
    shown += await pages_of(front, asked, headers)
    tag = [{"number": 1, "cause": {"kind": "none", "reason": "N1"}}]
    await front.act(str(asked["id"]), ann, action="tag_root_cause", issues=tag)
    await front.act(str(asked["id"]), ann, action="close")
    shown += await pages_of(front, asked, headers)
    async with visiting(front, new):
        key = {"action": "withdraw", "key": a_key()}
        await front.client.post(f"{HOME}/track/act", data=key, headers=headers)
        again = key | {"key": a_key()}
        shown.append(await front.client.post(f"{HOME}/track/act", data=again, headers=headers))
    shown += await pages_of(front, new, headers)

    assert {tuple(seen(page).languages) for page in shown} == {(language,)}
    assert {str(page.url): lines for page in shown if (lines := foreign_lines(page, language))} == {}
    assert "25.50" in "".join(page.text for page in shown)


async def test_the_language_is_that_asked_for_then_that_remembered_then_the_browsers_then_the_agencys(
    front: Front,
) -> None:
    async def language(address: str = HOME, accept: str = "") -> str:
        page = await front.client.get(address, headers={"Accept-Language": accept} if accept else {})
        return seen(page).languages[0]

    assert await language() == "en"
    assert await language(accept="fr, es-MX;q=0.8, en;q=0.2") == "es"
    assert await language(accept="es;q=0") == "en"
    assert await language(accept="es;q=x, *") == "en"
    assert await language(f"{HOME}?lang=xx") == "en"
    assert await language(f"{HOME}?lang=es") == "es"
    assert await language(f"{HOME}/track") == "es"
    assert await language(f"{HOME}/track?lang=en") == "en"
    assert await language(accept="es") == "en"


async def test_every_page_leads_to_itself_in_the_other_languages(front: Front) -> None:
    form = await front.client.get(f"{HOME}/complain")
    refused = await front.client.post(f"{HOME}/complain/send", data={})
    spanish = await front.client.get(f"{HOME}/complain?lang=es")

    link = '<a href="/a/riverbend/complain?lang=es" lang="es" hreflang="es">Español</a>'
    assert link in form.text
    assert link in refused.text
    assert '<a href="/a/riverbend/complain?lang=en" lang="en" hreflang="en">English</a>' in spanish.text


async def test_the_receipt_is_in_the_language_that_letters_are_wished_in(front: Front) -> None:
    form = {"narrative": SAID["es"], "language": "es", "key": a_key()}
    sent = await front.client.post(f"{HOME}/complain/send", data=form)
    receipt = await front.client.get(sent.headers["location"])

    assert "Recibimos su queja" in receipt.text
    assert seen(receipt).languages == ["es"]
    assert (await front.file(language="es"))["receipt"].startswith("Hola:")


async def test_too_many_requests_are_told_in_the_language_of_the_page(front: Front) -> None:
    limits = front.app.state.limits
    front.app.state.limits = type(limits)("1/minute", "10/minute")
    try:
        answers = [await front.client.post(f"{HOME}/track?lang=es", data={}) for _ in range(2)]
    finally:
        front.app.state.limits = limits

    assert answers[1].status_code == 429
    assert foreign_lines(answers[1], "es") == []


async def test_staff_read_english_whatever_their_browser_prefers(front: Front) -> None:
    page = await front.client.get("/sign-in", headers={"Accept-Language": "es"})

    assert seen(page).languages == ["en"]


def test_a_translation_is_a_file_named_after_its_language() -> None:
    assert {file.stem for file in TRANSLATIONS.iterdir()} == set(spoken()) - {"en"}
