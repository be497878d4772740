"""Adding documents as JSON, reading, listing and deleting them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.deleting import delete_matching
from api.wiring import Pincite


def add(client: TestClient, *documents: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """Add documents and return the answer."""
    response = client.post("/v1/documents", json={"documents": documents, **fields})
    assert response.status_code == 200, response.text
    return response.json()


def metadata(client: TestClient, document_id: str, **parameters: str) -> dict[str, Any]:
    """Return a document's metadata."""
    response = client.get(f"/v1/documents/{document_id}", params=parameters)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_document_is_findable_once_the_answer_is_there(empty: TestClient) -> None:
    """The result carries id, status, passages, digest and the snapshot in which it is found."""
    text = "Quokkas live on Rottnest Island."
    answer = add(empty, {"id": "q", "text": text})
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert answer["results"] == [
        {"id": "q", "status": "added", "passages": 1, "document_sha256": digest, "problem": None}
    ]
    question = {"query": "Where do quokkas live?", "at_least": answer["snapshot"]["token"]}
    assert empty.post("/v1/ask", json=question).json()["passages"][0]["document"]["id"] == "q"


def test_the_same_again_is_unchanged_and_other_text_replaces(empty: TestClient) -> None:
    """A status tells what happened."""
    statuses = [add(empty, {"id": "q", "text": text})["results"][0]["status"] for text in ("one", "one", "two")]
    assert statuses == ["added", "unchanged", "replaced"]
    assert empty.get("/v1/documents/q/text").json()["text"] == "two"


def test_without_an_id_the_content_names_the_document(empty: TestClient) -> None:
    """The same content has the same id, and other content another."""
    first, again, other = (add(empty, {"text": text})["results"][0]["id"] for text in ("one", "one", "two"))
    assert first == again != other


def test_blank_text_fails_alone(empty: TestClient) -> None:
    """The others are added, in their order, with status 200."""
    answer = add(
        empty, {"id": "a", "text": "full"}, {"id": "b", "text": " \n"}, {"text": ""}, {"id": "c", "text": "too"}
    )
    assert [(one["id"], one["status"]) for one in answer["results"]] == [
        ("a", "added"),
        ("b", "failed"),
        (None, "failed"),
        ("c", "added"),
    ]
    assert "blank" in answer["results"][1]["problem"]
    assert empty.get("/v1/documents/b").status_code == 404


def test_an_unknown_media_type_fails_alone(empty: TestClient) -> None:
    """A format that no loader reads is that document's failure, and so is a file of several."""
    rows = '{"_id": "1", "text": "a"}\n{"_id": "2", "text": "b"}'
    answer = add(
        empty,
        {"id": "x", "text": "x", "media_type": "image/png"},
        {"id": "y", "text": rows, "media_type": "application/x-ndjson"},
        {"id": "z", "text": "z"},
    )
    assert [one["status"] for one in answer["results"]] == ["failed", "failed", "added"]


def test_every_field_is_kept(empty: TestClient) -> None:
    """What was sent comes back."""
    sent = {
        "title": "T",
        "uri": "https://example.org/a",
        "source": "S",
        "published": "2025-08",
        "language": "en",
        "metadata": {"a": 1, "b": [True, "x"], "deep": {"er": [1.5, None]}},
    }
    add(empty, {"id": "d", "text": "words", **sent})
    shown = metadata(empty, "d")
    assert {name: shown[name] for name in sent} == sent
    assert (shown["id"], shown["collection"], shown["media_type"], shown["encoding"]) == (
        "d",
        "default",
        "text/plain",
        "utf-8",
    )
    assert (shown["characters"], shown["bytes"], shown["passages"], shown["url"]) == (5, 5, 1, "/d/d")
    assert shown["document_sha256"] == hashlib.sha256(b"words").hexdigest()
    assert shown["added"].endswith("Z")


def test_blank_and_null_are_absent(empty: TestClient) -> None:
    """A blank title is none, and a null metadata value is not kept."""
    add(empty, {"id": "d", "text": "words", "title": " ", "source": None, "metadata": {"a": None, "b": False}})
    shown = metadata(empty, "d")
    assert (shown["title"], shown["source"], shown["metadata"]) == (None, None, {"b": False})


def test_the_media_type_decides_how_text_is_read(empty: TestClient) -> None:
    """Markdown's front matter gives fields, HTML's markup is not text, and fields that were sent win."""
    markdown = "---\ntitle: From the file\ndate: 2024-05-06\n---\n# Head\n\nBody."
    add(
        empty,
        {"id": "m", "text": markdown, "media_type": "text/markdown", "title": "Sent"},
        {"id": "h", "text": "<html><body><p>Read <b>me</b> well.</p></body></html>", "media_type": "text/html"},
        {"id": "p", "text": "<p>Plain</p>"},
    )
    assert (metadata(empty, "m")["title"], metadata(empty, "m")["published"]) == ("Sent", "2024-05-06")
    assert empty.get("/v1/documents/h/text").json()["text"].strip() == "Read me well."
    assert empty.get("/v1/documents/p/text").json()["text"] == "<p>Plain</p>"


@pytest.mark.parametrize("text", ["\ufeffmark", "a\0b\0c\0d\0", "a\r\nb\rc\n", "e\u0301 é", "\u202eabc", "x" * 70_000])
def test_plain_text_is_stored_as_it_was_sent(empty: TestClient, text: str) -> None:
    """Nothing is decoded once more, normalised or cut."""
    add(empty, {"id": "d", "text": text})
    assert empty.get("/v1/documents/d/text").json()["text"] == text
    assert empty.get("/v1/documents/d/original").content == text.encode()


@pytest.mark.parametrize(
    "published", ["2025", "2025-08", "2025-08-26", "2025-08-26T09:30Z", "2025-08-26T09:30:00+05:30"]
)
def test_published_keeps_its_precision(empty: TestClient, published: str) -> None:
    """A date comes back as it was sent."""
    add(empty, {"id": "d", "text": "words", "published": published})
    assert metadata(empty, "d")["published"] == published


@pytest.mark.parametrize("published", ["", "yesterday", "26.8.2025", "2025-13", "2025-02-30", "2025-8-1", "0000"])
def test_a_bad_date_is_422(empty: TestClient, published: str) -> None:
    """A date that is none is refused with its place, and nothing of the batch is added."""
    body = {"documents": [{"id": "a", "text": "a"}, {"id": "b", "text": "b", "published": published}]}
    response = empty.post("/v1/documents", json=body)
    assert (response.status_code, response.json()["field"]) == (422, "documents[1].published")
    assert empty.get("/v1/documents/a").status_code == 404


@pytest.mark.parametrize("bad", ["", ".", "..", "a/b", "a b", "é", "x" * 201, "a:1"])
def test_a_bad_id_is_422(empty: TestClient, bad: str) -> None:
    """An id has its alphabet and its length."""
    response = empty.post("/v1/documents", json={"documents": [{"id": bad, "text": "a"}]})
    assert (response.status_code, response.json()["field"]) == (422, "documents[0].id")


@pytest.mark.parametrize("good", ["a", "...", "-", "~", "a~2Fb", "a~b", "x" * 200])
def test_an_id_is_taken_as_it_is(empty: TestClient, good: str) -> None:
    """An id that was sent is not escaped, whatever it looks like, and addresses its document."""
    assert add(empty, {"id": good, "text": "words"})["results"][0]["id"] == good
    assert metadata(empty, good)["id"] == good


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "documents"),
        ({"documents": []}, "documents"),
        ({"documents": [{"text": "a"}] * 1001}, "documents"),
        ({"documents": [{"id": "a"}]}, "documents[0].text"),
        ({"documents": [{"text": 5}]}, "documents[0].text"),
        ({"documents": [{"text": "a", "metadata": []}]}, "documents[0].metadata"),
        ({"documents": [{"text": "a", "body": "b"}]}, "documents[0].body"),
        ({"documents": [{"text": "a"}], "wait": "yes"}, "wait"),
        ({"documents": [{"text": "a"}], "async": True}, "async"),
    ],
)
def test_a_bad_batch_is_422_and_named(empty: TestClient, body: dict[str, Any], field: str) -> None:
    """Missing, empty, too many, of another type, unknown."""
    response = empty.post("/v1/documents", json=body)
    assert (response.status_code, response.json()["field"]) == (422, field)


def test_deep_metadata_comes_back(empty: TestClient) -> None:
    """What is nested as deep as the limit of JSON allows is kept and returned."""
    deep: Any = "bottom"
    for _ in range(190):
        deep = [deep]
    add(empty, {"id": "d", "text": "words", "metadata": {"deep": deep}})
    assert metadata(empty, "d")["metadata"] == {"deep": deep}
    assert empty.post("/v1/ask", json={"query": "words"}).status_code == 200


def test_a_batch_goes_to_its_collection(empty: TestClient) -> None:
    """The collection of the body decides, and an unknown one is 404."""
    empty.put("/v1/collections/other", json={})
    add(empty, {"id": "d", "text": "words"}, collection="other")
    assert metadata(empty, "d", collection="other")["url"] == "/d/d?collection=other"
    assert empty.get("/v1/documents/d").status_code == 404
    response = empty.post("/v1/documents", json={"collection": "nowhere", "documents": [{"text": "a"}]})
    assert (response.status_code, response.json()["code"]) == (404, "collection_missing")


def test_put_adds_and_replaces_one_document(empty: TestClient) -> None:
    """The id of the path counts, in the collection of the parameter."""
    first = empty.put("/v1/documents/d", json={"text": "one"})
    assert (first.status_code, first.json()["status"], first.json()["id"]) == (200, "added", "d")
    assert first.json()["snapshot"]["token"]
    assert empty.put("/v1/documents/d", json={"id": "d", "text": "two"}).json()["status"] == "replaced"
    empty.put("/v1/collections/other", json={})
    assert empty.put("/v1/documents/d?collection=other", json={"text": "one"}).json()["status"] == "added"


@pytest.mark.parametrize(
    ("body", "code"),
    [({"id": "e", "text": "a"}, "id_differs"), ({"text": " "}, "document_invalid"), ({}, "missing_field")],
)
def test_a_bad_put_is_422(empty: TestClient, body: dict[str, Any], code: str) -> None:
    """Another id than the path's, blank text, no text."""
    response = empty.put("/v1/documents/d", json=body)
    assert (response.status_code, response.json()["code"]) == (422, code)


def test_a_list_goes_on_from_its_cursor(client: TestClient) -> None:
    """Pages hold every document once, in the order of the ids."""
    first = client.get("/v1/documents", params={"limit": 2}).json()
    rest = client.get("/v1/documents", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [one["id"] for one in first["documents"] + rest["documents"]] == ["bridge", "dialogue", "honig"]
    assert rest["next_cursor"] is None


def test_a_list_is_filtered(client: TestClient) -> None:
    """The parameter is the filter language as JSON; what is not JSON is named."""
    condition = json.dumps({"field": "published", "lt": "2025"})
    listed = client.get("/v1/documents", params={"filter": condition}).json()["documents"]
    assert [one["id"] for one in listed] == ["bridge"]
    for bad in ("{", "language=de", "NaN", '{"field": "colour", "eq": "red"}'):
        response = client.get("/v1/documents", params={"filter": bad})
        assert (response.status_code, response.json()["code"]) == (422, "filter_invalid")


def test_a_list_is_of_one_collection(client: TestClient) -> None:
    """Another collection has other documents."""
    client.put("/v1/collections/void", json={})
    assert client.get("/v1/documents", params={"collection": "void"}).json() == {"documents": [], "next_cursor": None}
    assert client.get("/v1/documents", params={"collection": "nowhere"}).status_code == 404


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=ten", "limit=1_0", "limit=%201", "cursor=a/b", "limit=1&limit=2", "page=2"],
)
def test_a_bad_parameter_is_422(client: TestClient, query: str) -> None:
    """Out of range, no number, given twice, unknown."""
    response = client.get(f"/v1/documents?{query}")
    assert response.status_code == 422
    assert response.json()["field"] == query.partition("=")[0]


def test_text_is_cut_by_code_points(client: TestClient) -> None:
    """Offsets are code points; the answer counts UTF-16 too, and brings an end that lies beyond back."""
    whole = client.get("/v1/documents/bridge/text").json()
    assert (whole["start_char"], whole["end_char"]) == (0, len(whole["text"]))
    assert whole["end_utf16"] == len(whole["text"]) + 1
    at = whole["text"].index("😀")
    part = client.get(f"/v1/documents/bridge/text?start={at}&end={at + 1}").json()
    assert (part["text"], part["start_char"], part["end_char"]) == ("😀", at, at + 1)
    assert (part["start_utf16"], part["end_utf16"]) == (at, at + 2)
    assert part["document_sha256"] == whole["document_sha256"]
    assert client.get("/v1/documents/bridge/text?end=99999").json() == whole


@pytest.mark.parametrize("query", ["start=5&end=4", "start=99999", "start=-1", "end=1e3", f"start={'9' * 30}"])
def test_a_span_that_is_none_is_422(client: TestClient, query: str) -> None:
    """An end before the start, a start behind the text, no numbers."""
    assert client.get(f"/v1/documents/bridge/text?{query}").status_code == 422


def test_the_original_is_saved_never_shown(empty: TestClient) -> None:
    """The bytes that were given, as a download under a name that its id gives, and HTML never as HTML."""
    html = "<html><body><script>alert(1)</script><p>Text.</p></body></html>"
    add(empty, {"id": "pages~2Ff~C3%BCr.html".replace("%", "~"), "text": html, "media_type": "text/html"})
    response = empty.get("/v1/documents/pages~2Ff~C3~BCr.html/original")
    assert response.content == html.encode()
    assert response.headers["content-type"] == "application/octet-stream"
    assert (
        response.headers["content-disposition"] == "attachment; filename=\"f_r.html\"; filename*=UTF-8''f%C3%BCr.html"
    )
    assert response.headers["x-content-type-options"] == "nosniff"
    add(empty, {"id": "plain", "text": "words"})
    assert empty.get("/v1/documents/plain/original").headers["content-type"] == "text/plain"


@pytest.mark.parametrize("escaped", ["~0D~0AX~3A~20y", "~22~3B~20x", "~2F", "~FF~FE", "~~", "a~5Cb"])
def test_no_id_breaks_the_name_of_a_download(empty: TestClient, escaped: str) -> None:
    """Line ends, quotes and bytes that are no text cannot leave the header."""
    add(empty, {"id": escaped, "text": "words"})
    response = empty.get(f"/v1/documents/{escaped}/original")
    assert response.status_code == 200
    assert response.headers["content-disposition"].startswith('attachment; filename="')
    assert "x" not in response.headers


def test_delete_removes_a_document_for_good(client: TestClient) -> None:
    """It is gone from list, text and answers; the second delete is 404."""
    response = client.delete("/v1/documents/bridge")
    assert (response.status_code, response.json()["status"]) == (200, "deleted")
    asked = client.post("/v1/search", json={"query": "bridge trams", "top_k": 50}).json()
    assert "bridge" not in {one["document"]["id"] for one in asked["results"][0]["passages"]}
    assert client.delete("/v1/documents/bridge").json()["code"] == "document_missing"


def test_delete_is_of_one_collection(client: TestClient) -> None:
    """The same id elsewhere stays."""
    client.put("/v1/collections/other", json={})
    client.put("/v1/documents/bridge?collection=other", json={"text": "Another bridge."})
    assert client.delete("/v1/documents/bridge?collection=other").status_code == 200
    assert client.get("/v1/documents/bridge").status_code == 200


@pytest.mark.parametrize("path", ["", "/text", "/original"])
def test_an_unknown_document_is_404_and_a_bad_id_422(client: TestClient, path: str) -> None:
    """Never existed, and could not exist."""
    missing = client.get(f"/v1/documents/never{path}")
    assert (missing.status_code, missing.json()["code"]) == (404, "document_missing")
    assert client.get(f"/v1/documents/a%20b{path}").status_code == 422
    assert client.get(f"/v1/documents/{'x' * 201}{path}").status_code == 422


ENGLISH = {"field": "language", "eq": "en"}


def test_delete_by_filter_says_first_what_it_would_do(client: TestClient) -> None:
    """`dry_run` counts and names, and everything is there still; without it the same documents go, and no other."""
    dry = client.post("/v1/documents/delete", json={"filter": ENGLISH, "dry_run": True}).json()
    assert (dry["dry_run"], dry["count"], dry["ids"], dry["ids_left_out"]) == (True, 2, ["bridge", "dialogue"], 0)
    assert client.get("/v1/documents/bridge").status_code == 200
    done = client.post("/v1/documents/delete", json={"filter": ENGLISH}).json()
    assert (done["dry_run"], done["count"], done["ids"]) == (False, 2, ["bridge", "dialogue"])
    assert [one["id"] for one in client.get("/v1/documents").json()["documents"]] == ["honig"]
    asked = client.post("/v1/ask", json={"query": "trams", "at_least": done["snapshot"]["token"]})
    assert asked.json()["snapshot"] == done["snapshot"]
    again = client.post("/v1/documents/delete", json={"filter": ENGLISH}).json()
    assert (again["count"], again["ids"], again["snapshot"]) == (0, [], done["snapshot"])


@pytest.mark.parametrize("body", [{}, {"filter": None}, {"filter": {}}, {"filter": {"and": []}}, {"filter": []}])
def test_deleting_without_a_filter_is_refused(client: TestClient, body: dict[str, Any]) -> None:
    """Nothing is taken for everything."""
    response = client.post("/v1/documents/delete", json=body)
    assert response.status_code == 422
    assert response.json()["field"].startswith("filter")
    assert len(client.get("/v1/documents").json()["documents"]) == 3


def test_what_a_filter_deletes_is_named_up_to_a_limit(client: TestClient, pincite: Pincite) -> None:
    """Ids beyond it are counted, and deleted too."""
    collection = pincite.catalog.collection("default")
    done = delete_matching(collection, {"field": "document_id", "gte": "b"}, False, "sha256:", most=1)
    assert (done.count, done.ids, done.ids_left_out) == (3, ["bridge"], 2)
    assert client.get("/v1/documents").json()["documents"] == []
