"""Measure what terminologies find by themselves: on gold train, on dev, never on test.

    python -m training.report_terminologies --student bert-small --profile quaero-x4-names

1. Resolve the recipe and put it before the licence gate.
2. Match each terminology over gold train. What its names are worth is counted twice: as they are, and over the half
   of the documents that had no part in vetoing names, with the vetoes of the other half.
3. Match it over each dev corpus, without the names that gold train vetoes, as the student will be taught.
4. Count how many words of the transfer text would be labelled.

    python -m training.report_terminologies --student bert-mini --profile quaero-x4-names --names names.csv

writes the names that gold train does not veto, as `carabin annotate --names` takes them, and measures nothing.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from carabin.documents import Document
from carabin.tokens.words import find_words
from training.silver import contradicted_names, make_labeller, verdict_of
from training.texts import gold_documents, transfer_documents
from zoo.corpora import read_documents
from zoo.errors import one_line_errors
from zoo.plan import Plan, make_plan
from zoo.registry import Terminology
from zoo.terminologies import Names, read_names

VERDICTS = ("exact", "inside", "nested", "label", "edges", "nothing")


def main(
    student: Annotated[str, typer.Option(help="A folder of models/.")],
    profile: Annotated[str, typer.Option(help="A profile that names terminologies.")],
    names: Annotated[Path | None, typer.Option(help="CSV file that gets the names, for carabin.")] = None,
) -> None:
    """Print what a recipe's terminologies find on its gold train and dev, and label in its transfer text."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, 140))
    with one_line_errors("stopped"):
        plan = make_plan(student, profile)
        if names is not None:
            typer.echo(f"wrote {write_names(plan, names):,} names to {names}")
            return
        console.print(measure(plan))
        console.print(measure_transfer(plan))


def write_names(plan: Plan, path: Path) -> int:
    """Write the names that a recipe's terminologies teach, with label and confidence; return how many."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, delimiter=";", lineterminator="\n")
        rows.writerow(("name", "label", "score"))
        believed = make_labeller(plan).terminologies
        for terminology, names in believed:
            rows.writerows((" ".join(name), terminology.label, terminology.confidence) for name in sorted(names.known))
    return sum(len(names.known) for _, names in believed)


def measure(plan: Plan) -> Table:
    """Return the table of steps 2 and 3."""
    table = Table("terminology", "label", "text", "gold", "matches", "P", "R", "F1", *VERDICTS)
    gold = list(gold_documents(plan))
    for terminology in plan.terminologies(plan.profile.terminologies):
        names = read_names(plan.registry, terminology)
        vetoed = contradicted_names(terminology, names, gold)
        title = f"{terminology.id}, {len(names.known):,} names"
        _add_row(table, title, terminology, "train", count_verdicts(terminology, names, gold), gold)
        halves = [gold[::2], gold[1::2]]
        crossed: Counter[str] = Counter()
        for ours, others in (halves, reversed(halves)):
            crossed += count_verdicts(terminology, names.without(contradicted_names(terminology, names, others)), ours)
        _add_row(table, title, terminology, "train, vetoes of the other half", crossed, gold)
        for use in plan.profile.dev:
            dev = list(read_documents(plan.registry, use, plan.student.labels, plan.profile.data_seed))
            counts = count_verdicts(terminology, names.without(vetoed), dev)
            _add_row(table, f"{len(vetoed)} vetoed", terminology, str(use), counts, dev)
    return table


def count_verdicts(terminology: Terminology, names: Names, documents: Iterable[Document]) -> Counter[str]:
    """Return how the matches of a terminology stand to gold, by `training.silver.verdict_of`."""
    counts: Counter[str] = Counter()
    for document in documents:
        words = find_words(document.text)
        counts.update(
            verdict_of(match, words, document, terminology.label) for match in names.find(document.text, words)
        )
    return counts


def _add_row(
    table: Table, title: str, terminology: Terminology, text: str, counts: Counter[str], gold: Sequence[Document]
) -> None:
    annotated = sum(entity.label == terminology.label for document in gold for entity in document.entities)
    matches = counts.total()
    precision, recall = counts["exact"] / max(matches, 1), counts["exact"] / max(annotated, 1)
    f1 = 2 * precision * recall / max(precision + recall, 1e-9)
    scores = [f"{100 * score:.1f}" for score in (precision, recall, f1)]
    shown = [str(counts[verdict]) for verdict in VERDICTS]
    table.add_row(title, terminology.label, text, str(annotated), str(matches), *scores, *shown)


def measure_transfer(plan: Plan) -> Table:
    """Return the table of step 4, a row for each corpus."""
    labeller = make_labeller(plan)
    labels = sorted({terminology.label for terminology, _ in labeller.terminologies})
    table = Table("transfer", "documents", "words", *labels, "labelled", "different names")
    names = [known for _, known in labeller.terminologies]
    for use in plan.profile.transfer:
        counts: Counter[str] = Counter()
        different: set[tuple[int, tuple[str, ...]]] = set()
        for document in transfer_documents(plan, only=use):
            words = find_words(document.text)
            counts.update(documents=1, words=len(words))
            for match in labeller.find(document.text, words):
                counts[match.terminology.label] += match.last - match.first
            for number, known in enumerate(names):
                different |= {(number, match.name) for match in known.find(document.text, words)}
        share = sum(counts[label] for label in labels) / max(counts["words"], 1)
        shown = [f"{counts[name]:,}" for name in ("documents", "words", *labels)]
        table.add_row(str(use), *shown, f"{share:.1%}", f"{len(different):,}")
    return table


if __name__ == "__main__":
    typer.run(main)
