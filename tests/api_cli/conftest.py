"""The console script in processes of its own, and data folders that it filled.

Every process loads the real model, which takes seconds, so tests share what they only read.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from api.app import create_app
from api.cli.local import Local
from api.cli.remote import Remote
from api.cli.service import Service
from api.limits import Limits
from api.settings import Settings
from api.wiring import Pincite
from index.catalog import Catalog
from rag.encoding import HashingEncoder
from rag.reading import Reader, WordReader

ROOT = Path(__file__).parents[2]
SCRIPT = Path(sys.executable).parent / "pincite"
NOTES = {
    "notes/bridge.md": "---\ntitle: The Vistula bridge\ndate: 2024-05-09\nsource: Courier\n---\n"
    "The new bridge over the Vistula opened in May 2024. It carries trams and bicycles, and no cars.\n",
    "notes/deep/er/honey.txt": "Honey is harvested in July. The beekeepers of the valley are content.\n",
    "notes/scan.pdf": "%PDF-1.7 nothing follows",
    "rows.jsonl": '{"_id": "row one", "text": "Copper melts at 1085 degrees Celsius.", "title": "Copper"}\n'
    '{"text": "Tin melts at 232 degrees Celsius.", "title": "Tin"}\n',
}


class CommandLine:
    """Runs `pincite` in a folder of its own with no settings but those given."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PINCITE_") and name != "PORT"}
        self.environment = {
            **kept,
            "XDG_DATA_HOME": str(folder / "home"),
            "PINCITE_DATA": str(self.data),
            "PINCITE_CACHE": str(cache),
            "PINCITE_READER": "off",  # tests that want it say so
            "COLUMNS": "200",
        }

    def __call__(
        self, *arguments: object, given: str | None = None, guarded: bool = False, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run one command to its end; `guarded` ends it with status 99 where it touches the network."""
        guard = [sys.executable, ROOT / "tests" / "no_network.py", "from api.cli import main; main()"]
        return subprocess.run(
            [*(guard if guarded else [SCRIPT]), *map(str, arguments)],
            cwd=self.folder,
            env={**self.environment, **environment},
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def write(self, files: dict[str, str]) -> None:
        """Write files below the folder that commands run in."""
        for name, content in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(content, encoding="utf-8")


@pytest.fixture
def pincite(tmp_path: Path, cache: Path) -> CommandLine:
    """The command line over an empty folder."""
    return CommandLine(tmp_path, cache)


@pytest.fixture(scope="session")
def first(
    tmp_path_factory: pytest.TempPathFactory, cache: Path
) -> tuple[CommandLine, subprocess.CompletedProcess[str]]:
    """A first start, cut off from the network, that ingests a folder and a file; one of the files is bad."""
    command_line = CommandLine(tmp_path_factory.mktemp("first"), cache)
    command_line.write(NOTES)
    return command_line, command_line("ingest", "notes", "rows.jsonl", "--json", guarded=True)


@pytest.fixture
def stocked(first: tuple[CommandLine, Any]) -> CommandLine:
    """The command line over the folder that the first start filled; only to be read."""
    return first[0]


@pytest.fixture(scope="module")
def reader() -> Reader:
    """The reader of both services."""
    return WordReader()


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory, reader: Reader) -> Iterator[dict[str, Service]]:
    """Both services over one folder: the server is a thread of this process."""
    folder, encoder = tmp_path_factory.mktemp("data"), HashingEncoder()
    bound = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    with Catalog(folder, encoder=encoder.fingerprint, dimension=encoder.dimension) as catalog:
        catalog.announce(url)
        pincite = Pincite(Settings(data=folder), catalog, encoder, reader)
        server = uvicorn.Server(uvicorn.Config(create_app(pincite, Limits(job_results=300)), log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        yield {"here": Local(pincite), "by a server": Remote(url, pincite.settings)}
        server.should_exit = True
        thread.join(30)
