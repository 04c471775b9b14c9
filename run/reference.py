# SPDX-License-Identifier: Apache-2.0
"""The pages of docs/reference, made from the source.

`python -m run.reference` writes them, with `--check` it says which are stale.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import typer.main
from rich.console import Console

from api.app import described
from models import lifecycle
from models.lifecycle import TRANSITIONS, Transition
from models.terms import Action, Role, Stage, State
from run import cli
from run.settings import FOUND_OUT, PREFIX, PROJECT_FOLDER, Settings

FOLDER = PROJECT_FOLDER / "docs" / "reference"
_MADE = "<!-- Made from {source} by `make reference`; change it there. -->"


def lifecycle_page() -> str:
    """Return the process as a diagram and as tables."""
    return _page(
        "The lifecycle of a complaint",
        "models/lifecycle.py",
        "Every rule of the process stands in one table, and this page is that table. The workflow, the API, the "
        "buttons on the pages and the tests ask the same table, so none of them can differ from what stands here.",
        "## Where it stands",
        _table(
            ("Stage", "State", "What the complainant is told"),
            ((state.stage.label, state.label, lifecycle.phase_of(state)) for state in State),
        ),
        "## From where to where",
        _diagram(),
        "Actions that leave a complaint where it stands are not drawn; the next table has them all.",
        "## What may be asked",
        _table(
            ("Action", "From", "To", "Who", "Only if", "Clocks", "ISO 10002:2018"),
            (_action_row(row) for row in TRANSITIONS),
        ),
        "A refusal is one sentence that says why not; the API, the page and the log use the same one.",
        "## Who may do what, where",
        _table(("State", *_acting_labels()), (_state_row(state) for state in State)),
    )


def settings_page() -> str:
    """Return every setting with its default."""
    rows = (
        (f"`{PREFIX}{name.upper()}`", _default(field.default), field.description or "")
        for name, field in Settings.model_fields.items()
        if name not in FOUND_OUT
    )
    return _page(
        "Settings",
        "run/settings.py",
        "Settings come from the environment, and all faults are named at once. Nothing needs to be set to run "
        "everything on one machine. Setting a database address means an external PostgreSQL, setting Temporal's "
        "address an external Temporal; nothing embedded of that kind starts then.",
        _table(("Variable", "Default", "What it is"), rows),
    )


def commands_page() -> str:
    """Return what can be typed, as the commands themselves tell it."""
    exit_codes = next(part for part in (cli.__doc__ or "").split("\n\n") if part.startswith("Exit codes"))
    command = typer.main.get_command(cli.app)
    return _page(
        "The `putright` command",
        "run/cli.py",
        str(command.help),
        " ".join(exit_codes.split()),
        *(part for name, one in _commands(command) for part in _command_parts(name, one)),
    )


def interface_page() -> str:
    """Return the description of the JSON interface, as clients and their generators read it."""
    return json.dumps(described(), indent=2, ensure_ascii=False) + "\n"


PAGES: Mapping[str, Callable[[], str]] = {
    "lifecycle.md": lifecycle_page,
    "settings.md": settings_page,
    "commands.md": commands_page,
    "openapi.json": interface_page,
}


def stale(folder: Path) -> tuple[str, ...]:
    """Return the names of the pages that differ from what the source says, or are missing."""
    return tuple(name for name, page in PAGES.items() if not _holds(folder / name, page()))


def write(folder: Path) -> None:
    """Write every page anew."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).write_text(page(), "utf-8")


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` say which are stale; return the exit code."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if arguments == ["--check"]:
        old = stale(FOLDER)
        for name in old:
            console.print(f"docs/reference/{name} is not what the source says; run `make reference`.")
        return 1 if old else 0
    if arguments:
        console.print("Usage: python -m run.reference [--check]")
        return 2
    write(FOLDER)
    return 0


def _holds(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text("utf-8") == text


def _page(title: str, source: str, *parts: str) -> str:
    return "\n\n".join((f"# {title}", _MADE.format(source=source), *parts)) + "\n"


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = tuple(heads)
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _diagram() -> str:
    arrows: dict[tuple[State, State], list[str]] = {}
    for row in TRANSITIONS:
        for source in sorted(row.sources, key=list(State).index):
            if row.target not in {None, source}:
                arrows.setdefault((source, row.target or source), []).append(row.action.label)
    stages = [line for stage in Stage for line in _stage_lines(stage)]
    lines = [f"    {source} --> {target}: {' / '.join(labels)}" for (source, target), labels in arrows.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", *stages, f"    [*] --> {State.NEW}", *lines, "```"])


def _stage_lines(stage: Stage) -> list[str]:
    return [f"    {state}: {state.label} ({stage.label})" for state in State if state.stage is stage]


def _action_row(row: Transition) -> tuple[str, ...]:
    return (
        f"**{row.action.label}**",
        _listed(state.label for state in State if state in row.sources),
        row.target.label if row.target else "stays",
        _listed(role.value for role in Role if role in row.roles),
        _listed([_condition(guard) for guard in row.guards] + [_condition(check) for check in row.checks]),
        _listed(_clock_effects(row)),
        row.iso_10002,
    )


def _condition(rule: Callable[..., object]) -> str:
    return rule.__name__.replace("_", " ").strip()


def _clock_effects(row: Transition) -> Iterable[str]:
    for verb in ("starts", "stops", "pauses", "resumes"):
        if clocks := sorted(clock.value.replace("_", " ") for clock in getattr(row, verb)):
            yield f"{verb} {', '.join(clocks)}"


def _listed(words: Iterable[str]) -> str:
    return "<br>".join(words)


def _acting() -> tuple[Role, ...]:
    return tuple(role for role in Role if any(role in row.roles for row in TRANSITIONS))


def _acting_labels() -> tuple[str, ...]:
    return tuple(role.value for role in _acting())


def _state_row(state: State) -> tuple[str, ...]:
    return (f"**{state.label}**", *(_listed(action.label for action in _asked(state, role)) for role in _acting()))


def _asked(state: State, role: Role) -> Iterable[Action]:
    return (row.action for row in TRANSITIONS if state in row.sources and role in row.roles)


def _default(value: object) -> str:
    if isinstance(value, Path) and value.is_relative_to(PROJECT_FOLDER):
        value = value.relative_to(PROJECT_FOLDER)
    return "" if value in {"", Path()} else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _commands(group: Any, prefix: str = "putright") -> Iterable[tuple[str, Any]]:  # noqa: ANN401 - Typer's own click
    for name, command in group.commands.items():
        path = f"{prefix} {name}"
        if hasattr(command, "commands"):
            yield from _commands(command, path)
        else:
            yield path, command


def _command_parts(name: str, command: Any) -> Iterable[str]:  # noqa: ANN401 - Typer's own click
    usage = " ".join((name, *(_usage(parameter) for parameter in command.params if _is_argument(parameter))))
    yield f"## {name}"
    yield f"    {usage}{' [options]' if not all(map(_is_argument, command.params)) else ''}"
    yield from (_paragraph(part) for part in str(command.help).split("\n\n"))
    if command.params:
        yield _table(("", "What it is", "Default"), (_parameter_row(parameter) for parameter in command.params))


def _paragraph(text: str) -> str:
    """Return a paragraph of a command's help in one line; a list stays one."""
    return text.strip() if text.startswith("- ") else " ".join(text.split())


def _is_argument(parameter: Any) -> bool:  # noqa: ANN401 - Typer's own click
    return bool(parameter.param_type_name == "argument")


def _usage(parameter: Any) -> str:  # noqa: ANN401 - Typer's own click
    name = parameter.name.upper()
    return name if parameter.required else f"[{name}]"


def _parameter_row(parameter: Any) -> tuple[str, ...]:  # noqa: ANN401 - Typer's own click
    name = parameter.name.upper() if _is_argument(parameter) else parameter.opts[0]
    needed = "needed" if parameter.required else _default(parameter.default or "")
    return f"`{name}`", parameter.help or "", needed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
