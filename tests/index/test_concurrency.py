"""Reading and writing go on together, and a deleted document is never found again."""

from __future__ import annotations

import threading
from collections.abc import Callable

from index.collection import Collection


def run_together(*jobs: Callable[[], None]) -> None:
    """Run jobs in a thread each and raise the first thing that any of them raised."""
    raised: list[BaseException] = []

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def test_readers_never_see_what_was_deleted_nor_a_wrong_quote(collection: Collection, maker) -> None:
    """While one thread adds, replaces and deletes, three ask: what was gone before a question is not in its answer."""
    collection.add([maker.document(f"base{n}", maker.words(20), maker.words(20)) for n in range(30)])
    vectors, questions = maker.vectors(50), [maker.words(3) for _ in range(50)]
    gone: set[str] = set()
    done = threading.Event()
    rounds = [
        ([maker.document(f"new{n}-{m}", maker.words(15)) for m in range(3)], maker.document("base5", maker.words(9)))
        for n in range(16)
    ]

    def write() -> None:
        try:
            for n, (new, replacing) in enumerate(rounds):
                collection.add([*new, replacing])
                leaving = [f"new{n}-0", f"base{n + 6}"]
                collection.delete(leaving)
                gone.update(leaving)
                if n == 8:
                    collection.compact()
        finally:
            done.set()

    def read() -> None:
        turn = 0
        while not done.is_set() or turn < 10:
            before = set(gone)
            found = collection.search(vectors[turn % 50], questions[turn % 50], limit=10)
            assert not before & {hit.ref.document_id for hit in found.hits}
            for one in collection.passages([hit.ref for hit in found.hits]):
                assert one.document.sha256 == one.ref.sha256
                assert len(one.text) == one.passage.end - one.passage.start
            turn += 1

    run_together(write, read, read, read)
    collection.compact()
    assert len(collection.search(maker.vector(), None, limit=10).hits) == 10


def test_writers_wait_for_each_other(collection: Collection, maker) -> None:
    """Two threads that add at once both get what they asked for."""
    mine = [maker.document(f"m{n}", maker.words(5)) for n in range(12)]
    yours = [maker.document(f"y{n}", maker.words(5)) for n in range(12)]

    def add(made: list) -> Callable[[], None]:
        return lambda: [collection.add(made[n : n + 3]) for n in range(0, 12, 3)] and None

    run_together(add(mine), add(yours))
    assert len(collection.documents()) == 24
    assert len(collection.search(maker.vector(), None, limit=100).hits) == 24


def test_a_read_during_a_rebuild_answers_from_the_old_views(collection: Collection, maker) -> None:
    """Rebuilding in one thread and adding in another lose nothing."""
    collection.add([maker.document(f"d{n}", maker.words(30)) for n in range(60)])
    later = [maker.document(f"late{n}", "unmistakable") for n in range(8)]

    def rebuild() -> None:
        for _ in range(3):
            collection.rebuild()

    def write() -> None:
        for one in later:
            collection.add([one])
            assert collection.search(None, "unmistakable", limit=20).hits

    run_together(rebuild, write)
    assert len(collection.search(None, "unmistakable", limit=20).hits) == 8
    assert collection.problems() == []
