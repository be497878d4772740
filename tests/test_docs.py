"""The documentation, held: what the code has is found in the prose, what the prose names exists, and examples work."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic_core import PydanticUndefined

from api import problems
from api.app import create_app
from api.cli.commands import app as command_line
from api.cli.output import Exit
from api.limits import Limits, named_limits
from api.settings import Settings
from api.wiring import Pincite
from index import filters
from index.catalog import Catalog
from index.types import Json
from rag import parsing
from rag.encoding import HashingEncoder
from rag.evaluation.diagnosis import STAGES
from rag.evaluation.making import DROPPED
from rag.evaluation.measures import CONFIDENCE, OWN, RANKING
from rag.loaders import html, json_rows, packed, pdf, supported_media_types, supported_suffixes, written, zipped

ROOT = Path(__file__).parent.parent
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}
PAGES |= {name: (ROOT / name).read_text("utf-8") for name in ("README.md", "CHANGELOG.md")}
API, COMMANDS, FORMATS = (PAGES[f"docs/{name}.md"] for name in ("api", "command-line", "formats"))
BASE = "http://127.0.0.1:8000"  # of the examples
FENCE = re.compile(r"^```(\w*)( run)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def section(page: str, title: str) -> str:
    """Return what stands under a heading, up to the next one of its level or above."""
    marks, _, _ = title.partition(" ")
    after = page.partition(f"\n{title}\n")[2]
    assert after, f"no heading {title!r}"
    return re.split(rf"^#{{1,{len(marks)}}} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def rows(part: str) -> dict[str, list[str]]:
    """Return the tables of a part of a page: the cells of each row by what its first cell names in code."""
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line[:1] == "|"]
    return {name: cells for cells in lines for name in re.findall(r"`([^`]+)`", cells[0])}


# Settings and commands


def test_every_setting_is_told() -> None:
    """Name, environment variable and default of each, and no others."""
    told = rows(section(COMMANDS, "## Settings"))
    assert set(told) == set(Settings.model_fields)
    for name, field in Settings.model_fields.items():
        assert f"`PINCITE_{name.upper()}`" in told[name][1]
        if field.default not in (None, PydanticUndefined):
            assert f"`{field.default}`".lower() in told[name][3].lower()  # TOML writes false


def commands(command: Any = None, path: str = "pincite") -> Iterator[tuple[str, Any]]:
    """Yield every command that can be run, with its words."""
    command = command or typer.main.get_command(command_line)
    below = getattr(command, "commands", {})
    if not below:
        yield path, command
    for name, one in below.items():
        yield from commands(one, f"{path} {name}")


def options(command: Any) -> Mapping[str, Any]:
    """Return the options of a command by each of their spellings."""
    return {spelling: one for one in command.params for spelling in one.opts if spelling.startswith("-")}


def test_every_command_is_told() -> None:
    """There is a section for each command, and for no other."""
    assert sorted(re.findall(r"^### `(pincite [a-z ]+)`$", COMMANDS, re.MULTILINE)) == sorted(dict(commands()))


@pytest.mark.parametrize("name", dict(commands()))
def test_every_option_is_told(name: str) -> None:
    """The section of a command has exactly its options, with their defaults."""
    told, found = rows(section(COMMANDS, f"### `{name}`")), options(dict(commands())[name])
    assert set(told) == set(found)
    for spelling, option in found.items():
        if isinstance(option.default, str | int) and not isinstance(option.default, bool):
            assert told[spelling][1] == f"`{option.default}`"


def test_the_options_of_all_commands_are_told() -> None:
    """Those that stand before the command."""
    for spelling in options(typer.main.get_command(command_line)):
        assert f"`{spelling}" in COMMANDS


def test_every_exit_status_is_told() -> None:
    """Each number has a row."""
    told = re.findall(r"^\| (\d) \|", section(COMMANDS, "## Exit status"), re.MULTILINE)
    assert [int(one) for one in told] == [int(one) for one in Exit]


# The HTTP contract


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Json:
    """The OpenAPI document of a service over an empty folder."""
    folder, encoder = tmp_path_factory.mktemp("openapi"), HashingEncoder()
    with Catalog(folder, encoder=encoder.fingerprint, dimension=encoder.dimension) as catalog:
        return create_app(Pincite(Settings(data=folder), catalog, encoder)).openapi()


def test_every_endpoint_is_told(document: Json) -> None:
    """Each method of each path has a section, and no other has."""
    served = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert set(re.findall(r"^### `([A-Z]+ /[^`]*)`$", API, re.MULTILINE)) == served


def test_every_field_is_told(document: Json) -> None:
    """Every member of what is sent and answered, and every parameter, is named."""
    named = set(re.findall(r"[`\"]([A-Za-z0-9_-]+)[`\"]", API))
    members = {name for schema in document["components"]["schemas"].values() for name in schema.get("properties", {})}
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    members |= {one["name"] for operation in operations for one in operation.get("parameters", [])}
    assert members - named - {"id", "name", "text", "status"} == set()


def choices(schema: Json) -> Iterator[str]:
    """Yield every string that a schema or anything in it allows as one of a few."""
    if isinstance(schema, dict):
        yield from (one for one in [*schema.get("enum", []), schema.get("const")] if isinstance(one, str))
    for below in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from choices(below)


def test_every_fixed_value_is_told(document: Json) -> None:
    """Modes, statuses, reasons, kinds of highlights: each is named."""
    assert {value for value in choices(document) if value not in API} == set()


def test_every_problem_is_told() -> None:
    """Each stable code has a row with its status, and no other has."""
    told = {code: cells[1] for code, cells in rows(section(API, "## Errors")).items()}
    known = {kind.code: str(kind.status) for kind in problems.KINDS.values()} | dict(raised())
    known |= {code: str(status) for status, code in problems._HTTP_CODES.items()} | {"refused": "the status"}
    known |= dict.fromkeys([*problems._CODES.values(), "invalid_value"], "422")
    assert told == known


def raised() -> Iterator[tuple[str, str]]:
    """Yield code and status of every `Problem(status, "code", …)` in the source of api/."""
    for file in (ROOT / "api").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Problem":
                status, code = (one.value if isinstance(one, ast.Constant) else None for one in node.args[:2])
                if isinstance(status, int) and isinstance(code, str):
                    yield code, str(status)


def test_every_limit_is_told() -> None:
    """Each limit of `/v1/info` has a row with its value, and the filter's are stated."""
    told = {name: cells[1] for name, cells in rows(section(API, "## Limits")).items()}
    assert told == {name: f"{value:,}" for name, value in named_limits(Limits()).items()}
    bounds = f"{filters.MAX_DEPTH} levels, {filters.MAX_CONDITIONS} conditions and {filters.MAX_VALUES:,}"
    assert bounds in section(API, "## Filters")


def test_the_filter_language_is_told() -> None:
    """Every field and every operator has a row, and no other has."""
    told = set(rows(section(API, "## Filters")))
    assert told == {*filters.DATES, *filters.STRINGS, filters.METADATA + "NAME", *filters.OPERATORS}


# Formats and measures


def test_every_format_is_told() -> None:
    """Each suffix and media type stands in the table, and no other does."""
    table = FORMATS.partition("| format |")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([^`]+)`", table)) == {*supported_suffixes(), *supported_media_types()}


def test_every_limit_of_a_format_is_told() -> None:
    """As the sections state them."""

    def told(title: str) -> str:
        return " ".join(section(FORMATS, f"## {title}").split())

    of_packed, of_readers = told("Packed formats"), told("Readers in processes of their own")
    assert f"{pdf.PAGE_LIMIT:,} pages or {pdf.TEXT_LIMIT >> 20} Mi characters" in told("PDF")
    assert f"{zipped.UNPACKED_LIMIT >> 20} MiB without media, {zipped.MEMBER_LIMIT:,}" in of_packed
    assert f"{parsing.MEMORY >> 30} GiB of memory and {parsing.SECONDS} seconds" in of_readers
    assert f"{parsing.SECONDS_PER_MIB} more for each MiB of its size up to {parsing.SECONDS_MOST}." in of_readers
    assert f"more than {written.TEXT_LIMIT >> 20} Mi characters" in told("Office: DOCX, PPTX, XLSX")
    assert f"{html.SIZE_LIMIT >> 20} Mi characters" in told("HTML")
    of_rows = told("JSON and JSON Lines")
    assert f"a line of {packed.ROW_LIMIT >> 20} MiB; a `.json` of {packed.WHOLE_LIMIT >> 20} MiB" in of_rows
    assert f"{packed.UNPACKED_LIMIT >> 30} GiB unpacked" in of_rows
    assert f"more than {json_rows._DEPTH} deep" in of_rows


def test_every_measure_is_told() -> None:
    """Each has its row, and no other has."""
    told = rows(section(PAGES["docs/evaluation.md"], "## Measures"))
    assert set(told) == {*map(str, RANKING), *OWN, *CONFIDENCE}


def test_every_stage_and_every_reason_is_told() -> None:
    """Where a document is lost, and why a made question is dropped: each has its row, and no other has."""
    page = PAGES["docs/evaluation.md"]
    assert set(rows(section(page, "## Where a document was lost"))) == set(STAGES)
    assert set(rows(section(page, "## Questions that a corpus makes"))) == set(DROPPED)


# What the pages name


def test_every_file_of_the_code_is_told() -> None:
    """The architecture says of each file of the three folders what it is for; packages stand for their files."""
    page = PAGES["docs/architecture.md"]
    files = [file for room in ("index", "rag", "api") for file in (ROOT / room).glob("*.py") if file.name[0] != "_"]
    folders = [path for room in ("rag", "api") for path in (ROOT / room).iterdir() if any(path.glob("[!_]*"))]
    names = [file.relative_to(ROOT).as_posix() for file in files]
    names += [f"{path.relative_to(ROOT).as_posix()}/" for path in folders if path.is_dir() and path.name[0] != "_"]
    assert [name for name in names if f"`{name}`" not in page] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_file_that_a_page_names_is_there(name: str) -> None:
    """Paths in code exist, and so do the tests that are called by name."""
    for path, test in re.findall(r"`((?:index|rag|api|tests|seeds|docs)/[\w./-]*)(?:::(test_\w+))?`", PAGES[name]):
        assert (ROOT / path).exists(), path
        assert not test or f"def {test}(" in (ROOT / path).read_text("utf-8"), test


def anchors(page: str) -> set[str]:
    """Return the anchors that a page's headings have."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", [*PAGES, "seeds/README.md"])
def test_every_relative_link_leads_somewhere(name: str) -> None:
    """To a file that is there, and to a heading in it where one is named."""
    page = (ROOT / name).read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCE.sub("", page)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text("utf-8")), target


def test_the_changelog_has_this_version() -> None:
    """With a day, as Keep a Changelog asks."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert re.search(rf"^## \[{re.escape(version)}\] - \d{{4}}-\d{{2}}-\d{{2}}$", PAGES["CHANGELOG.md"], re.MULTILINE)


# Examples


def examples() -> list[Any]:
    """Return, by page, its blocks that are marked to be run: (language, source)."""
    found = {name: [(lang, source) for lang, run, source in FENCE.findall(page) if run] for name, page in PAGES.items()}
    return [pytest.param(blocks, id=name) for name, blocks in found.items() if blocks]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of examples: our console script first, no settings, and a curl that fails on a refusal."""
    home = tmp_path_factory.mktemp("home")
    (home / ".curlrc").write_text("fail\nshow-error\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PINCITE_") and name != "PORT"}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**kept, "PATH": path, "CURL_HOME": str(home), "XDG_DATA_HOME": str(home)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Iterator[str]:
    """The address of a real server over the sample documents, started as `make run` starts it."""
    folder = tmp_path_factory.mktemp("served")
    pincite = ["pincite", "--data", str(folder)]
    subprocess.run([*pincite, "ingest", "seeds/documents"], cwd=ROOT, env=environment, check=True)
    command = [*pincite, "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = re.search(r"Page: +(http://\S+)/", process.stdout.readline())
        assert told, "the server did not start"
        yield told[1]
        process.terminate()


@pytest.mark.parametrize("blocks", examples())
def test_examples_work(blocks: list[Any], server: str, environment: dict[str, str], tmp_path: Path) -> None:
    """Those of a page are run one after another in a folder with the sample documents; each exits 0 and prints."""
    if shutil.which("curl") is None and any("curl" in source for _, source in blocks):
        missing = pytest.fail if os.environ.get("PINCITE_REQUIRE_BROWSER") == "1" else pytest.skip
        missing("no curl is installed: the examples of this page are left out")
    shutil.copytree(ROOT / "seeds", tmp_path / "seeds")
    for language, source in blocks:
        source = source.replace(BASE, server)
        command = [sys.executable, "-c"] if language == "python" else ["bash", "-euo", "pipefail", "-c"]
        done = subprocess.run([*command, source], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"{source}\n{done.stdout}\n{done.stderr}"
        assert done.stdout.strip(), source
        if "# exact" in source:
            assert done.stdout.splitlines()[-1] == "exact"


def test_the_page_promises_what_is_checked_here() -> None:
    """The README has an example in each of both languages."""
    assert {language for language, run, _ in FENCE.findall(PAGES["README.md"]) if run} == {"sh", "python"}
