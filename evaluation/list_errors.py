"""A student's errors, to be read one by one: where it and the annotators part, with the words around.

    python -m evaluation.list_errors --model runs/bert-mini/quaero-x4-names/seed-1/repository --corpus quaero-emea/test

1. Annotate the split with the model; `--thresholds` drops what stays under its calibrated ones.
2. Pair what it found with the gold (`carabin.scoring.corrections`): relabelled, moved, replaced, deleted (which the
   model invented), added (which it missed).
3. Print a sample of them drawn by `--seed`, and how many there are of each kind.

What is printed quotes the corpus: it stays where the corpus may be.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from carabin.calibration import above_thresholds
from carabin.documents import Document, Entity
from carabin.scoring.corrections import KEPT, find_changes
from evaluation.score_ner import label_set_of, parse_use
from zoo.corpora import read_documents
from zoo.errors import one_line_errors
from zoo.registry import Registry
from zoo.torch_engine import load_annotator

AROUND = 50
"""Characters shown on each side."""

Change = tuple[str, Entity | None, Entity | None]


def show(text: str, change: Change) -> str:
    """Return a line: kind, labels, the words and what surrounds them; ‹ › mark the model's span, [ ] the gold's."""
    kind, found, gold = change
    spans = [span for span in (found, gold) if span]
    first, last = min(span.start for span in spans), max(span.end for span in spans)
    marks = [(found.start, "‹"), (found.end, "›")] if found else []
    marks += [(gold.start, "["), (gold.end, "]")] if gold else []
    pieces, at = [], max(0, first - AROUND)
    for place, mark in sorted(marks, key=lambda entry: (entry[0], entry[1] in "[‹")):
        pieces += [text[at:place], mark]
        at = place
    pieces.append(text[at : last + AROUND])
    labels = f"{found.label if found else '-'} / {gold.label if gold else '-'}"
    return f"{kind:<10} {labels:<12} {' '.join(''.join(pieces).split())}"


def main(
    model: Annotated[Path, typer.Option(help="Folder of a checkpoint or of an ONNX repository.")],
    corpus: Annotated[str, typer.Option(help="corpus/split or corpus/split[:documents].")],
    which: Annotated[str, typer.Option(help="torch, onnx, int8 or auto (what a hospital would run).")] = "auto",
    count: Annotated[int, typer.Option(min=1, help="How many are shown.")] = 60,
    seed: Annotated[int, typer.Option(help="Of the sample, and of a synthetic corpus.")] = 1,
    thresholds: Annotated[bool, typer.Option("--thresholds", help="Drop what is under the calibrated ones.")] = False,
) -> None:
    """Print a sample of a student's errors on an annotated split."""
    with one_line_errors("errors"):
        annotator, use, registry = load_annotator(model, which), parse_use(corpus), Registry()  # type: ignore[arg-type]
        least = annotator.thresholds if thresholds else {}

        def changes() -> Iterator[tuple[Document, Change]]:
            for document in read_documents(registry, use, label_set_of(annotator), seed):
                found = above_thresholds(annotator(document.text), least)
                yield from ((document, change) for change in find_changes(found, document.entities))

        every = list(changes())
    errors = [(document, change) for document, change in every if change[0] != KEPT]
    for document, change in random.Random(seed).sample(errors, min(count, len(errors))):  # noqa: S311 - a sample
        typer.echo(f"{document.id:<12} {show(document.text, change)}")
    kinds = Counter(change[0] for _, change in every)
    typer.echo(", ".join(f"{kind} {number}" for kind, number in kinds.most_common()))


if __name__ == "__main__":
    typer.run(main)
