"""A collection against a brute-force model: any order of adding, replacing, deleting, compacting and restarting."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from index.dense import exact_scores
from index.terms import analyze, question_terms
from index.types import NewDocument

NAMES = st.sampled_from(["a", "b", "c", "d", "e~", "F"])
TEXTS = st.lists(
    st.sampled_from(["apple pear", "pear plum 😀", "plum", "fig\0fig", "東京都 apple", "ripe apples and figs"]),
    max_size=3,
)
LANGUAGES = st.sampled_from([None, "en", "de"])
WORDS = st.sampled_from(["apple", "pear plum", "figs", "the 東京", "nothing"])


def test_a_collection_behaves_like_a_dictionary_that_is_searched_by_hand(maker) -> None:
    """Whatever is done in whatever order, what is found is what a scan of everything finds."""

    class Machine(RuleBasedStateMachine):
        """The collection beside `held`, a dictionary from id to document."""

        @initialize()
        def open(self) -> None:
            """Start with an empty data folder."""
            self.root = Path(tempfile.mkdtemp())
            self.held: dict[str, NewDocument] = {}
            self.catalog = maker.open(self.root / "data")
            self.collection = self.catalog.collection("default")

        @rule(name=NAMES, texts=TEXTS, language=LANGUAGES)
        def put(self, name: str, texts: list[str], language: str | None) -> None:
            """Add or replace a document."""
            made = maker.document(name, *texts, language=language)
            old = self.held.get(name)
            same = old is not None and old.document.fingerprint == made.document.fingerprint
            status = "unchanged" if same else "replaced" if old else "added"
            assert self.collection.add([made]).statuses == {name: status}
            self.held[name] = old if same and old else made

        @rule(names=st.lists(NAMES, max_size=3, unique=True))
        def delete(self, names: list[str]) -> None:
            """Delete some documents that may be there."""
            expected = {name: "deleted" if self.held.pop(name, None) else "absent" for name in names}
            assert self.collection.delete(names).statuses == expected

        @rule()
        def compact(self) -> None:
            """Compact the views; nothing is behind afterwards."""
            self.collection.compact()
            assert self.collection.search(None, "apple", limit=3).degraded == ()

        @rule(words=WORDS)
        def compare_with_views_made_anew(self, words: str) -> None:
            """Compacted, then restarted without any view: the same bytes."""
            self.collection.compact()
            vector = maker.vector()
            before = self.collection.search(vector, words, limit=5)
            self.catalog.close()
            shutil.rmtree(self.root / "data" / "views")
            self.catalog = maker.open(self.root / "data")
            self.collection = self.catalog.collection("default")
            assert self.collection.search(vector, words, limit=5) == before

        @rule()
        def restart(self) -> None:
            """Close and open again."""
            self.catalog.close()
            self.catalog = maker.open(self.root / "data")
            self.collection = self.catalog.collection("default")

        @rule(words=WORDS, limit=st.integers(1, 8))
        def search(self, words: str, limit: int) -> None:
            """The dense leg is the exact ranking; the term leg holds a term each, and all that do when they fit."""
            vector = maker.vector()
            hits = self.collection.search(vector, words, limit=limit).hits
            dense = sorted((hit for hit in hits if hit.dense_rank), key=lambda hit: hit.dense_rank)
            ranked = sorted(
                (-float(score), name, passage.start, passage.ordinal)
                for name, one in self.held.items()
                for passage, score in zip(one.passages, exact_scores(vector, one.vectors), strict=True)
            )[:limit]
            assert [(-hit.dense, hit.ref.document_id, hit.start, hit.ref.ordinal) for hit in dense] == ranked
            lexical = {hit.ref.id for hit in hits if hit.lexical_rank}
            holders = self.holders(words)
            assert lexical <= holders
            assert len(lexical) == min(limit, len(holders))

        def holders(self, words: str) -> set[str]:
            """Return the ids of the passages that hold a term of `words`, found by hand."""
            wanted = set(question_terms(words, [one.document.language for one in self.held.values()]))
            return {
                f"{name}:{passage.ordinal}"
                for name, one in self.held.items()
                for passage in one.passages
                if wanted & set(analyze(one.document.text[passage.start : passage.end], one.document.language))
            }

        @invariant()
        def everything_is_there(self) -> None:
            """The truth holds exactly the documents of the model, with their text."""
            if hasattr(self, "held"):
                stored = {info.id: self.collection.text(info.id) for info in self.collection.documents()}
                assert stored == {name: one.document.text for name, one in self.held.items()}

        def teardown(self) -> None:
            """At the end everything verifies."""
            if hasattr(self, "catalog"):
                assert self.catalog.verify() == []
                self.catalog.close()
                shutil.rmtree(self.root)

    few = settings(max_examples=12, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Machine, settings=few)
