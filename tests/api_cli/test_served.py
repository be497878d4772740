"""An evaluation over HTTP has the figures of one in process, and says where a server cannot be asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn

from api.app import create_app
from api.cli.remote import Remote
from api.cli.served import ServedSystem, evaluate_served
from api.cli.service import Refused
from api.settings import Settings
from api.wiring import Pincite
from index.catalog import Catalog
from rag.encoding import HashingEncoder
from rag.evaluation.datasets import read_dataset
from rag.evaluation.questions import DatasetQuestion
from rag.evaluation.result import result_json
from rag.evaluation.run import Plan, evaluate
from rag.evaluation.systems import CollectionSystem, mode_of
from rag.ingest import Ingest
from rag.rankings import settings_of
from rag.reading import WordReader
from rag.retrieval import Ranking
from rag.types import Answer, Citation, Turn

METALS = {"copper": 1085, "tin": 232, "lead": 327, "zinc": 420, "iron": 1538, "silver": 962, "gold": 1064}


def melting(file: Path) -> dict[str, Any]:
    """The sentence of a document that says when its metal melts, as a span."""
    text = file.read_text()
    start, end = text.index("It melts"), text.index("degrees.") + len("degrees.")
    return {"doc": file.name, "start": start, "end": end, "text": text[start:end]}


def folder_of_metals(folder: Path) -> Path:
    """A document for each metal, long enough for several passages, and questions of every kind about them."""
    folder.mkdir()
    for name, degrees in METALS.items():
        head = f"---\ntitle: On {name}\nsource: Guild\n---\n# {name.title()}\n\nIt melts at {degrees} degrees.\n\n"
        text = head + f"The metal {name} was known early. It is traded by weight, and it is kept dry. " * 40
        (folder / f"{name}.md").write_text(text)
    rows: list[dict[str, Any]] = [
        {"text": f"At how many degrees does {name} melt?", "relevant": [f"{name}.md"], "answers": [str(degrees)]}
        | {"answerable": True, "short": True, "type": "number", "support": [melting(folder / f"{name}.md")]}
        for name, degrees in METALS.items()
    ]
    rows += [
        {"text": "And how is it kept?", "relevant": ["tin.md"], "history": [{"role": "user", "text": "What of tin?"}]},
        {"text": "What melts?", "relevant": ["gold.md"], "filter": {"field": "source", "eq": "Nobody"}},
        {"text": "Who painted the ceiling of the chapel?", "answerable": False},
    ]
    text = (folder / "zinc.md").read_text()
    start = text.index("It melts")
    span = {"doc": "zinc.md", "start": start, "end": start + 8, "text": "It melts"}
    rows.append({"text": "What does zinc do at 420?", "answer_spans": [span], "answerable": True})
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The set, the collection that holds it, and the same collection behind a server in a thread of this process."""
    dataset = read_dataset(folder_of_metals(tmp_path_factory.mktemp("set") / "metals"))
    folder, encoder = tmp_path_factory.mktemp("data"), HashingEncoder()
    bound = socket.create_server(("127.0.0.1", 0))
    with Catalog(folder, encoder=encoder.fingerprint, dimension=encoder.dimension) as catalog:
        collection = catalog.collection("default")
        assert [one.status for _, one in Ingest(collection, encoder).files(dataset.files())] == ["added"] * len(METALS)
        catalog.create("empty")
        app = create_app(Pincite(Settings(data=folder), catalog, encoder, WordReader()))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
        thread.start()
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        yield SimpleNamespace(dataset=dataset, collection=collection, encoder=encoder, remote=Remote(url), url=url)
        server.should_exit = True
        thread.join(30)


def test_a_server_has_the_figures_of_its_collection(served: SimpleNamespace) -> None:
    """Measures, intervals and rankings of every system are the same, answers, highlights and citations included."""
    plan = Plan("all", answers=True, min_confidence=0)
    here = evaluate(served.dataset, served.collection, served.encoder, plan, reader=WordReader())
    there = evaluate_served(served.dataset, served.remote, "default", None, plan)
    assert list(there.systems) == ["dense", "lexical", "hybrid", "reader"]
    assert result_json(there)["systems"] == result_json(here)["systems"]
    assert {name: one.run for name, one in there.systems.items()} == {
        name: one.run for name, one in here.systems.items()
    }
    measured = there.systems["hybrid"].measures
    assert measured["Citations exact"].mean == 1
    assert {"Answer in highlights@3", "Highlight token IoU@3", "Declined, unanswerable", "Right@3"} <= set(measured)
    assert {"Quote right", "Words shown"} <= set(there.systems["reader"].measures)
    for name in ("model", "reader", "corpus_sha256", "questions_sha256", "questions", "not_found", "degraded"):
        assert there.manifest[name] == here.manifest[name]
    assert there.manifest["settings"]["ranking"] is None


def test_a_server_declines_by_the_least_confidence(served: SimpleNamespace) -> None:
    """It is sent with every question that is asked as a user would: by 0 nothing is declined, by 1 everything."""
    declined = []
    for least in (0.0, 1.0):
        plan = Plan("all", answers=True, min_confidence=least)
        systems = evaluate_served(served.dataset, served.remote, "default", ["reader"], plan).systems
        declined.append(systems["reader"].measures["Declined, unanswerable"].mean)
    assert declined == [0, 1]


def test_the_manifest_tells_which_ranking_was_asked(served: SimpleNamespace) -> None:
    """Before and after tuning all else of it is the same."""
    rankings = served.collection.rankings
    version = rankings.add(settings_of(Ranking(fusion="reciprocal_rank")), {})
    evaluation = evaluate_served(served.dataset, served.remote, "default", ["hybrid"], Plan("all", limit=1))
    rankings.use(None)
    assert evaluation.manifest["settings"]["ranking"] == version


@pytest.mark.parametrize(
    ("name", "least"), [("dense", None), ("lexical", None), ("hybrid", None), ("reader", None), ("reader", 0.0)]
)
def test_what_comes_over_http_is_what_went_in(served: SimpleNamespace, name: Any, least: float | None) -> None:
    """Passages, citations, highlights, quotes, reasons are built again as they were; documents' sizes are not told."""
    there = ServedSystem(served.remote, "default", name, least)
    reader = WordReader() if name == "reader" else None
    mode = mode_of(name)
    here = CollectionSystem(served.collection, served.encoder, mode, Ranking(), reader=reader, min_confidence=least)
    turns = (Turn("user", "What of tin?"), Turn("assistant", "It is a metal."))
    questions = [
        DatasetQuestion("1", "At how many degrees does copper melt?"),
        DatasetQuestion("2", "How is it kept?", history=turns),
        DatasetQuestion("3", "Who painted the ceiling, and is it kept dry?"),
    ]
    for question in questions:
        ours, theirs = here.ask(question), there.ask(question)
        assert (theirs.query, theirs.standalone_query, theirs.reason) == (
            ours.query,
            ours.standalone_query,
            ours.reason,
        )
        assert (theirs.answerable, theirs.token, theirs.degraded) == (ours.answerable, ours.token, ours.degraded)
        assert (theirs.confidence, theirs.threshold) == (ours.confidence, ours.threshold)
        assert (theirs.outcome, quoted(theirs)) == (ours.outcome, quoted(ours))
        assert least is None or quoted(ours)
        assert (said(theirs), [one.kind for one in theirs.conflicts]) == (
            said(ours),
            [one.kind for one in ours.conflicts],
        )
        pairs = [*zip(ours.passages, theirs.passages, strict=True), *zip(ours.nearest, theirs.nearest, strict=True)]
        assert pairs
        for one, other in pairs:
            assert (other.citation, other.highlights, other.text) == (one.citation, one.highlights, one.text)
            assert (other.rank, other.id, other.score, other.fused, other.reader, other.document.title) == (
                one.rank,
                one.id,
                one.score,
                one.fused,
                one.reader,
                one.document.title,
            )
    found = [[[one.id for one in some] for some in system.search(questions, 30)] for system in (here, there)]
    assert found[0] == found[1]
    assert [there.text(name) for name in ("gold.md", "gone.md")] == [served.collection.text("gold.md"), None]


def quoted(answer: Answer) -> tuple[object, ...] | None:
    """The quote of an answer, with what is said of its document."""
    one = answer.quote
    return one and (one.text, one.kind, one.citation, one.confidence, one.columns, one.document.title)


def said(answer: Answer) -> list[tuple[str, Citation, str | None]]:
    """The short answers of an answer, those of its conflicts too, with what is said of their documents."""
    conflicting = [value for conflict in answer.conflicts for value in conflict.values]
    shown = [*([answer.answer] if answer.answer else []), *answer.alternatives, *conflicting]
    return [(one.text, one.citation, one.document.title) for one in shown]


def test_judged_documents_that_a_server_lacks_are_named(served: SimpleNamespace, tmp_path: Path) -> None:
    """They count as not found, as in process."""
    folder = folder_of_metals(tmp_path / "metals")
    (folder / "tungsten.md").write_text("Tungsten melts at 3422 degrees.")
    with (folder / "questions.jsonl").open("a") as file:
        file.write('\n{"text": "What of tungsten?", "relevant": ["tungsten.md"]}')
    dataset = read_dataset(folder)
    evaluation = evaluate_served(dataset, served.remote, "default", ["lexical"], Plan("all"))
    assert evaluation.manifest["not_found"] == ["tungsten.md"]
    assert evaluation.systems["lexical"].values["R@100"]["12"] == 0


def test_a_collection_that_holds_none_of_the_set_is_refused(served: SimpleNamespace) -> None:
    """Zeros everywhere would say nothing; nor would a collection that is not there."""
    with pytest.raises(Refused, match="holds no document that is judged"):
        evaluate_served(served.dataset, served.remote, "empty", ["lexical"], Plan("all"))
    with pytest.raises(Refused, match="'nowhere'"):
        evaluate_served(served.dataset, served.remote, "nowhere", ["lexical"], Plan("all"))


def test_a_server_that_is_not_there_is_told_at_once(served: SimpleNamespace) -> None:
    """The URL is named, and no other server is asked instead."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    with pytest.raises(Refused, match=f"Nothing answers at {url}"):
        evaluate_served(served.dataset, Remote(url), "default", ["lexical"], Plan("all"))


def test_the_command_asks_a_server(pincite: Any, served: SimpleNamespace) -> None:
    """No data folder is made and no model loaded; a report is written."""
    folder = folder_of_metals(pincite.folder / "metals")
    ran = pincite("eval", folder, "--server", served.url, "--system", "lexical", "--report", "report.html", "--json")
    assert ran.returncode == 0, ran.stderr
    here = evaluate(served.dataset, served.collection, served.encoder, Plan("all"), systems=["lexical"])
    assert json.loads(ran.stdout)["systems"] == result_json(here)["systems"]
    assert "On gold" in (pincite.folder / "report.html").read_text("utf-8")
    assert not pincite.data.exists()
