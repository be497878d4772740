"""The structure of docs/architecture.md, held: directions, no cycles, one home for each heavy library."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("index", "rag", "api")  # each may import itself and what stands before it
HOMES = {
    "apsw": {"index/store.py", "index/migrations.py"},
    "faiss": {"index/dense.py"},
    "tantivy": {"index/terms.py"},
    "torch": {"rag/runtimes/plain.py", "rag/runtimes/prepare.py", "rag/runtimes/reader.py"},
    "sentence_transformers": {"rag/runtimes/plain.py"},
    "transformers": {"rag/runtimes/plain.py", "rag/runtimes/reader.py"},
    "openvino": {"rag/runtimes/fast.py", "rag/runtimes/prepare.py"},
    "safetensors": {"rag/runtimes/reader.py"},
    "tokenizers": {"rag/encoding.py", "rag/pairs.py", "rag/reading.py", "rag/runtimes/prepare.py"},
    "langchain_text_splitters": {"rag/splitting.py"},
    "trafilatura": {"rag/loaders/html.py"},
    "pypdf": {"rag/loaders/pdf.py"},
    "docx": {"rag/loaders/docx.py"},
    "pptx": {"rag/loaders/pptx.py"},
    "openpyxl": {"rag/loaders/xlsx.py"},
    "markdown_it": {"rag/loaders/markdown.py"},
    "charset_normalizer": {"rag/loaders/decoding.py"},
    "yaml": {"rag/loaders/markdown.py"},
    "ir_measures": {"rag/evaluation"},
    "scipy": {"rag/evaluation"},
    "fastapi": {"api"},
    "starlette": {"api"},
    "uvicorn": {"api/server.py", "api/protocol.py"},
    "httptools": {"api/protocol.py"},
    "prometheus_client": {"api/metrics.py"},
    "typer": {"api/cli"},
    "rich": {"api/cli"},
    "watchfiles": {"api/cli/watching.py"},
    "pydantic": {"api"},
    "pydantic_settings": {"api/settings.py"},
}
STAGES = {"loaders", "splitting", "encoding", "fusion", "assembly", "evidence", "history", "reading"}
CODE = sorted(chain.from_iterable((ROOT / room).rglob("*.py") for room in ROOMS))


def imports(file: Path) -> Iterator[str]:
    """Yield the dotted name of everything that a file imports, inside functions and for type checking too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute here"
            for alias in node.names:
                below = ROOT / str(node.module).replace(".", "/") / alias.name
                is_module = below.with_suffix(".py").exists() or below.is_dir()
                yield f"{node.module}.{alias.name}" if is_module else str(node.module)


def name(file: Path) -> str:
    """Return a file's path below the repository."""
    return file.relative_to(ROOT).as_posix()


def test_nothing_below_knows_anything_above() -> None:
    """`api` may import `rag` and `index`, `rag` may import `index`, and `index` only itself."""
    wrong = [
        f"{name(file)} imports {imported}"
        for file in CODE
        for imported in imports(file)
        if imported.split(".")[0] in ROOMS[ROOMS.index(name(file).split("/")[0]) + 1 :]
    ]
    assert not wrong


@pytest.mark.parametrize("library", HOMES)
def test_a_heavy_library_has_one_home(library: str) -> None:
    """Each heavy library is imported where the architecture says, and it is imported there at all."""
    importers = {name(file) for file in CODE if library in {imported.split(".")[0] for imported in imports(file)}}
    strangers = {
        file for file in importers if not any(file == home or file.startswith(home + "/") for home in HOMES[library])
    }
    assert not strangers


def test_only_settings_reads_the_environment() -> None:
    """`os.environ` and `os.getenv` occur in api/settings.py alone."""
    readers = {name(file) for file in CODE if "environ" in (text := file.read_text("utf-8")) or "getenv" in text}
    assert readers == {"api/settings.py"}


def test_the_stages_do_not_import_one_another() -> None:
    """Only ingest, ask and retrieval compose stages."""
    wrong = [
        f"{name(file)} imports {imported}"
        for file in CODE
        if name(file).startswith("rag/") and (stage := name(file).split("/")[1].removesuffix(".py")) in STAGES
        for imported in imports(file)
        if imported.startswith("rag.") and imported.split(".")[1] in STAGES - {stage}
    ]
    assert not wrong


def test_there_are_no_import_cycles() -> None:
    """No file imports itself by way of others."""
    graph = {}
    modules = {name(file).removesuffix(".py").removesuffix("/__init__").replace("/", "."): file for file in CODE}
    for module, file in modules.items():
        graph[module] = {found for found in imports(file) if found in modules and found != module}
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, "cycle: " + " → ".join([*path[path.index(module) :], module])
        if module not in done:
            for further in sorted(graph[module]):
                visit(further, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_forbidden_calls_are_absent() -> None:
    """No pickle, no eval or exec, no unsafe YAML loader anywhere in the product."""
    wrong = []
    for file in CODE:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if called in {"eval", "exec", "yaml.load", "pickle.load", "pickle.loads"}:
                wrong.append(f"{name(file)}:{node.lineno} calls {called}")
        wrong += [f"{name(file)} imports pickle" for imported in imports(file) if imported.split(".")[0] == "pickle"]
    assert not wrong
