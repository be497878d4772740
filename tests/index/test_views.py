"""The contract of a view, run for every engine: what is added is found, what is removed is not, states are values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index.dense import DenseView
from index.keys import KeySet
from index.reading import Indexed
from index.terms import TermView
from index.top import Top


class DenseEngine:
    """Speaks to the dense view in keys and contents; a content is a vector."""

    exact_after_deletion = True

    def __init__(self, folder: Path, maker) -> None:
        self.maker = maker

    def contents(self, count):
        """Return that many random contents."""
        return list(self.maker.vectors(count))

    def question(self):
        """Return a random question."""
        return self.maker.vector()

    def build(self, held):
        """Return a view of key to content."""
        return self.change(DenseView(self.maker.dimension), held)

    def change(self, view, added, removed=()):
        """Return the view after a change."""
        keys = np.array(list(added), dtype=np.int64)
        vectors = np.array(list(added.values()), dtype=np.float32).reshape(len(keys), self.maker.dimension)
        return view.changed(removed, keys, vectors)


class TermEngine:
    """Speaks to the term view in keys and contents; a content is a text."""

    exact_after_deletion = False  # until it is built afresh, which it says itself

    def __init__(self, folder: Path, maker) -> None:
        self.maker = maker
        self.folder = folder
        self.built = 0

    def contents(self, count):
        """Return that many random contents."""
        return [f"common {self.maker.words(self.maker.random.randint(3, 60))}" for _ in range(count)]

    def question(self):
        """Return a random question."""
        return ["common", *self.maker.words(4).split()]

    def build(self, held):
        """Return a view of key to content."""
        self.built += 1
        return TermView.build(self.folder / str(self.built), self._rows(held))

    def change(self, view, added, removed=()):
        """Return the view after a change."""
        return view.changed(removed, self._rows(added))

    def _rows(self, held):
        return [Indexed(key, text, "en") for key, text in held.items()]


@pytest.fixture(params=[DenseEngine, TermEngine], ids=["dense", "terms"])
def engine(request, tmp_path, maker):
    """Each engine in turn."""
    return request.param(tmp_path, maker)


def as_lists(top: Top) -> tuple[list[int], list[float], bool]:
    """Return an answer in a form that compares."""
    return top.keys.tolist(), top.scores.tolist(), top.complete


class TestView:
    """What collection.py relies on."""

    def test_an_empty_view_finds_nothing(self, engine):
        """Nothing is found, and that is all there is."""
        assert as_lists(engine.build({}).top(engine.question(), 10)) == ([], [], True)

    def test_best_come_first_and_a_short_list_is_the_head_of_a_long_one(self, engine):
        """Scores fall, and a smaller limit only cuts."""
        view = engine.build(dict(enumerate(engine.contents(300), start=1)))
        question = engine.question()
        keys, scores, complete = as_lists(view.top(question, 300))
        assert view.count == len(keys) == 300
        assert complete
        assert scores == sorted(scores, reverse=True)
        short = view.top(question, 7)
        assert as_lists(short)[:2] == (keys[: len(short.keys)], scores[: len(short.keys)])
        assert len(short.keys) >= 7
        assert not short.complete

    def test_many_changes_give_the_bytes_of_one_build(self, engine):
        """Where a passage lies among the segments does not show in its score."""
        held = dict(enumerate(engine.contents(250), start=1))
        view, question = engine.build({}), engine.question()
        for start in range(1, 251, 30):
            view = engine.change(view, {key: held[key] for key in range(start, min(start + 30, 251))})
        whole = engine.build(held)
        for limit in (1, 10, 100, 250):
            assert as_lists(view.top(question, limit)) == as_lists(whole.top(question, limit))

    def test_the_same_change_again_changes_nothing(self, engine):
        """A change may come twice, also after a later one."""
        first, second = (dict(enumerate(engine.contents(20), start=start)) for start in (1, 21))
        view, question = engine.build(first), engine.question()
        view = engine.change(view, second, removed=[range(3, 6)])
        before = as_lists(view.top(question, 40)), view.count
        view = engine.change(view, {}, removed=[range(3, 6)])
        # The truth no longer has the contents of what was removed, so they do not come again.
        view = engine.change(view, {key: one for key, one in {**first, **second}.items() if key not in range(3, 6)})
        assert (as_lists(view.top(question, 40)), view.count) == before
        assert view.count == 37

    def test_removed_keys_are_never_found_and_a_rebuilt_view_answers_as_if_they_never_were(self, engine):
        """After a third is removed, a view built of the rest gives the same bytes."""
        held = dict(enumerate(engine.contents(90), start=1))
        view = engine.change(engine.build(held), {}, removed=[range(key, key + 1) for key in range(1, 91, 3)])
        rest = {key: content for key, content in held.items() if key % 3 != 1}
        question, fresh = engine.question(), engine.build(rest)
        assert view.count == 60
        assert set(as_lists(view.top(question, 90))[0]) == set(rest)
        if engine.exact_after_deletion:
            assert as_lists(view.top(question, 20)) == as_lists(fresh.top(question, 20))
            assert as_lists(view.compacted().top(question, 20)) == as_lists(fresh.top(question, 20))
        else:
            assert view.deleted == 30
            assert fresh.deleted == 0

    def test_a_state_stays_as_it_was_when_the_view_changes(self, engine):
        """Readers hold a state without a lock."""
        held = dict(enumerate(engine.contents(50), start=1))
        view, question = engine.build(held), engine.question()
        before = as_lists(view.top(question, 50))
        engine.change(view, dict(enumerate(engine.contents(50), start=51)), removed=[range(1, 40)])
        assert as_lists(view.top(question, 50)) == before

    def test_everything_that_ties_at_the_cut_is_returned(self, engine):
        """Forty equal passages in several segments all come, however small the limit."""
        (same,) = engine.contents(1)
        view = engine.build({})
        for start in range(1, 41, 8):
            view = engine.change(view, dict.fromkeys(range(start, start + 8), same))
        question = engine.question()
        assert as_lists(view.top(question, 3))[0] == list(range(1, 41))

    @pytest.mark.parametrize("share", [0.001, 0.02, 0.3, 0.8, 1.0])
    def test_filters_are_exact_at_every_selectivity(self, engine, share):
        """A filtered answer is the unfiltered ranking without the others, narrow or wide."""
        held = dict(enumerate(engine.contents(3000), start=1))
        view, question = engine.build(held), engine.question()
        chosen = {key for key in held if engine.maker.random.random() < share} | {1500}
        allowed = KeySet.of(range(key, key + 1) for key in chosen)
        keys, scores, _ = as_lists(view.top(question, 3000))
        expected = [(key, score) for key, score in zip(keys, scores, strict=True) if key in chosen]
        found = view.top(question, 20, allowed)
        assert list(zip(found.keys.tolist(), found.scores.tolist(), strict=True)) == expected[: len(found.keys)]
        assert len(found.keys) >= min(20, len(expected))

    def test_an_empty_filter_finds_nothing(self, engine):
        """No allowed key, no answer."""
        view = engine.build(dict(enumerate(engine.contents(5), start=1)))
        assert as_lists(view.top(engine.question(), 5, KeySet.of([]))) == ([], [], True)
