"""What the page's files must be, without a browser."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

import pytest

import api.page

FOLDER = Path(next(iter(api.page.__path__)))
OWN = sorted(path for path in FOLDER.iterdir() if path.suffix in {".js", ".css", ".html"})
MOST_GZIPPED = 40_000  # bytes of all that the first load brings


def test_the_vendored_file_is_the_one_that_its_readme_names() -> None:
    """The digest in vendor/README.md is the file's."""
    digest = hashlib.sha256((FOLDER / "vendor" / "standalone.module.js").read_bytes()).hexdigest()
    assert f"`{digest}`" in (FOLDER / "vendor" / "README.md").read_text()


def test_both_vendored_licences_lie_beside_it() -> None:
    """htm's Apache licence and Preact's MIT licence travel with the code."""
    assert "Apache License" in (FOLDER / "vendor" / "LICENSE.htm.txt").read_text()
    assert "MIT License" in (FOLDER / "vendor" / "LICENSE.preact.txt").read_text()


def test_the_first_load_is_small() -> None:
    """Everything that the page loads has 40 kB at most when each file is gzipped."""
    files = [*OWN, FOLDER / "vendor" / "standalone.module.js"]
    assert sum(len(gzip.compress(path.read_bytes(), mtime=0)) for path in files) <= MOST_GZIPPED


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_nothing_turns_text_into_markup_or_code(path: Path) -> None:
    """No file uses a sink that parses its text as HTML or runs it."""
    sinks = r"innerHTML|outerHTML|insertAdjacentHTML|dangerouslySet|document\.write|DOMParser|\beval\b|new Function"
    assert re.findall(sinks, path.read_text()) == []


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_nothing_names_another_host(path: Path) -> None:
    """No file names an address with a host in it."""
    assert re.findall(r"""["'(]\s*(?:https?:)?//[a-z0-9]""", path.read_text()) == []


def test_the_document_holds_no_inline_script_and_no_inline_style() -> None:
    """Scripts have a src and no body; there is no style element, style attribute or on… attribute."""
    text = (FOLDER / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\ssrc=)[^>]*>", text) == []
    assert re.findall(r"<script[^>]*>[^<]", text) == []
    assert re.findall(r"<style|\sstyle=|\son[a-z]+=", text) == []


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_files_stay_short(path: Path) -> None:
    """A file has 400 lines at most."""
    assert len(path.read_text().splitlines()) <= 400
