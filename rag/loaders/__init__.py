"""Files -> documents: a table of suffix and media type -> loader, one format a file.

A new format is a file here and a line in the table; the loader contract in the tests then covers it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rag.errors import LoadProblem, NoText, UnsupportedFormat
from rag.loaders import docx, epub, pptx, xlsx
from rag.loaders.html import load_html
from rag.loaders.json_rows import load_json, load_json_lines
from rag.loaders.mail import load_message, split_mbox
from rag.loaders.markdown import load_markdown
from rag.loaders.pdf import load_pdf
from rag.loaders.plain import load_plain
from rag.loaders.rst import load_rst
from rag.loaders.source import Part, Source
from rag.loaders.table import load_csv, load_tsv
from rag.types import FailedRow, LoadedDocument

__all__ = ["CODE", "FORMATS", "Format", "load", "load_by", "read_here", "supported_media_types", "supported_suffixes"]

Loader = Callable[[Source], Iterator[LoadedDocument | FailedRow]]


@dataclass(frozen=True, slots=True)
class Format:
    """One line of the table: which endings and media types a loader reads.

    What is `foreign` is read by a library that meets bytes which anyone may have made: `rag/parsing.py` gives it to a
    process of its own. `parts` cuts a file into files that are read one by one.
    """

    suffixes: tuple[str, ...]
    media_types: tuple[str, ...]
    loader: Loader
    foreign: bool = False
    parts: Callable[[Source], Iterator[Part]] | None = None


Reader = Callable[[Format, Source], Iterator[LoadedDocument | FailedRow]]

# Source code and what stands beside it: text, whatever the language.
CODE = (
    ".py", ".pyi", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".vue", ".svelte", ".java", ".kt", ".kts", ".scala",
    ".groovy", ".gradle", ".c", ".h", ".cc", ".cpp", ".cxx", ".hpp", ".hh", ".m", ".mm", ".cs", ".fs", ".vb", ".rs",
    ".go", ".rb", ".php", ".pl", ".pm", ".lua", ".r", ".jl", ".swift", ".dart", ".ex", ".exs", ".erl", ".hs", ".ml",
    ".clj", ".el", ".lisp", ".scm", ".zig", ".nim", ".f90", ".asm", ".s", ".v", ".vhd", ".sql", ".graphql", ".proto",
    ".sh", ".bash", ".zsh", ".fish", ".ps1", ".bat", ".cmd", ".awk", ".tcl", ".vim", ".css", ".scss", ".sass", ".less",
    ".toml", ".yaml", ".yml", ".ini", ".cfg", ".conf", ".properties", ".tf", ".hcl", ".nix", ".cmake", ".mk",
    ".dockerfile", ".diff", ".patch", ".tex", ".bib", ".org", ".adoc", ".srt", ".vtt", ".po",
)  # fmt: skip

FORMATS = (
    Format((".txt", ".text", ".log", *CODE), ("text/plain",), load_plain),
    Format((".md", ".markdown"), ("text/markdown", "text/x-markdown"), load_markdown),
    Format((".rst",), ("text/x-rst", "text/prs.fallenstein.rst"), load_rst),
    Format((".html", ".htm", ".xhtml"), ("text/html", "application/xhtml+xml"), load_html, foreign=True),
    Format((".pdf",), ("application/pdf",), load_pdf, foreign=True),
    Format((".docx",), (docx.MEDIA_TYPE,), docx.load_docx, foreign=True),
    Format((".pptx", ".pptm"), (pptx.MEDIA_TYPE,), pptx.load_pptx, foreign=True),
    Format((".xlsx", ".xlsm"), (xlsx.MEDIA_TYPE,), xlsx.load_xlsx, foreign=True),
    Format((".epub",), (epub.MEDIA_TYPE,), epub.load_epub, foreign=True),
    Format((".eml",), ("message/rfc822",), load_message, foreign=True),
    Format((".mbox",), ("application/mbox",), load_message, foreign=True, parts=split_mbox),
    Format((".csv",), ("text/csv",), load_csv),
    Format((".tsv",), ("text/tab-separated-values",), load_tsv),
    Format((".json", ".json.gz"), ("application/json",), load_json),
    Format(
        (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz"),
        ("application/x-ndjson", "application/jsonl", "application/x-jsonlines"),
        load_json_lines,
    ),
)
_PLAIN = FORMATS[0]
_DOCUMENTS = [suffix for known in FORMATS for suffix in known.suffixes if suffix not in CODE]

# Media types that say nothing about what is inside: the name decides.
_NEUTRAL = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/gzip", "application/x-gzip"})
_ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".7z", ".rar", ".gz", ".bz2", ".xz", ".zst")


def load(data: bytes, *, name: str, media_type: str | None = None) -> Iterator[LoadedDocument | FailedRow]:
    """Yield the documents of one file, and a FailedRow for each row of it that cannot become one.

    `name` is the file's name; its ending chooses the loader unless `media_type` does (`text/html; charset=…`, whose
    charset counts as declared). JSON and JSON Lines have rows and an mbox has messages; every other file is one
    document. Raises, at the call or while iterating, LoadProblem for the whole file: UnsupportedFormat where no loader
    reads its kind, NoText where there is no text in it. Rows of a file that is damaged at its end were yielded before.
    """
    return load_by(read_here, data, name, media_type)


def load_by(read: Reader, data: bytes, name: str, media_type: str | None) -> Iterator[LoadedDocument | FailedRow]:
    """Do as `load` does, with `read` doing the reading of a file or of a part of one, wherever it does it."""
    kind, charset = _parse_media_type(media_type or "")
    known = _by_suffix(name) if kind in _NEUTRAL else _by_media_type(kind)
    if not data:
        raise NoText("The file is empty: there is no text to add.")
    source = Source(data, name, charset)
    return read(known, source) if known.parts is None else _read_parts(read, known.parts(source))


def read_here(known: Format, source: Source) -> Iterator[LoadedDocument | FailedRow]:
    """Read a file in this process."""
    return known.loader(source)


def supported_suffixes() -> Sequence[str]:
    """Return the endings of files that a loader reads, in lower case with their dot (`.jsonl.gz` is one)."""
    return tuple(suffix for known in FORMATS for suffix in known.suffixes)


def supported_media_types() -> Sequence[str]:
    """Return the media types that a loader reads, without parameters."""
    return tuple(media_type for known in FORMATS for media_type in known.media_types)


def _read_parts(read: Reader, parts: Iterator[Part]) -> Iterator[LoadedDocument | FailedRow]:
    """Yield the document of each part, or the line of the part with its reason."""
    for part in parts:
        try:
            yield from load_by(read, part.data, part.name, None)
        except LoadProblem as problem:
            yield FailedRow(part.line, str(problem))


def _by_suffix(name: str) -> Format:
    lower = name.lower()
    matches = [known for known in FORMATS if lower.endswith(known.suffixes)]
    if matches:
        return matches[0]
    if lower.endswith(_ARCHIVES):
        raise UnsupportedFormat("The file is an archive: unpack it and add the files that are in it.")
    if name and "." not in lower.rpartition("/")[2]:  # README, Makefile: what is no text is refused when it is read
        return _PLAIN
    raise UnsupportedFormat(f"No loader reads this kind of file: convert it to one of {', '.join(_DOCUMENTS)}.")


def _by_media_type(kind: str) -> Format:
    for known in FORMATS:
        if kind in known.media_types:
            return known
    raise UnsupportedFormat(f"No loader reads {kind!r}: send one of {', '.join(supported_media_types())}.")


def _parse_media_type(value: str) -> tuple[str, str | None]:
    """Split `text/html; charset=iso-8859-1` into its type in lower case and its charset, if any."""
    kind, *parameters = value.split(";")
    charsets = [p.partition("=")[2].strip(" \"'") for p in parameters if p.strip().lower().startswith("charset=")]
    return kind.strip().lower(), charsets[0] if charsets else None
