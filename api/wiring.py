"""The only place that names concrete classes: settings to a working service."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from api.settings import Settings
from index.catalog import Catalog
from rag import deciding, judging, pairs, quoting, verdict
from rag.claims import Rule
from rag.encoding import Encoder, load_encoder
from rag.reading import Reader, load_reader
from rag.retrieval import Ranking
from rag.splitting import Packing


@dataclass(frozen=True, slots=True)
class Pincite:
    """The parts that every way in works with."""

    settings: Settings
    catalog: Catalog
    encoder: Encoder
    reader: Reader | None = None

    @property
    def config_digest(self) -> str:
        """A digest of everything but the documents that decides an answer, as `sha256:` and 64 hex digits."""
        reader = (self.reader.fingerprint, self.reader.runtime) if self.reader else None
        return _config_digest(self.encoder.fingerprint, self.encoder.runtime, reader)


@cache
def _config_digest(fingerprint: str, runtime: str, reader: tuple[str, str] | None) -> str:
    decides: list[Any] = [fingerprint, runtime, asdict(Ranking()), asdict(Packing())]
    if reader is not None:
        constants = [
            *(judging.LEAST, judging.depth(reader[1]), judging.REACH, judging.SPAN_RELEVANCE),
            *(deciding.ANSWERS, deciding.OTHER, deciding.AS_SURE, quoting.FIRST),
            *(pairs.QUESTION, pairs.HEADER, pairs.WINDOW),
            *(verdict.MARKED, verdict.RIVAL, verdict.RIVALS, verdict.SURE),
            *(verdict.SPOKEN, verdict.COUNTED_WORTH, verdict.COUNTED_SPOKEN),
        ]
        decides += [reader, asdict(judging.Blend()), asdict(Rule()), constants]
    return "sha256:" + hashlib.sha256(json.dumps(decides).encode()).hexdigest()


def loaded_reader(settings: Settings) -> Reader | None:
    """Return the reader, None where it is turned off; raises ModelUnavailable."""
    return load_reader(settings.cache) if settings.reader == "on" else None


@contextmanager
def open_pincite(settings: Settings) -> Iterator[Pincite]:
    """Load the model, open the data folder, and close it in the end.

    Raises ModelUnavailable, DataFolderLocked, EncoderMismatch and Damaged.
    """
    encoder = load_encoder(settings.model, settings.cache)
    reader = loaded_reader(settings)
    with Catalog(settings.data, encoder=encoder.fingerprint, dimension=encoder.dimension) as catalog:
        yield Pincite(settings, catalog, encoder, reader)
