"""Foreign files are read in processes of their own: what one of them does to its reader is its own affair."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import samples
from rag import loaders, parsing
from rag.errors import LoadProblem, NoText, UnsupportedFormat
from rag.parsing import Parser
from rag.types import FailedRow

ROOT = Path(__file__).parents[2]
# A reader that does what a broken parser would do, as the first word of the file says.
UNRULY = f"""
import os, signal, sys, time
sys.path.insert(0, {str(ROOT)!r})
from rag import loaders, worker

def read(data, *, name, media_type):
    word = data.split()[0]
    if word == b"kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == b"leave":
        os._exit(0)
    if word == b"wait":
        time.sleep(1000)
    while word == b"loop":
        pass
    if word == b"fill":
        bytearray(1 << 40)
    if word == b"print":
        os.write(1, b"noise")
        print("noise", flush=True)
    if word == b"dive":
        def dive():
            dive()
        dive()
    yield from loaders.load(data, name=name, media_type=media_type)

sys.exit(worker.main({{}}, {{}}, read))
"""
GOOD = b"<p>The tide rises.</p>"


@pytest.fixture
def parser():
    """Return the parser of the product, without workers that others have used."""
    one = Parser()
    yield one
    one.close()


@pytest.fixture
def unruly():
    """Return a parser with a second for each file, whose readers do what the file says."""
    one = Parser(seconds=1, code=UNRULY)
    yield one
    one.close()


def load(parser, data, name="a.html", **more):
    """Return all that is in a file."""
    return list(parser.load(data, name=name, **more))


def readers(parser):
    """Return the ids of a parser's processes that wait for a file."""
    return {one._process.pid for one in parser._idle}


def plain(document):
    """Return a document with its sequences as lists, as they come out of JSON."""
    return replace(document, headings=list(document.headings), pages=list(document.pages))


def gone(process):
    """Wait until a process has ended, at most a minute; returns whether it has."""
    for _ in range(600):
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True).stdout
        if not state.strip() or state.startswith("Z"):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("suffix", [*samples.SAMPLES, ".html", ".json"])
def test_a_process_reads_what_this_one_would(parser, suffix):
    """Documents cross the pipe unchanged: offsets, fields and original bytes."""
    data = samples.SAMPLES[suffix]() if suffix in samples.SAMPLES else GOOD if suffix == ".html" else b'{"text": "a"}'
    here, there = list(loaders.load(data, name="a" + suffix)), load(parser, data, "a" + suffix)
    assert [plain(one) for one in there] == [plain(one) for one in here]


def test_a_hostile_text_crosses_the_pipe(parser):
    """Characters beyond the first plane, controls and a NUL, which becomes the replacement character of HTML."""
    (document,) = load(parser, "<p>\U0001f30a naïve \x00\x07</p>".encode(), media_type="text/html; charset=utf-8")
    assert document.text == "\U0001f30a naïve \ufffd\x07"


def test_the_charset_of_the_media_type_reaches_the_reader(parser):
    """As it does without a process."""
    (document,) = load(parser, "<p>naïve</p>".encode("cp1252"), media_type="text/html; charset=cp1252")
    assert (document.text, document.encoding) == ("naïve", "cp1252")


@pytest.mark.parametrize(
    ("data", "name", "kind"),
    [
        (b"", "a.html", NoText),
        (b"<p> </p>", "a.html", NoText),
        (b"text", "a.odt", UnsupportedFormat),
        (b"text", "a.pdf", LoadProblem),
        (b"From a\n\n", "a.eml", LoadProblem),
    ],
)
def test_a_refusal_stays_what_it_is(parser, data, name, kind):
    """The same error with the same words as without a process."""
    with pytest.raises(kind) as here:
        list(loaders.load(data, name=name))
    with pytest.raises(kind) as there:
        load(parser, data, name)
    assert (type(there.value), str(there.value)) == (type(here.value), str(here.value))


def test_plain_formats_need_no_process():
    """Text, tables and rows are read here: nothing is started for them."""
    parser = Parser(code="raise SystemExit(7)")
    for name in ("a.txt", "a.md", "a.csv", "a.rst", "a.py", "README"):
        assert load(parser, b"# Tides, they rise\n", name)
    assert load(parser, b'{"text": "a"}', "a.jsonl")
    with pytest.raises(LoadProblem, match="status 7"):
        load(parser, GOOD)


def test_a_process_is_used_again(parser):
    """One process reads file after file, those that are refused included."""
    load(parser, GOOD)
    first = readers(parser)
    for _ in range(3):
        load(parser, GOOD)
        with pytest.raises(LoadProblem):
            load(parser, b"text", "a.pdf")
    assert readers(parser) == first


def test_a_process_is_used_again_however_large_the_program_is(parser):
    """The memory of the program that starts it is not the process's own."""
    ballast = bytearray(os.urandom(1 << 20) * 600)
    load(parser, GOOD)
    first = readers(parser)
    load(parser, GOOD)
    assert readers(parser) == first != set()
    assert len(ballast) > 512 << 20


def test_a_process_ends_with_its_parser(parser):
    """And a file that comes later starts another."""
    load(parser, GOOD)
    (process,) = readers(parser)
    parser.close()
    assert gone(process)
    assert load(parser, GOOD)


def test_a_process_that_has_nothing_to_do_ends():
    """By itself, and nothing of it stays in the system's table."""
    parser = Parser(idle=0.2)
    load(parser, GOOD)
    (process,) = readers(parser)
    assert gone(process)
    assert load(parser, GOOD)
    parser.close()


def test_a_process_that_was_killed_while_idle_harms_no_file(parser):
    """The file that comes next is read by another."""
    load(parser, GOOD)
    (process,) = readers(parser)
    os.kill(process, signal.SIGKILL)
    assert gone(process)
    assert load(parser, GOOD)


@pytest.mark.parametrize(
    ("word", "line"),
    [
        (b"kill", "crash .SIGKILL."),
        (b"leave", "crash .status 0."),
        (b"wait", "longer than the limit of 1 seconds"),
        (b"loop", "longer than the limit of 1 seconds"),
        (b"fill", "more memory than the limit of 1024 MiB"),
        (b"dive", "nested too deeply"),
    ],
)
@pytest.mark.parametrize("used", [False, True])
def test_what_a_file_does_to_its_reader_is_told_of_that_file_alone(unruly, word, line, used):
    """The reader is ended and the next file is read, whether the reader was new or had read others."""
    if used:
        load(unruly, GOOD)
    with pytest.raises(LoadProblem, match=line):
        load(unruly, word + b" <p>The tide rises.</p>")
    assert [one.text for one in load(unruly, GOOD)] == ["The tide rises."]


def test_what_a_reader_prints_does_no_harm(unruly):
    """Standard output is not where the documents go."""
    (document,) = load(unruly, b"print <p>The tide rises.</p>")
    assert document.text.endswith("The tide rises.")


def test_one_message_of_an_mbox_fails_alone(unruly):
    """Each message is a file to its reader."""
    message = b"From a\nSubject: Tides\n\nrise\n\n"
    found = load(unruly, message + b"From a\nnothing here\n\n" + message, "a.mbox")
    assert [type(one).__name__ for one in found] == ["LoadedDocument", "FailedRow", "LoadedDocument"]
    assert isinstance(found[1], FailedRow)
    assert found[1].line == 6
    assert "headers" in found[1].reason


def test_threads_share_the_processes(parser):
    """Many files at once, at most two readers, every document where it belongs."""

    def one(number):
        (document,) = load(parser, f"<p>Tide {number}</p>".encode())
        return document.text

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(one, range(40))) == [f"Tide {number}" for number in range(40)]
    assert 1 <= len(readers(parser)) <= parsing.WORKERS


def test_a_reader_without_a_parent_ends():
    """It sees the end of its input; one that is busy is ended by its own clock."""
    script = f"""
import os, sys, threading, time
sys.path.insert(0, {str(ROOT)!r})
from rag.parsing import Parser
one = Parser(seconds=2, code={UNRULY!r})
list(one.load(b"<p>a</p>", name="a.html"))
busy = one._idle[0]._process.pid
threading.Thread(target=lambda: list(one.load(b"loop", name="a.html")), daemon=True).start()
while one._idle:
    time.sleep(0.01)
list(one.load(b"<p>a</p>", name="a.html"))
print(busy, one._idle[0]._process.pid, flush=True)
os._exit(0)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    busy, waiting = map(int, told.split())
    assert gone(waiting)
    assert gone(busy)


def test_a_program_that_ends_takes_its_busy_readers_along():
    """Nobody waits for what they read."""
    script = f"""
import sys, threading, time
sys.path.insert(0, {str(ROOT)!r})
from rag import parsing
one = parsing.Parser(seconds=600, code={UNRULY!r})
parsing.atexit.register(one.abandon)
list(one.load(b"<p>a</p>", name="a.html"))
print(one._idle[0]._process.pid, flush=True)
threading.Thread(target=lambda: list(one.load(b"loop", name="a.html")), daemon=True).start()
while one._idle:
    time.sleep(0.01)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert gone(int(told))


def test_a_reader_imports_nothing_heavy():
    """Neither what encodes and indexes nor what serves, whatever the file."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "import rag.worker\nfrom rag.loaders import load\nfrom benchmarks import samples\n"
        "for suffix, make in samples.SAMPLES.items(): list(load(make(), name='a' + suffix))\n"
        "print(*sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {
        "torch",
        "openvino",
        "faiss",
        "tantivy",
        "apsw",
        "transformers",
        "sentence_transformers",
        "fastapi",
        "rich",
    }
    assert "lxml" in told
    assert not heavy & {name.split(".")[0] for name in told}
    own = {name for name in told if name.startswith(("rag.", "index.")) and not name.startswith("rag.loaders")}
    assert own == {"index.types", "rag.errors", "rag.types", "rag.worker"}


def test_importing_the_parser_starts_nothing():
    """A command that reads no foreign file pays for no process."""
    code = "import threading, rag.parsing, rag.ingest; print(threading.active_count())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout
    assert told.split() == ["1"]
