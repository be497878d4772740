"""`pincite ingest --watch`: folders that are followed, one line for each change.

Whatever the operating system tells only says that it is time to look: what changed is found by comparing the files
with those of the last look, so that moved folders and lost events do no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from rich.text import Text
from watchfiles import watch

from api.cli.output import err, out
from api.cli.service import Json, Refused, Service, delete_ids
from index.errors import IndexProblem
from rag.errors import RagProblem
from rag.folders import File, Seen, look

_QUIET_MS = 300  # without an event before one looks, so that a file that is being written is read once
_LONGEST_MS = 3_000  # however many events there are
_AGAIN_MS = 5_000  # before what could not be done is tried again, for want of a server for example


class Watch:
    """The folders of one run: their files when last looked at, and the documents that each of them gave."""

    def __init__(self, at_work: Service, collection: str, folders: Sequence[Path]) -> None:
        self._at_work, self._collection, self._folders = at_work, collection, folders
        self._seen: Seen = look(folders)
        self._given: dict[File, set[str]] = {}
        self._problem: str | None = None  # why the last look could not be finished

    def files(self) -> list[File]:
        """Return the files that were there when this was made."""
        return list(self._seen)

    def follow(self, told: Iterable[tuple[int, Json]]) -> None:
        """Follow the folders until Ctrl-C; `told` is what ingesting `files` gave."""
        self.note(self.files(), told)
        err.print(Text(f"watching {', '.join(map(str, self._folders))}; Ctrl-C ends"), soft_wrap=True)
        with suppress(KeyboardInterrupt):
            first = True  # something may have changed since `files`
            for events in watch(
                *self._folders,
                watch_filter=None,  # what is passed over is decided by `find_files` alone
                step=_QUIET_MS,
                debounce=_LONGEST_MS,
                rust_timeout=_AGAIN_MS,
                yield_on_timeout=True,
            ):
                if events or first or self._problem:
                    self.catch_up()
                first = False

    def catch_up(self) -> None:
        """Ingest what is new or changed since the last look, and delete what went; what cannot be done is told."""
        try:
            now = look(self._folders)
            changed = [file for file, state in now.items() if self._seen.get(file) != state]
            gone = [file for file in self._seen if file not in now]
            if changed or gone:
                self._ingest(changed)
                self._delete(gone)
                self._seen = now
            self._problem = None
        except (IndexProblem, RagProblem, Refused, OSError) as problem:
            if str(problem) != self._problem:
                err.print(Text(f"failed: {problem}"), soft_wrap=True)
            self._problem = str(problem)

    def _ingest(self, files: Sequence[File]) -> None:
        before = {file: self._given.get(file, set()) for file in files}
        told = list(self._at_work.ingest(self._collection, files, lambda done: None))
        for _, result in told:
            passages = "" if result["status"] == "failed" else f" ({result['passages']} passages)"
            if result["status"] != "unchanged":
                _say(f"{result['status']}: {result['id']}{passages}", result["problem"])
        failed = {files[place] for place, result in told if result["status"] == "failed"}
        self.note(files, told)
        # Documents that a file does not give any more, rows for example; one with a failure keeps what it gave before.
        self._remove({one for file in files if file not in failed for one in before[file] - self._given[file]})
        for file in failed:
            self._given[file] |= before[file]

    def _delete(self, files: Sequence[File]) -> None:
        self._remove({one for file in files for one in self._given.pop(file, set())})

    def _remove(self, document_ids: set[str]) -> None:
        """Delete documents, but for those that another file gives."""
        lost = sorted(document_ids.difference(*self._given.values()))
        for document_id in delete_ids(self._at_work, self._collection, lost):
            _say(f"removed: {document_id}")

    def note(self, files: Sequence[File], told: Iterable[tuple[int, Json]]) -> None:
        """Note which documents the files gave."""
        self._given.update({file: set() for file in files})
        for place, result in told:
            if result["status"] != "failed":
                self._given[files[place]].add(result["id"])


def _say(line: str, problem: str | None = None) -> None:
    out.print(Text(f"{line}: {problem}" if problem else line), soft_wrap=True)
