"""Views on disk are caches: whatever happens to them, answers come from the truth and the start goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from index import catch_up, manifest
from index.catalog import Catalog
from index.errors import Unavailable
from index.types import Found


def stock(catalog: Catalog, maker, count: int = 40) -> None:
    """Add documents in several batches, so that the views have several segments."""
    collection = catalog.collection("default")
    for start in range(0, count, 10):
        collection.add([maker.document(f"d{n}", *[maker.words(12)] * 2) for n in range(start, start + 10)])


def answers(catalog: Catalog, questions: list) -> list[Found]:
    """Return what the collection answers, after checking that it is undamaged and complete."""
    assert catalog.verify() == []
    return [catalog.collection("default").search(vector, words, limit=15) for vector, words in questions]


@pytest.fixture
def questions(maker) -> list:
    """Ten questions."""
    return [(maker.vector(), maker.words(4)) for _ in range(10)]


@pytest.fixture
def stocked(folder: Path, maker, questions) -> list[Found]:
    """A closed data folder with forty documents, a third of them replaced or deleted; its compacted answers."""
    with maker.open(folder) as catalog:
        stock(catalog, maker)
        collection = catalog.collection("default")
        collection.add([maker.document(f"d{n}", maker.words(30)) for n in range(0, 40, 6)])
        collection.delete([f"d{n}" for n in range(1, 40, 6)])
        collection.compact()
        return answers(catalog, questions)


def views(folder: Path) -> Path:
    """Return the folder of the views of `default`."""
    return folder / "views" / "1"


def term_files(folder: Path) -> list[Path]:
    """Return the files of the term view, but locks."""
    (terms,) = [path for path in views(folder).iterdir() if path.is_dir()]
    return sorted(path for path in terms.iterdir() if path.suffix != ".lock")


def test_removing_every_view_changes_no_answer(folder: Path, maker, questions, stocked) -> None:
    """What is made from the truth alone equals what was compacted, to the byte."""
    shutil.rmtree(folder / "views")
    with maker.open(folder) as catalog:
        assert answers(catalog, questions) == stocked


def test_opening_again_changes_no_answer_and_builds_nothing(folder: Path, maker, questions, stocked) -> None:
    """Undamaged files are used as they are."""
    before = [file.name for file in term_files(folder)]
    with maker.open(folder) as catalog:
        assert answers(catalog, questions) == stocked
    assert [file.name for file in term_files(folder)] == before


def test_rebuilding_in_place_changes_no_answer(folder: Path, maker, questions, stocked) -> None:
    """`rebuild` and `repair` give what compaction gave."""
    with maker.open(folder) as catalog:
        catalog.collection("default").rebuild()
        assert answers(catalog, questions) == stocked
        assert catalog.repair() == []
        assert answers(catalog, questions) == stocked


def test_any_damage_to_a_view_is_repaired_at_the_start(folder: Path, tmp_path: Path, maker, questions, stocked) -> None:
    """A flipped bit, a cut, a missing and a foreign file in turn: each is seen, and the answers stay."""
    pristine = tmp_path / "pristine"
    shutil.copytree(folder, pristine)
    manifests = [views(folder) / catch_up.MANIFEST]
    for target in [file.relative_to(folder) for file in term_files(folder) + manifests]:
        for damage in (flip, cut, Path.unlink):
            shutil.rmtree(folder)
            shutil.copytree(pristine, folder)
            damage(folder / target)
            assert manifest.read(views(folder) / catch_up.MANIFEST) is None, (target, damage)
    for damage in (flip, cut, Path.unlink):
        shutil.rmtree(folder)
        shutil.copytree(pristine, folder)
        damage(term_files(folder)[maker.random.randrange(len(term_files(folder)))])
        with maker.open(folder) as catalog:
            assert answers(catalog, questions) == stocked


def flip(file: Path) -> None:
    """Turn over the lowest bit of the middle byte; an empty file gets a byte."""
    data = bytearray(file.read_bytes() or b"x")
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def cut(file: Path) -> None:
    """Take the last byte away; an empty file gets one."""
    file.write_bytes(file.read_bytes()[:-1] or b"x")


def test_a_file_too_many_is_noticed(folder: Path, maker, questions, stocked) -> None:
    """The manifest lists the whole folder."""
    term_files(folder)[0].with_name("stranger").write_bytes(b"x")
    with maker.open(folder) as catalog:
        assert answers(catalog, questions) == stocked
    assert "stranger" not in [file.name for file in term_files(folder)]


def test_a_view_of_another_version_is_built_anew(folder: Path, maker, questions, stocked) -> None:
    """A view that another analysis or another tantivy made is not trusted, though its digests match."""
    path = views(folder) / catch_up.MANIFEST
    facts = manifest.read(path)
    assert facts is not None
    manifest.write(path, path.parent / facts["folder"], {**facts, "version": "0/old"})
    with maker.open(folder) as catalog:
        assert answers(catalog, questions) == stocked
    renewed = manifest.read(path)
    assert renewed is not None
    assert renewed["folder"] != facts["folder"]


def test_views_behind_the_truth_catch_up_at_the_start(folder: Path, tmp_path: Path, maker, questions) -> None:
    """Older views, put back beside a newer truth, answer like views that were there all along."""
    with maker.open(folder) as catalog:
        stock(catalog, maker, 20)
    shutil.copytree(folder / "views", tmp_path / "old")
    old = [path.name for path in views(folder).iterdir() if path.is_dir()]
    with maker.open(folder) as catalog:
        catalog.collection("default").add([maker.document(f"e{n}", maker.words(12)) for n in range(10)])
        expected = answers(catalog, questions)
    shutil.rmtree(folder / "views")
    shutil.copytree(tmp_path / "old", folder / "views")
    with maker.open(folder) as catalog:
        assert answers(catalog, questions) == expected
    assert [path.name for path in views(folder).iterdir() if path.is_dir()] == old


def test_views_of_another_history_are_not_used(folder: Path, tmp_path: Path, maker, questions) -> None:
    """A truth restored from a copy and then written to differently does not meet the views of the lost history."""
    with maker.open(folder) as catalog:
        stock(catalog, maker, 10)
    shutil.copytree(folder, tmp_path / "copy")
    with maker.open(folder) as catalog:
        catalog.collection("default").add([maker.document("x", "lost history")])
    with maker.open(tmp_path / "copy") as catalog:
        catalog.collection("default").add([maker.document("x", "true history")])
        expected = answers(catalog, questions)
    shutil.rmtree(tmp_path / "copy" / "views")
    shutil.copytree(folder / "views", tmp_path / "copy" / "views")
    with maker.open(tmp_path / "copy") as catalog:
        assert answers(catalog, questions) == expected
        assert not catalog.collection("default").search(None, "lost", limit=1).hits


def test_leftovers_of_a_crash_are_removed(folder: Path, maker, questions, stocked) -> None:
    """A folder that was being built when the process died goes away at the next start."""
    (views(folder) / "terms-half-built").mkdir()
    (views(folder) / "terms-half-built" / "meta.json").write_text(json.dumps({}))
    with maker.open(folder) as catalog:
        assert answers(catalog, questions) == stocked
    assert not (views(folder) / "terms-half-built").exists()


def test_a_term_view_with_a_tenth_deleted_is_built_anew_in_the_background(folder: Path, maker) -> None:
    """After enough deletions the flag goes away without anybody asking."""
    with maker.open(folder) as catalog:
        stock(catalog, maker)
        collection = catalog.collection("default")
        collection.delete([f"d{n}" for n in range(20)])
        for _ in range(600):
            if not collection.search(None, "word1", limit=3).degraded:
                break
            collection._closing.wait(0.05)
        assert collection.search(None, "word1", limit=3).degraded == ()
        assert catalog.verify() == []


def test_a_view_that_cannot_be_written_is_made_good_by_the_next_write(folder: Path, maker, questions) -> None:
    """A catch-up that breaks off loses nothing: the truth has it, and the next write brings the views up."""
    with maker.open(folder) as catalog:
        stock(catalog, maker, 10)
        collection = catalog.collection("default")
        path = views(folder) / (catch_up.MANIFEST.removesuffix(".json") + ".draft")
        path.mkdir()  # so the manifest cannot be written
        with pytest.raises(Unavailable):
            collection.add([maker.document("late", "late words")])
        assert collection.text("late") == "late words"
        assert catalog.verify() != []
        path.rmdir()
        assert collection.add([maker.document("late", "other words")]).statuses == {"late": "replaced"}
        collection.compact()
        assert catalog.verify() == []
        assert collection.search(None, "late", limit=5).hits == []
        assert len(collection.search(None, "other", limit=5).hits) == 1
