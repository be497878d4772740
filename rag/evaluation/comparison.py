"""Is the candidate better than the base, worse, or can these questions not tell?

Both answered the same questions, so what counts is the difference on each. One test is declared beforehand and decides;
every other measure is shown beside it, its p-value adjusted for there being many. Over many sets each weighs the same,
however many questions it has.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

import numpy as np

from index.types import Json
from rag.evaluation.kept import Kept
from rag.evaluation.result import rounded
from rag.evaluation.statistics import Values, detectable, holm, shift_interval, sign_flip_p, standard_error

Sets = Mapping[str, Mapping[str, float]]
"""Values of one system, 0 to 1, by the name of a set and the id of a query."""

Outcome = Literal["no regression", "regression", "inconclusive"]

LESS_IS_BETTER = frozenset({"Declined, answerable", "Absent, answerable"})
"""The measures whose differences are turned round, so that a positive effect is always the better."""

MOVED = 10  # queries shown that lost most, and as many that gained most
DEPTH = 10  # documents of each ranking shown


@dataclass(frozen=True, slots=True)
class Declared:
    """The one test, said before looking: its measure (another for the sets of `measure_for`), and when it speaks.

    `margin` is the loss that does not matter, in the measure's unit; `alpha` the chance of seeing a difference where
    there is none; `seed` draws flips and resamples.
    """

    measure: str = "nDCG@10"
    margin: float = 0.01
    alpha: float = 0.05
    seed: int = 0
    measure_for: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str:
        """Return the measure by which the set `name` is judged."""
        return self.measure_for.get(name, self.measure)


@dataclass(frozen=True, slots=True)
class Effect:
    """What changed from base to candidate, in one measure over `n` questions of one or more sets.

    `base` and `candidate` are the means of the sets' means. `effect` is how much better the candidate is, `low` and
    `high` are the ends of its 1 - alpha bootstrap interval, `p` is the two-sided p-value of the paired permutation
    test. The candidate `wins`, `ties` and `losses` are counts of questions. `sd` divided by the root of `n` is the
    standard error of the effect (with one set: the standard deviation of the differences), `detectable` the least true
    difference found with 80 % power; both are None where a set has a single question.
    """

    base: float
    candidate: float
    effect: float
    low: float
    high: float
    p: float
    n: int
    wins: int
    ties: int
    losses: int
    sd: float | None
    detectable: float | None


@dataclass(frozen=True, slots=True)
class Moved:
    """A query of the declared test; where runs were kept with both rankings and what is relevant, as document ids."""

    set: str
    query: str
    base: float
    candidate: float
    gain: float
    base_ranking: Sequence[str] | None
    candidate_ranking: Sequence[str] | None
    relevant: Sequence[str] | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The declared test and what came of it, the same for each set, and what else was measured.

    `base` and `candidate` are what was compared, by the name of the set. `measures` are the other measures over the
    sets that have them, `adjusted` their p-values after Holm. `gains` has how much better the candidate is by set and
    query, in the declared measure; `lost` and `gained` are the queries that moved most, the farthest first.
    """

    base: Mapping[str, Kept]
    candidate: Mapping[str, Kept]
    declared: Declared
    outcome: Outcome
    effect: Effect
    sets: Mapping[str, Effect]
    measures: Mapping[str, Effect]
    adjusted: Mapping[str, float]
    gains: Sets
    lost: Sequence[Moved]
    gained: Sequence[Moved]


def paired(
    base: Sets, candidate: Sets, *, alpha: float = 0.05, seed: int = 0, less_is_better: Collection[str] = ()
) -> Effect:
    """Compare two systems by one value for each question, over the sets that both were asked.

    A query that one side lacks counts 0 there. Each set weighs the same in the means, the interval and the test, which
    flips and draws questions within their set. The differences of the sets named in `less_is_better` are turned round.
    Raises ValueError where the names of the sets differ or a set has no question.
    """
    if set(base) != set(candidate) or not base or not all(base[name] or candidate[name] for name in base):
        raise ValueError("base and candidate need the same sets, and each set a question")
    ids = {name: sorted({*base[name], *candidate[name]}) for name in base}
    before, after = (
        {name: np.array([side[name].get(query, 0.0) for query in ids[name]]) for name in ids}
        for side in (base, candidate)
    )
    strata = [(before[name] - after[name]) if name in less_is_better else (after[name] - before[name]) for name in ids]
    together = np.concatenate(strata)
    low, high = shift_interval(strata, alpha=alpha, seed=seed)
    error = standard_error(strata)
    return Effect(
        base=_mean(before.values()),
        candidate=_mean(after.values()),
        effect=_mean(strata),
        low=low,
        high=high,
        p=sign_flip_p(strata, seed=seed),
        n=len(together),
        wins=int((together > 0).sum()),
        ties=int((together == 0).sum()),
        losses=int((together < 0).sum()),
        sd=None if error is None else float(error * len(together) ** 0.5),
        detectable=None if error is None else detectable(error, alpha=alpha),
    )


def _mean(strata: Iterable[Values]) -> float:
    return float(np.mean([values.mean() for values in strata]))


def outcome(effect: Effect, declared: Declared) -> Outcome:
    """Return what the declared test says of `effect`.

    No regression where the whole interval lies above a loss of the margin (it is not inferior, G. Piaggio et al., JAMA
    308, 2012). A regression where the loss is beyond the margin and the test tells it from none. Else inconclusive:
    either may be true, and more questions would say.
    """
    if effect.low >= -declared.margin:
        return "no regression"
    if effect.effect < 0 and effect.effect <= -declared.margin and effect.p <= declared.alpha:
        return "regression"
    return "inconclusive"


def compare(base: Mapping[str, Kept], candidate: Mapping[str, Kept], declared: Declared) -> Comparison:
    """Compare two systems over the sets that both were asked, between which `obstacle` found nothing."""
    judged = {name: declared.of(name) for name in sorted(base)}
    whole = _effect(base, candidate, judged, declared)
    others = {measure: _effect(base, candidate, sets, declared) for measure, sets in _others(base, candidate, judged)}
    moved = sorted(_moved(base, candidate, judged), key=lambda one: (-abs(one.gain), one.set, one.query))
    gains: dict[str, dict[str, float]] = {name: {} for name in judged}
    for one in moved:
        gains[one.set][one.query] = one.gain
    return Comparison(
        base=base,
        candidate=candidate,
        declared=declared,
        outcome=outcome(whole, declared),
        effect=whole,
        sets={name: _effect(base, candidate, {name: measure}, declared) for name, measure in judged.items()},
        measures=others,
        adjusted=holm({measure: effect.p for measure, effect in others.items()}),
        gains={name: dict(sorted(of_set.items())) for name, of_set in gains.items()},
        lost=[one for one in moved if one.gain < 0][:MOVED],
        gained=[one for one in moved if one.gain > 0][:MOVED],
    )


def _effect(
    base: Mapping[str, Kept], candidate: Mapping[str, Kept], judged: Mapping[str, str], declared: Declared
) -> Effect:
    """Compare by a measure for each set of `judged`, over the questions that it says something about on both sides."""
    values = {name: (base[name].values[measure], candidate[name].values[measure]) for name, measure in judged.items()}
    return paired(
        {
            name: {query: before[query] for query in before if query in after}
            for name, (before, after) in values.items()
        },
        {name: {query: after[query] for query in before if query in after} for name, (before, after) in values.items()},
        alpha=declared.alpha,
        seed=declared.seed,
        less_is_better=[name for name, measure in judged.items() if measure in LESS_IS_BETTER],
    )


def _others(
    base: Mapping[str, Kept], candidate: Mapping[str, Kept], judged: Mapping[str, str]
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield every other measure with the sets where both sides have it."""
    for measure in dict.fromkeys(measure for side in base.values() for measure in side.values):
        shared = [name for name in judged if set(_of(base[name], measure)) & set(_of(candidate[name], measure))]
        sets = dict.fromkeys(shared, measure)
        if sets and sets != judged:
            yield measure, sets


def _of(side: Kept, measure: str) -> Mapping[str, float]:
    return side.values.get(measure, {})


def _moved(base: Mapping[str, Kept], candidate: Mapping[str, Kept], judged: Mapping[str, str]) -> Iterator[Moved]:
    """Yield every query of the declared test, those that did not move too."""
    for name, measure in judged.items():
        before, after = base[name], candidate[name]
        for query in (query for query in before.values[measure] if query in after.values[measure]):
            value = before.values[measure][query]
            gain = after.values[measure][query] - value
            yield Moved(
                set=name,
                query=query,
                base=value,
                candidate=after.values[measure][query],
                gain=-gain if measure in LESS_IS_BETTER else gain,
                base_ranking=_ranking(before, query),
                candidate_ranking=_ranking(after, query),
                relevant=None if before.relevant is None else before.relevant.get(query, ()),
            )


def _ranking(side: Kept, query: str) -> Sequence[str] | None:
    return None if side.run is None else side.run.get(query, ())[:DEPTH]


def comparison_json(comparison: Comparison) -> Json:
    """Return the comparison as JSON, without time or place: the same input gives the same bytes."""
    declared = comparison.declared
    return {
        "outcome": comparison.outcome,
        "declared": asdict(declared),
        "effect": _effect_json(comparison.effect),
        "sets": {
            name: {"measure": declared.of(name), **_effect_json(effect)} for name, effect in comparison.sets.items()
        },
        "measures": {
            name: {**_effect_json(effect), "p_holm": round(comparison.adjusted[name], 6)}
            for name, effect in comparison.measures.items()
        },
        "lost": [rounded(asdict(one)) for one in comparison.lost],
        "gained": [rounded(asdict(one)) for one in comparison.gained],
        "gains": {name: rounded(gains) for name, gains in comparison.gains.items()},
        "base": _sides_json(comparison.base),
        "candidate": _sides_json(comparison.candidate),
    }


def _effect_json(effect: Effect) -> dict[str, Json]:
    return dict(rounded(asdict(effect)))


def _sides_json(sides: Mapping[str, Kept]) -> Json:
    return {name: {"system": side.system, "manifest": dict(side.manifest)} for name, side in sorted(sides.items())}
