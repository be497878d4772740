"""`pincite compare`: is the candidate better than the base, worse, or can these questions not tell?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from api.cli.context import AsJson, Output
from api.cli.output import Exit, emit, fail, out, plain_errors

if TYPE_CHECKING:
    from rag.evaluation.comparison import Comparison, Effect, Moved

STATUS = {"no regression": Exit.GOOD, "regression": Exit.NO, "inconclusive": Exit.INCONCLUSIVE}
SHOWN = 3  # documents of a ranking that are named

Base = Annotated[Path, typer.Argument(help="A result of `pincite eval --output`, or a folder of them, one a set.")]
Candidate = Annotated[Path | None, typer.Argument(help="The same of the candidate; BASE itself where not given.")]
MeasureFor = Annotated[list[str] | None, typer.Option(help="SET=MEASURE: judge a set by another; may be repeated.")]


def compare(
    base: Base,
    candidate: Candidate = None,
    measure: Annotated[str, typer.Option(help="What the one declared test looks at.")] = "nDCG@10",
    margin: Annotated[float, typer.Option(min=0, max=1, help="The loss that does not matter.")] = 0.01,
    alpha: Annotated[float, typer.Option(min=0.0001, max=0.5, help="How often chance may look like a change.")] = 0.05,
    measure_for: MeasureFor = None,
    base_system: Annotated[str | None, typer.Option(help="The system of BASE; reader, hybrid or its only one.")] = None,
    candidate_system: Annotated[str | None, typer.Option(help="The system of CANDIDATE, likewise.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="What draws flips and resamples.")] = 0,
    as_json: AsJson = False,
    output: Output = None,
) -> None:
    """Compare two results; exit status 0 no regression, 1 regression, 4 inconclusive, 5 not comparable."""
    if candidate is None and base_system == candidate_system:
        fail("give a CANDIDATE, or two systems of BASE by --base-system and --candidate-system.", Exit.USAGE)
    chosen = _measures(measure_for)

    from rag.evaluation import comparison, kept

    declared = comparison.Declared(measure, margin, alpha, seed, chosen)
    with plain_errors():
        before, after = kept.read_kept(base, base_system), kept.read_kept(candidate or base, candidate_system)
        if unknown := sorted(set(chosen) - set(before)):
            fail(f"--measure-for names no set of {base}: {', '.join(unknown)}; it has {', '.join(before)}.", Exit.USAGE)
        if why := kept.obstacle(before, after, declared.of):
            fail(f"not comparable: {why}", Exit.NOT_COMPARABLE)
        made = comparison.compare(before, after, declared)
    emit(comparison.comparison_json(made), as_json, output, lambda: _show(made))
    raise typer.Exit(STATUS[made.outcome])


def _measures(written: Sequence[str] | None) -> Mapping[str, str]:
    """Return the measure by set of `SET=MEASURE`; names of measures have no `=` in them."""
    parted = [one.rpartition("=") for one in written or ()]
    if wrong := [one for one in parted if not one[0] or not one[2]]:
        fail(
            f"--measure-for takes SET=MEASURE, such as covidqa=Answer@5, not {wrong[0][2] or wrong[0][0]}.", Exit.USAGE
        )
    return {name: measure for name, _, measure in parted}


def _show(made: Comparison) -> None:
    out.print(Text(_verdict(made), style="bold"))
    for words in _differing(made):
        out.print(Text(words))
    out.print(Text(_power(made)))
    out.print()
    out.print(_table(made))
    for title, moved in (("Lost most", made.lost), ("Gained most", made.gained)):
        if moved:
            starred = "" if moved[0].relevant is None else " (relevant*)"
            out.print(Text(f"\n{title}{starred}:", style="bold"))
        for one in moved:
            out.print(Text(_query(one, alone=len(made.sets) == 1)), soft_wrap=True)


def _verdict(made: Comparison) -> str:
    """Say the outcome in a sentence, with the figures that decided it."""
    effect, declared = made.effect, made.declared
    measures = ", ".join([declared.measure, *(f"{name} by {of}" for name, of in declared.measure_for.items())])
    reason = {
        "no regression": f"a loss of more than {declared.margin:g} is ruled out",
        "regression": f"it is worse, and by {-effect.effect:.4f}, beyond {declared.margin:g}",
        "inconclusive": f"a loss of more than {declared.margin:g} is neither shown nor ruled out",
    }[made.outcome]
    interval = f"{effect.effect:+.4f} [{effect.low:+.4f}, {effect.high:+.4f}], p = {effect.p:.4f}"
    if made.outcome == "no regression" and effect.p <= declared.alpha:
        reason += f"; it is {'better' if effect.effect > 0 else 'worse'}"
    return f"{made.outcome.capitalize()}: {reason}. {measures}: {interval}."


def _differing(made: Comparison) -> Iterator[str]:
    """Say where not the same was asked on both sides: another system, another model, another reader."""
    sides = [list(side.values()) for side in (made.base, made.candidate)]
    told = {"system": [{one.system for one in side} for side in sides]}
    for name in ("model", "reader"):
        told[name] = [{str(one.manifest.get(name) or "none") for one in side} for side in sides]
    for what, (before, after) in told.items():
        if before != after:
            yield f"Another {what}: {', '.join(sorted(before))} → {', '.join(sorted(after))}."


def _power(made: Comparison) -> str:
    """Say what so many questions can show."""
    effect = made.effect
    moved = effect.wins + effect.losses
    if not moved:
        return f"{effect.n:,} questions, each with the same value on both sides."
    if effect.detectable is None:
        return f"{effect.n:,} questions; a set of a single one shows nothing."
    if 2.0 ** (1 - moved) > made.declared.alpha:  # the least p that flipping so many signs can give
        return f"{effect.n:,} questions, {moved} of which differ: too few to tell any difference from chance."
    return f"{effect.n:,} questions; they show a difference of {effect.detectable:.4f} four times in five."


def _table(made: Comparison) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for head in ("base → candidate", f"effect [{100 * (1 - made.declared.alpha):g} % interval]", "p", "win/tie/loss"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in _rows(made):
        table.add_row(*row)
    return table


def _rows(made: Comparison) -> Iterator[Sequence[str]]:
    """Yield the declared test, its sets where there are several, and the other measures with p after Holm."""
    yield _row("declared", made.effect, made.effect.p)
    for name, effect in made.sets.items() if len(made.sets) > 1 else ():
        yield _row(f"  {name}: {made.declared.of(name)}", effect, effect.p)
    for measure, effect in made.measures.items():
        yield _row(measure, effect, made.adjusted[measure])


def _row(name: str, effect: Effect, p: float) -> Sequence[str]:
    means = f"{effect.base:.3f} → {effect.candidate:.3f}"
    interval = f"{effect.effect:+.3f} [{effect.low:+.3f}, {effect.high:+.3f}]"
    return name, means, interval, f"{p:.4f}", f"{effect.wins}/{effect.ties}/{effect.losses}"


def _query(one: Moved, *, alone: bool) -> str:
    name = one.query if alone else f"{one.set} {one.query}"
    rankings = [
        f"\n    {side}: {', '.join(_marked(ranking[:SHOWN], one.relevant or ())) or 'nothing'}"
        for side, ranking in (("base", one.base_ranking), ("candidate", one.candidate_ranking))
        if ranking is not None
    ]
    return f"  {name}: {one.base:.3f} → {one.candidate:.3f}" + "".join(rankings)


def _marked(documents: Sequence[str], relevant: Sequence[str]) -> Sequence[str]:
    """Put a star at the documents that are relevant."""
    return [f"{document}*" if document in relevant else document for document in documents]
