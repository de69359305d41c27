"""What the handbook and the pages of docs/ name is there: commands, options, settings, routes, links, files.

Nothing here runs a command; see `test_commands_of_the_handbook_parse` for what is looked at.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from heltig import errors
from heltig.auth.policy import ROUTES
from heltig.cli import heltig
from heltig.setting_sources import FOREIGN_PREFIXES, variable_of
from heltig.settings import Settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HANDBOOK = sorted((DOCS / "handbook").glob("*.md"))
PAGES = [*HANDBOOK, *sorted(DOCS.glob("*.md"))]
LINKING = [*PAGES, *sorted(DOCS.glob("decisions/*.md")), ROOT / "README.md", ROOT / "deploy/README.md"]

KNOWN = {variable_of(field.name): field.default for field in msgspec.structs.fields(Settings)}
FOREIGN = {
    "HELTIG_CONFIG",  # names the file that settings are read from
    # Orthanc's environment, for deploy/orthanc/heltig.lua:
    "HELTIG_API_KEY",
    "HELTIG_CONSULT_URL",
    "HELTIG_CONSULT_ARCHIVE",
}

FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
IN_CONTAINER = ["docker", "compose", "exec", "heltig"]
ENDS = {"&&", "||", "|", ";", "&", "(", ")"}
PLACEHOLDER = re.compile(r"[A-Z][A-Z-]*|.*…")
AREA = re.compile(r"/(?:api|dicom-web|consult|gate|health|metrics|schema|login|archives)\b\S*$")
ROUTE = re.compile(r"(?:\b(GET|HEAD|POST|PATCH|PUT|DELETE) |\$H|http://127\.0\.0\.1:8042)(/[^\s`\"',;)]*)")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(text: str) -> str:
    """A page without its blocks of code."""
    return FENCE.sub("", text)


def lines_of(block: str) -> Iterator[str]:
    """The lines of a block of shell, those that go on joined, prompts taken away."""
    for line in re.sub(r"\\\n\s*", " ", block).splitlines():
        yield re.sub(r"^\s*\$ ", "", line).strip()


def command_lines(text: str) -> Iterator[list[str]]:
    """The words of each `heltig` command in the blocks of shell of a page."""
    for language, block in FENCE.findall(text):
        if language not in ("sh", "console", ""):
            continue
        for line in lines_of(block):
            if not re.search(r"(^|[\s/])heltig ", line):
                continue
            lexer = shlex.shlex(line, posix=True, punctuation_chars="&|;<>()")
            lexer.whitespace_split = True
            yield from commands(list(lexer))


def commands(words: list[str]) -> Iterator[list[str]]:
    """The `heltig` commands among the words of a line."""
    simple: list[str] = []
    for word in [*words, ";"]:
        if word in ENDS or re.fullmatch(r"[<>]+", word):
            while simple and (re.match(r"\w+=", simple[0]) or simple[0] == "export"):
                simple = simple[1:]
            if simple[:4] == IN_CONTAINER:
                simple = simple[4:]
            if len(simple) > 1 and simple[0] == "heltig":
                yield simple
            simple = []
        else:
            simple.append(word)


def spoken_of(text: str) -> Iterator[list[str]]:
    """The words of each `heltig` command that a page speaks of within its prose and tables."""
    for span in SPAN.findall(prose(text)):
        words = span.replace("[", " ").replace("]", " ").replace("\\|", "|").split()
        if len(words) > 1 and words[0] == "heltig":
            yield [word for word in words if word not in ("…", "...")]


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that words name, and what is left of them."""
    found: click.Command = heltig
    context = click.Context(heltig)
    left = words[1:]
    while isinstance(found, click.Group) and left and not left[0].startswith("-"):
        if PLACEHOLDER.fullmatch(left[0]):  # any of them
            return found, []
        inner = found.get_command(context, left[0].split("|")[0])
        assert inner is not None, f"{shlex.join(words)}: there is no {left[0]}"
        found, left = inner, left[1:]
    return found, left


def options_of(command: click.Command) -> set[str]:
    context = click.Context(command)
    return {
        name
        for parameter in command.get_params(context)
        for name in [*parameter.opts, *parameter.secondary_opts]
    }


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_options_that_pages_name_are_there(page: Path) -> None:
    text = page.read_text("utf-8")
    for words in [*command_lines(text), *spoken_of(text)]:
        command, left = command_of(words)
        given = {word.partition("=")[0] for word in left if re.match(r"--?\w", word)}
        assert given <= options_of(command), words


@pytest.mark.parametrize("page", HANDBOOK, ids=named)
def test_commands_of_the_handbook_parse(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is read by the command line with its arguments and the values of its options.

    Whether files are there is not looked at, nor values that stand for others (NAME, 9f3c…, $server).
    """
    for words in command_lines(page.read_text("utf-8")):
        command, left = command_of(words)
        for parameter in command.params:
            if isinstance(parameter.type, click.Path | click.File):
                monkeypatch.setattr(parameter, "type", click.STRING)
        try:
            command.make_context(words[-1], list(left), parent=click.Context(heltig))
        except click.exceptions.Exit:
            continue  # --version and --help end there
        except click.BadParameter as wrong:
            stands_for = any(PLACEHOLDER.fullmatch(word) or "$" in word for word in left)
            if isinstance(wrong, click.MissingParameter) or not stands_for:
                pytest.fail(f"{shlex.join(words)}: {wrong.format_message()}")


def test_there_is_something_to_look_at() -> None:
    lines = [words for page in HANDBOOK for words in command_lines(page.read_text("utf-8"))]
    assert len(lines) > 60
    assert {words[1] for words in lines} >= {
        "doctor",
        "backup",
        "restore",
        "audit",
        "keys",
        "rescore",
        "compare",
    }


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_settings_that_pages_name_are_there(page: Path) -> None:
    for name in set(re.findall(r"\bHELTIG_[A-Z_]*", page.read_text("utf-8"))):
        if name.endswith("_"):  # HELTIG_KEEP_…: all that begin so
            assert name in FOREIGN_PREFIXES or any(known.startswith(name) for known in KNOWN), name
        else:
            assert name in KNOWN or name in FOREIGN or name.startswith(FOREIGN_PREFIXES), name


def is_route(method: str, path: str) -> bool:
    """Whether a path, which may have values or names where a route has parameters, is one of a route."""
    ours = path.strip("/").split("/")
    for route in ROUTES:
        verb, _, template = route.partition(" ")
        theirs = template.strip("/").split("/")
        same = all(one == other or other.startswith("{") for one, other in zip(ours, theirs, strict=False))
        if len(ours) == len(theirs) and same and method in (verb, ""):
            return True
    return False


@pytest.mark.parametrize("page", HANDBOOK, ids=named)
def test_routes_that_the_handbook_names_are_there(page: Path) -> None:
    text = page.read_text("utf-8")
    whole = [(method, path.partition("?")[0]) for method, path in ROUTE.findall(text)]
    whole += [("", span.partition("?")[0]) for span in SPAN.findall(prose(text)) if AREA.match(span)]
    for method, path in whole:
        # A root, such as /dicom-web, stands for all that is below it.
        is_root = not method and any(f" {path}/" in route for route in ROUTES)
        assert is_root or is_route(method, path), f"{method} {path}"


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and GitLab make them."""
    headings = re.findall(r"^#+ (.+)$", prose(page.read_text("utf-8")), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", LINKING, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    text = SPAN.sub("", prose(page.read_text("utf-8")))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        found = (page.parent / file) if file else page
        assert found.exists(), target
        if anchor and found.suffix == ".md":
            assert anchor in anchors(found), target


@pytest.mark.parametrize("page", HANDBOOK, ids=named)
def test_files_of_the_source_that_the_handbook_names_are_there(page: Path) -> None:
    spans = re.findall(r"`((?:tests|heltig|deploy|docs)/[^`\s]*|\.ci/\w+)`", page.read_text("utf-8"))
    for span in spans:
        assert (ROOT / span.replace("ID.yml", "PAT-ID-CONFLICT.yml")).exists(), span


def test_ports_and_exit_codes_are_those_of_the_code() -> None:
    questions = (DOCS / "handbook/security-questionnaire.md").read_text("utf-8")
    ports = re.findall(r"^\| (\d+) \(`(HELTIG_\w+)`\)", questions, re.MULTILINE)
    assert ports
    assert all(int(port) == KNOWN[setting] for port, setting in ports)
    trouble = (DOCS / "handbook/troubleshooting.md").read_text("utf-8").partition("## Exit codes")[2]
    codes = {int(code) for code in re.findall(r"^\| (\d+) \|", trouble, re.MULTILINE)}
    classes = [value for value in vars(errors).values() if isinstance(value, type)]
    assert {one.exit_code for one in classes if issubclass(one, errors.HeltigError)} <= codes
