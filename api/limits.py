"""How much a client may send and how much is done at once; `/v1/info` and the documentation state every one of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

# What the models of schemas.py check, and so what the OpenAPI document says.
QUERY_BYTES: Final = 8_192  # of UTF-8
QUERIES: Final = 256  # questions in one search
DOCUMENTS: Final = 1_000  # documents in one batch
CITATIONS: Final = 1_000  # citations in one verification
CHECK_BYTES: Final = 65_536  # of UTF-8, the text whose claims are checked
CHECK_SENTENCES: Final = 500  # of it: each is searched for and read
BUDGET_MS: Final = 60_000  # of one question
ASK_TOP_K: Final = 50
SEARCH_TOP_K: Final = 1_000
HISTORY_TURNS: Final = 64
HISTORY_BYTES: Final = 65_536  # of UTF-8, all turns together
LIST_PAGE: Final = 1_000  # documents on one page of a list
RESULTS_PAGE: Final = 10_000  # results of a job in one answer
TUNING_QUESTIONS: Final = 2_000  # that a collection is tuned by at once
TUNING_LABELS: Final = 1_000  # judged documents, or places that answer, of one of them
JSON_DEPTH: Final = 200  # arrays and objects within one another


@dataclass(frozen=True, slots=True)
class Limits:
    """What the running server checks; tests make smaller ones."""

    body_bytes: int = 64 * 2**20
    upload_bytes: int = 256 * 2**20
    upload_files: int = 1_000
    questions_at_once: int = 16  # below the 40 threads that routes run in, so that the rest still answers
    writes_at_once: int = 4
    jobs_waiting: int = 32
    jobs_kept: int = 100  # finished ones
    job_results: int = 100_000  # per job; what is beyond is counted, not kept
    idempotency_keys: int = 10_000
    idempotency_hours: int = 24
    wait_seconds: float = 2.0  # for a place among the questions or writes at once, before 503
    connections: int = 512  # open ones; more than twice the 128 that are accepted in one go, see server.py
    keep_alive_seconds: float = 15.0  # without a request
    header_seconds: float = 10.0  # for a whole head
    header_bytes: int = 65_536  # request line and fields
    headers: int = 100  # fields of a head
    request_line_bytes: int = 32_768  # its target; a filter can stand in it
    body_seconds: float = 20.0  # over each of which a body has to bring `bytes_per_second` on average
    write_seconds: float = 20.0  # over each of which a reader has to take as much
    bytes_per_second: int = 1_024
    drain_seconds: float = 8.0  # for what is under way when the server ends


def named_limits(limits: Limits) -> dict[str, int | float]:
    """Return every limit by its public name, as `/v1/info` shows them; a name ends in the unit where it has one."""
    fixed = {
        "query_bytes": QUERY_BYTES,
        "queries": QUERIES,
        "documents": DOCUMENTS,
        "citations": CITATIONS,
        "check_bytes": CHECK_BYTES,
        "check_sentences": CHECK_SENTENCES,
        "budget_ms": BUDGET_MS,
        "ask_top_k": ASK_TOP_K,
        "search_top_k": SEARCH_TOP_K,
        "history_turns": HISTORY_TURNS,
        "history_bytes": HISTORY_BYTES,
        "list_page": LIST_PAGE,
        "results_page": RESULTS_PAGE,
        "tuning_questions": TUNING_QUESTIONS,
        "tuning_labels": TUNING_LABELS,
        "json_depth": JSON_DEPTH,
    }
    return {**fixed, **asdict(limits)}
