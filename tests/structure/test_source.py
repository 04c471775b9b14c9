# SPDX-License-Identifier: Apache-2.0
"""What holds for every file: its licence, no word of the machine it was written on, and promises that are kept."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import pkgutil
import re
import subprocess
import typing
from collections.abc import Iterator
from pathlib import Path

import pytest

import activities
from activities import interface
from models import refusals
from models.refusals import Refused
from run.settings import PROJECT_FOLDER

SPDX = "SPDX-License-Identifier: Apache-2.0"
WITH_LICENCE = {".py", ".toml", ".sh", ".yml", ".yaml", ".js", ".css"}
MADE_BY_TOOLS = {"package-lock.json", "requirements.lock", "requirements-dev.lock"}
HOME_FOLDER = re.compile(r"(?<![\w.])/(?:home|root|Users|work|mnt)/\w+")
REGISTRY = re.compile(r"(?:registry\.\w|pypi\.\w|pythonhosted|artifactory|/simple\b|nexus\.)", re.IGNORECASE)
NOT_OURS_TO_SAY = re.compile(r"\bTODO\b|\bFIXME\b|\bXXX\b|\bHACK\b")
THIS_FILE = Path(__file__).resolve()


def our_files() -> list[Path]:
    """Return every file that is, or is about to be, in the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=PROJECT_FOLDER, capture_output=True, text=True, check=True).stdout
    paths = [PROJECT_FOLDER / name for name in listed.splitlines()]
    return [path for path in paths if path.is_file() and path != THIS_FILE]


FILES = our_files()


def text_of(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        return ""


def lines_with(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
    return [
        f"{path.relative_to(PROJECT_FOLDER)}:{number}: {line.strip()}"
        for path in paths
        for number, line in enumerate(text_of(path).splitlines(), start=1)
        if pattern.search(line)
    ]


def test_there_is_something_to_look_at() -> None:
    assert {path.relative_to(PROJECT_FOLDER).parts[0] for path in FILES} >= {"models", "workflows", "api", "tests"}


def test_every_source_file_names_its_licence_first() -> None:
    sources = [path for path in FILES if path.suffix in WITH_LICENCE]

    assert [str(p) for p in sources if SPDX not in "".join(text_of(p).splitlines(keepends=True)[:2])] == []


def test_every_python_file_says_what_it_is_for() -> None:
    sources = [path for path in FILES if path.suffix == ".py"]

    assert [str(path) for path in sources if not ast.get_docstring(ast.parse(text_of(path)))] == []


def test_no_file_knows_the_machine_it_was_written_on() -> None:
    assert lines_with(HOME_FOLDER, FILES) == []


def test_no_file_names_a_registry_for_everybody_installs_from_their_own() -> None:
    assert lines_with(REGISTRY, [path for path in FILES if path.name not in MADE_BY_TOOLS]) == []


def test_no_lock_file_names_an_address() -> None:
    locks = [path for path in FILES if path.name in MADE_BY_TOOLS]
    assert locks

    assert lines_with(re.compile(r"https?://"), locks) == []


def test_nothing_is_left_for_later() -> None:
    assert lines_with(NOT_OURS_TO_SAY, [path for path in FILES if path.suffix in {".py", ".sql", ".html"}]) == []


def promises() -> list[type]:
    kinds: list[tuple[str, type]] = inspect.getmembers(interface, inspect.isabstract)
    return [kind for _, kind in kinds]


def keepers(promise: type) -> list[type]:
    for module in pkgutil.iter_modules(activities.__path__, "activities."):
        importlib.import_module(module.name)
    kinds: list[type] = promise.__subclasses__()
    return [kind for kind in kinds if kind.__module__.startswith("activities.")]


def promised(promise: type) -> Iterator[str]:
    yield from sorted(getattr(promise, "__abstractmethods__", ()))


@pytest.mark.parametrize("promise", promises())
def test_every_promise_to_workflows_is_kept_by_exactly_one_room(promise: type) -> None:
    assert len(keepers(promise)) == 1
    assert not inspect.isabstract(keepers(promise)[0])


@pytest.mark.parametrize(
    ("promise", "method"), [(promise, method) for promise in promises() for method in promised(promise)]
)
def test_an_activity_is_kept_under_the_name_and_with_the_types_that_were_promised(promise: type, method: str) -> None:
    (keeper,) = keepers(promise)
    said, done = getattr(promise, method), getattr(keeper, method)

    assert getattr(done, "__temporal_activity_definition").name == getattr(said, "__temporal_activity_definition").name
    assert typing.get_type_hints(done) == typing.get_type_hints(said)
    assert list(inspect.signature(done).parameters) == list(inspect.signature(said).parameters)


def all_refusals() -> list[type[Refused]]:
    return [kind for _, kind in inspect.getmembers(refusals, inspect.isclass) if issubclass(kind, Refused)]


@pytest.mark.parametrize("refusal", all_refusals())
def test_a_refusal_says_what_it_means_in_a_sentence(refusal: type[Refused]) -> None:
    first, _, _ = (refusal.__doc__ or "").partition("\n")

    assert re.fullmatch(r"[A-Z].+\.", first)


@functools.cache
def called_names() -> frozenset[str]:
    """Return the last word of everything that the product's code calls."""
    rooms = [path for path in FILES if path.suffix == ".py" and path.relative_to(PROJECT_FOLDER).parts[0] != "tests"]
    nodes = (node for path in rooms for node in ast.walk(ast.parse(text_of(path))))
    return frozenset(ast.unparse(node.func).rpartition(".")[2] for node in nodes if isinstance(node, ast.Call))


@pytest.mark.parametrize("refusal", [kind for kind in all_refusals() if kind is not Refused])
def test_every_refusal_is_given_by_somebody(refusal: type[Refused]) -> None:
    assert refusal.__name__ in called_names()


@pytest.mark.parametrize("refusal", all_refusals())
def test_a_refusals_code_is_its_name_in_small_letters(refusal: type[Refused]) -> None:
    assert refusal("A sentence.").code.replace("-", "") == refusal.__name__.lower()
