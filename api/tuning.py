"""A collection's own rankings: fitting one, listing them, choosing one; for routes and for commands alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from api.answers import SnapshotOut
from api.inventory import RankingChosen, RankingList, RankingOut, TuningOut
from api.schemas import LabelledIn, TuningRequest
from api.wiring import Pincite
from rag.rankings import settings_of
from rag.types import Question, Turn

if TYPE_CHECKING:
    from rag.tuning import Labelled


def tuned(
    pincite: Pincite, collection: str, request: TuningRequest, on_question: Callable[[int], None] = lambda asked: None
) -> TuningOut:
    """Tune a collection by the questions sent; `on_question` hears how many were asked. Raises as `rag.tuning.tune`."""
    from rag.tuning import tune  # what it needs is loaded by nothing else that serves

    place = pincite.catalog.collection(collection)
    questions = [_labelled(one) for one in request.questions]
    found = tune(questions, place, pincite.encoder, dry_run=request.dry_run, on_question=on_question)
    return TuningOut(
        better=found.better,
        version=found.version,
        settings=dict(settings_of(found.ranking)),
        figures=dict(found.figures),
        snapshot=SnapshotOut(token=place.token, config=pincite.config_digest),
    )


def rankings(pincite: Pincite, collection: str) -> RankingList:
    """Return every ranking that is kept with a collection."""
    place = pincite.catalog.collection(collection)
    kept = [
        RankingOut(
            version=one.version,
            created=one.created,
            in_use=one.in_use,
            settings=dict(one.settings),
            figures=dict(one.figures),
        )
        for one in place.rankings.all()
    ]
    return RankingList(rankings=kept, snapshot=SnapshotOut(token=place.token, config=pincite.config_digest))


def choose_ranking(pincite: Pincite, collection: str, version: int | None) -> RankingChosen:
    """Rank by a version that is kept, or with None as Pincite does; raises RankingMissing."""
    place = pincite.catalog.collection(collection)
    place.rankings.use(version)
    return RankingChosen(ranking=version, snapshot=SnapshotOut(token=place.token, config=pincite.config_digest))


def _labelled(sent: LabelledIn) -> Labelled:
    from rag.evaluation.questions import AnswerSpan
    from rag.tuning import Labelled

    spans = [AnswerSpan(one.document_id, one.start_char, one.end_char, one.text) for one in sent.answer_spans]
    history = tuple(Turn(turn.role, turn.content) for turn in sent.history)
    asked = Question(sent.query, filter=sent.filter.root if sent.filter else None, history=history)
    return Labelled(asked, dict(sent.relevant), spans)
