"""Writes the pages of docs/ that are made from code: `python docs/build.py`; `--check` only compares.

A maker returns pages by their path inside docs/. A further one is a function here and a line in MAKERS.
A table in a page that is written by hand may be made, too: it stands after a comment, see TABLES.
"""

import argparse
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click
import msgspec
from hostile_page import hostile_page
from rule_pages import rule_pages

from heltig.auth.policy import area_table, table
from heltig.cli import heltig
from heltig.pipeline.research.asked import table as code_table
from heltig.pipeline.research.publishing.codes import table as publish_code_table
from heltig.rules.parameters import Parameters
from heltig.setting_info import describe
from heltig.setting_sources import CONFIG_VARIABLE

DOCS = Path(__file__).parent
MADE = "<!-- Made by docs/build.py. Do not edit: change the code that it comes from. -->\n\n"


def settings_page() -> Mapping[str, str]:
    """One page with every setting, from the documentation that `heltig.settings` carries."""
    lines = [
        "# Settings",
        "",
        f"Each setting is an environment variable, or a key of the TOML file that `{CONFIG_VARIABLE}` names;",
        "the environment wins. In the file, the key is the variable's name in lower case without `HELTIG_`.",
        "An empty variable counts as unset. A name that is no setting is refused. Sizes are bytes, or a",
        "number with `KiB`, `MiB`, `GiB` or `TiB`. `heltig settings` shows the values in force and where",
        "they come from.",
        "",
        "| variable | what it is for | holds | default |",
        "|---|---|---|---|",
    ]
    for info in describe({}):
        # Read with an empty environment, so that no default is this machine's.
        lines.append(f"| `{info.variable}` | {info.doc} | {info.type} | {info.default or 'none'} |")
    return {"settings.md": "\n".join(lines) + "\n"}


def command_page() -> Mapping[str, str]:
    """Every command's help, as `heltig COMMAND --help` prints it."""
    lines = ["# Commands", ""]
    for names, command in _commands(("heltig",), heltig):
        context = click.Context(command, info_name=" ".join(names), max_content_width=100, terminal_width=100)
        lines += [f"## `{' '.join(names)}`", "", "```text", command.get_help(context), "```", ""]
    return {"commands.md": "\n".join(lines)}


def parameter_page() -> Mapping[str, str]:
    """One page with every parameter of a profile, from the docstring of `Parameters`."""
    lines = [
        "# Parameters",
        "",
        "Thresholds and lists that a [profile](profiles.md) sets under `[parameters]`.",
        "",
        "| parameter | what it is | default |",
        "|---|---|---|",
    ]
    told = (inspect.getdoc(Parameters) or "").partition("Attributes:\n")[2]
    default = msgspec.to_builtins(Parameters())
    for name, text in re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", told, re.MULTILINE):
        value = default[name]
        shown = "none" if value in ((), [], "") else msgspec.json.encode(value).decode().replace(",", ", ")
        lines.append(f"| `{name}` | {' '.join(text.split())} | {shown} |")
    return {"parameters.md": "\n".join(lines) + "\n"}


def _commands(
    names: tuple[str, ...], command: click.Command
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield names, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            if inner is not None:
                yield from _commands((*names, name), inner)


MAKERS: list[Callable[[], Mapping[str, str]]] = [
    settings_page,
    rule_pages,
    parameter_page,
    command_page,
    hostile_page,
]

TABLES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "api.md": {"<!-- areas -->": area_table, "<!-- policy -->": table},
    "research.md": {"<!-- codes -->": code_table, "<!-- publish codes -->": publish_code_table},
}
"""What makes the table after each comment of a page."""


def _with_tables(page: str) -> str:
    """A page that is written by hand, with the tables that are made."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for comment, make in TABLES[page].items():
        before, found, after = text.partition(f"{comment}\n")
        if not found:
            raise ValueError(f"docs/{page} has no {comment}")
        text = before + found + make() + re.sub(r"\A(?:\|.*(?:\n|\Z))+", "\n", after)
    return text


def main(arguments: list[str] | None = None) -> int:
    """Writes the pages; with `--check` only says which ones differ, and returns 1 if any does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a page differs")
    check = parser.parse_args(arguments).check

    made = {DOCS / path: MADE + text for maker in MAKERS for path, text in maker().items()}
    there = {
        path: text
        for path in DOCS.rglob("*.md")
        if (text := path.read_text(encoding="utf-8")).startswith(MADE)
        or path.relative_to(DOCS).as_posix() in TABLES
    }
    made |= {DOCS / page: _with_tables(page) for page in TABLES}
    differing = sorted(path for path in made.keys() | there.keys() if made.get(path) != there.get(path))
    for path in differing:
        print(path.relative_to(DOCS.parent))
        if check:
            continue
        if path in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(made[path], encoding="utf-8")
        else:
            path.unlink()
    if check and differing:
        print("differ from the code that they are made from; run `python docs/build.py`")
    return 1 if check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
