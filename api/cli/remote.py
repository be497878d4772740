"""The commands' work done by the server that holds the data folder, over HTTP; nothing heavy is loaded."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from api.cli.service import Json, Refused, delete_ids, described, refused
from api.settings import Settings
from index.lock import holder
from rag.folders import GivenFile

_CALL_SECONDS = 3_600.0  # verifying reads everything
_START_SECONDS = 10.0  # a server writes its address into the lock file a moment before it listens
_BUSY_SECONDS = 60.0  # how long a server may be too busy
_POLL_SECONDS = 0.1
_UPLOAD_FILES, _UPLOAD_BYTES = 500, 16 * 2**20  # a single larger file goes alone


class Remote:
    """A `Service` behind the URL of a server.

    With `settings` it is the one that holds their data folder, wherever it is now; without, what answers at that URL.
    """

    def __init__(self, url: str, settings: Settings | None = None) -> None:
        self._url, self._settings = url, settings

    def ask(self, body: Json) -> Json:
        """Answer a body of `/v1/ask`."""
        answer: Json = self._call("POST", "/v1/ask", body)
        return answer

    def search(self, body: Json) -> Json:
        """Answer a body of `/v1/search`."""
        answer: Json = self._call("POST", "/v1/search", body)
        return answer

    def check(self, body: Json) -> Json:
        """Answer a body of `/v1/check`."""
        answer: Json = self._call("POST", "/v1/check", body)
        return answer

    def ingest(
        self, collection: str, files: Iterable[GivenFile], on_file: Callable[[int], None]
    ) -> Iterator[tuple[int, Json]]:
        """Send files in batches, each a job, and yield the result of each document with its file's place."""
        self.token(collection)  # refuses a collection that is not there, also where there is nothing to send
        for batch in _batches(files):
            for place, problem in batch.unsent:
                yield place, _failed(batch.names[place], problem)
            if batch.bodies:
                yield from self._job(collection, batch, on_file)

    def _job(self, collection: str, batch: _Batch, on_file: Callable[[int], None]) -> Iterator[tuple[int, Json]]:
        """Have one batch ingested; the job is cancelled when nobody wants its results any more."""
        kind, body = _multipart(collection, batch)
        job = self._call("POST", "/v1/documents", body, {"Content-Type": kind, "Idempotency-Key": uuid.uuid4().hex})
        path, told, places = f"/v1/jobs/{job['job']['id']}", 0, list(batch.bodies)
        try:
            while True:
                job = self._call("GET", f"{path}?after={told}")
                told += len(job["results"])
                for result in job["results"]:
                    yield _placed(result, places, batch)
                on_file(places[0] + job["progress"]["files_done"])
                ended = job["status"] in {"done", "failed", "cancelled"}
                if ended and not job["results"]:
                    break
                time.sleep(0 if ended else _POLL_SECONDS)
        except BaseException:
            with suppress(Refused):  # the server may be what broke it off
                self._call("DELETE", path)
            raise
        if job["status"] != "done":
            raise Refused(job["problem"] or "The job was cancelled; what it had added stays.")
        if job["results_left_out"]:
            raise Refused(f"All was added, but the server did not keep the last {job['results_left_out']} results.")

    def remove_others(self, collection: str, keep: Set[str]) -> Sequence[str]:
        """Delete every document whose id is not in `keep`; return the ids."""
        gone = [one["id"] for one in self.documents(collection) if one["id"] not in keep]
        delete_ids(self, collection, gone)
        return gone

    def token(self, collection: str) -> str:
        """Return the token of the newest state."""
        for one in self.collections():
            if one["name"] == collection:
                return str(one["snapshot"]["token"])
        raise Refused(f"There is no collection {collection!r}.")

    def documents(self, collection: str) -> Iterator[Json]:
        """Yield every document without its text, by id."""
        cursor: str | None = None
        while True:
            after = {} if cursor is None else {"cursor": cursor}
            page = self._call("GET", f"/v1/documents?{urlencode({'collection': collection, 'limit': 1000, **after})}")
            yield from page["documents"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def document(self, collection: str, document_id: str) -> Json:
        """Return one document with its `text`."""
        path, of = f"/v1/documents/{quote(document_id, safe='')}", urlencode({"collection": collection})
        return {**self._call("GET", f"{path}?{of}"), "text": self.text(collection, document_id)}

    def text(self, collection: str, document_id: str) -> str:
        """Return the text of one document."""
        path = f"/v1/documents/{quote(document_id, safe='')}/text"
        return str(self._call("GET", f"{path}?{urlencode({'collection': collection})}")["text"])

    def delete(self, collection: str, condition: Any, *, dry_run: bool = False) -> Json:
        """Answer what `/v1/documents/delete` does."""
        body = {"collection": collection, "filter": condition, "dry_run": dry_run}
        answer: Json = self._call("POST", "/v1/documents/delete", body)
        return answer

    def collections(self) -> list[Json]:
        """Return every collection with its counts."""
        found: list[Json] = self._call("GET", "/v1/collections")["collections"]
        return found

    def create(self, name: str) -> bool:
        """Make a collection; return whether it is new."""
        before = {one["name"] for one in self.collections()}
        self._call("PUT", f"/v1/collections/{quote(name, safe='')}", {})
        return name not in before

    def drop(self, name: str) -> None:
        """Drop a collection with all of its documents."""
        self._call("DELETE", f"/v1/collections/{quote(name, safe='')}")

    def tune(self, collection: str, body: Json) -> Json:
        """Answer a body of `POST /v1/collections/{name}/rankings`."""
        answer: Json = self._call("POST", f"/v1/collections/{quote(collection, safe='')}/rankings", body)
        return answer

    def rankings(self, collection: str) -> Json:
        """Return the rankings that are kept with a collection."""
        answer: Json = self._call("GET", f"/v1/collections/{quote(collection, safe='')}/rankings")
        return answer

    def use_ranking(self, collection: str, version: int | None) -> Json:
        """Rank by a version that is kept, or with None as Pincite does."""
        answer: Json = self._call("PUT", f"/v1/collections/{quote(collection, safe='')}/ranking", {"version": version})
        return answer

    def verify(self, *, repair: bool) -> Sequence[str]:
        """Return what is wrong with the data folder; making views anew is refused."""
        if repair:
            raise Refused(f"The server at {self._url} uses the views: stop it before --repair makes them anew.")
        found: list[str] = self._call("POST", "/v1/verify")["problems"]
        return found

    def info(self) -> Json:
        """Return versions, model and counts."""
        found = self._call("GET", "/v1/info")
        encoder = {name: found["model"][name] for name in ("fingerprint", "dimension")}
        encoder["runtime"] = found["runtime"]["encoder"]
        python, data = found["versions"]["python"], str(self._settings.data) if self._settings else self._url
        return described(found["version"], python, data, encoder, found["reader"], self.collections())

    def _call(self, method: str, path: str, body: Json | bytes | None = None, headers: Mapping[str, str] = {}) -> Any:
        """Return the JSON of an answer; raises Refused for a problem, after waiting where the server is busy."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        sent = {"Content-Type": "application/json", **headers} if data is not None else dict(headers)
        started = time.monotonic()
        while True:
            try:
                status, retry_after, answer = self._exchange(method, path, data, sent)
            except ConnectionRefusedError:
                self._find(patient=time.monotonic() - started < _START_SECONDS)
                retry_after, status = _POLL_SECONDS, 0
            except (OSError, HTTPException, ValueError) as error:
                raise Refused(f"The server at {self._url} did not answer ({error}); try again.") from error
            if 0 < status < 400:
                return answer
            if status and not (answer.get("code") == "busy" and time.monotonic() - started < _BUSY_SECONDS):
                detail = str(answer.get("detail", f"The server answered {status}."))
                raise refused(detail, str(answer.get("code", "")), str(answer.get("field", "")), status)
            time.sleep(retry_after)

    def _find(self, *, patient: bool) -> None:
        """See where the server is now, that refuses connections; raises Refused where it has ended."""
        if self._settings is None:
            raise Refused(f"Nothing answers at {self._url}: start the server there, or name another URL.")
        url = holder(self._settings.data)
        if url is None:
            raise Refused(f"The server at {self._url} has ended; run the command again.")
        if not patient:
            raise Refused(f"The data folder is in use by {url}, which does not answer.")
        if url.startswith("http://"):
            self._url = url

    def _exchange(
        self, method: str, path: str, data: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, float, Any]:
        """Send one request on a connection of its own; return status, `Retry-After` in seconds, and the JSON."""
        at = urlsplit(self._url)
        kind = HTTPSConnection if at.scheme == "https" else HTTPConnection
        connection = kind(at.netloc, timeout=_CALL_SECONDS)
        try:
            connection.request(method, at.path.rstrip("/") + path, data, dict(headers))
            response = connection.getresponse()
            return response.status, float(response.headers.get("Retry-After", 1)), json.loads(response.read())
        finally:
            connection.close()


class _Batch:
    """Files that are sent together: names and bytes by place, and why some cannot be sent."""

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self.bodies: dict[int, bytes] = {}
        self.unsent: list[tuple[int, str]] = []
        self.size = 0

    def put(self, place: int, file: GivenFile) -> None:
        """Read a file into the batch."""
        self.names[place] = file.name
        try:
            data = file.read()
        except OSError as problem:
            self.unsent.append((place, f"The file cannot be read: {problem.strerror}."))
            return
        if not _sendable(file.name):
            self.unsent.append((place, "Its name cannot be sent to a server: rename it, or stop the server first."))
            return
        self.bodies[place] = data
        self.size += len(data)


def _batches(files: Iterable[GivenFile]) -> Iterator[_Batch]:
    """Gather files; a name comes once in a batch, so that results can be told apart."""
    batch = _Batch()
    for place, file in enumerate(files):
        if batch.size >= _UPLOAD_BYTES or len(batch.names) >= _UPLOAD_FILES or file.name in batch.names.values():
            yield batch
            batch = _Batch()
        batch.put(place, file)
    yield batch


def _sendable(name: str) -> bool:
    """Say whether a name passes the header of a multipart body unchanged; what looks like a Windows path is cut."""
    return name.isprintable() and not (name[1:3] == ":\\" or name.startswith("\\\\"))


def _multipart(collection: str, batch: _Batch) -> tuple[str, bytes]:
    """Return content type and body of an upload."""
    boundary = uuid.uuid4().hex
    pieces = [f'--{boundary}\r\nContent-Disposition: form-data; name="collection"\r\n\r\n{collection}\r\n'.encode()]
    for place, data in batch.bodies.items():
        name = batch.names[place].replace("\\", "\\\\").replace('"', '\\"')
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        pieces += [head.encode(), data, b"\r\n"]
    return f"multipart/form-data; boundary={boundary}", b"".join([*pieces, f"--{boundary}--\r\n".encode()])


def _placed(result: Json, places: list[int], batch: _Batch) -> tuple[int, Json]:
    """Return a job's result as one of documents, with the place of its file; places before that one are dropped."""
    while batch.names[places[0]] != result["file"]:
        places.pop(0)
    told = {name: value for name, value in result.items() if name != "file"}
    return places[0], {**told, "id": told["id"] or result["file"]}


def _failed(name: str, problem: str) -> Json:
    return {"id": name, "status": "failed", "passages": 0, "document_sha256": None, "problem": problem}
