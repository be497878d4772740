"""What is installed and what would be shipped."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parent.parent
PINS = (ROOT / "constraints.txt").read_text("utf-8")


def normal(name: str) -> str:
    """Return a distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_no_cuda_is_installed() -> None:
    """torch is the CPU build: no distribution of the gigabytes that the CUDA build needs is here."""
    names = [normal(one.name) for one in distributions()]
    assert "torch" in names
    assert not [name for name in names if name.startswith("nvidia-")]


def test_constraints_pin_every_dependency_from_any_index() -> None:
    """Every dependency is pinned once, torch apart, without local versions or files that no index has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    pinned = [normal(line.split("==")[0]) for line in PINS.splitlines()]
    assert not {normal(re.split(r"[<>=~ ;\[]", one)[0]) for one in wanted} - set(pinned)
    assert len(pinned) == len(set(pinned))
    assert "torch" not in pinned
    assert "+cpu" not in PINS
    assert "file:" not in PINS


def test_the_wheel_holds_the_page(tmp_path: Path) -> None:
    """A wheel built from this folder holds the three packages and the page, and neither tests nor sample documents."""
    source = tmp_path / "source"  # a build leaves files in the folder that it builds from
    ignored = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build")
    shutil.copytree(ROOT, source, ignore=ignored)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, source]  # offline
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    page = {path.relative_to(ROOT).as_posix() for path in (ROOT / "api/page").rglob("*") if path.is_file()}
    page = {path for path in page if "__pycache__" not in path}
    assert len(page) > 5
    assert page <= held
    code = {
        path.relative_to(ROOT).as_posix() for room in ("api", "index", "rag") for path in (ROOT / room).rglob("*.py")
    }
    assert code <= held
    assert not [name for name in held if name.startswith(("tests/", "seeds/", "benchmarks/"))]
    assert {name.split("/")[0] for name in held if ".dist-info/" not in name} == {"api", "index", "rag"}
    assert [name for name in held if name.endswith(".dist-info/licenses/LICENSE")]


def test_what_is_installed_is_what_is_pinned() -> None:
    """So that the tests speak of what users get."""
    installed = {normal(one.name): one.version for one in distributions()}
    pins = {normal(name): version for name, _, version in (line.partition("==") for line in PINS.splitlines())}
    assert {name: installed[name] for name in pins if name in installed} == {
        name: version for name, version in pins.items() if name in installed
    }


def test_no_file_names_a_place_of_some_machine() -> None:
    """No tracked file holds an absolute path of where it was written, but for tests that make up paths of their own."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    files = [name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    assert files
    places = re.compile(rb"(?<![\w.~-])/(?:work|tmp|home|root|Users)/")
    found = [
        f"{name}: {place[0].decode()}"
        for name in files
        if not name.startswith("tests/") and name != ".gitignore"
        for place in places.finditer((ROOT / name).read_bytes())
    ]
    assert not found
