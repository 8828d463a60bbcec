"""Entity scores over documents' spans: the one implementation behind every NER figure, the lab's and a hospital's.

- **exact**: a predicted entity is right when a gold entity has the same start, the same end and the same label (the
  CoNLL-2003 shared task, Tjong Kim Sang and De Meulder, 2003; seqeval's strict mode, on characters).
- **overlap**: right when it shares at least one code point with a gold entity of the same label.

Both match one to one: a gold entity is found once at most, so predicting it twice, or in two halves, costs precision.
Overlap matching pairs the exact matches first, then goes from left to right, each prediction taking the first gold
entity still free. For entities that do not overlap among themselves that finds the largest possible number of pairs,
and overlap never scores below exact.

Gold that nests is flattened to its outermost entities by the caller, who reports how many it dropped.

Precision without predictions, recall without gold, and F1 when both are zero are 0.0, as in seqeval.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from carabin.documents import Entity

Match = Literal["exact", "overlap"]
Span = Entity | Mapping[str, Any]
"""An `Entity`, or its JSON form: {"start": int, "end": int, "label": str}."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What was found, what was predicted, what was there.

    Attributes:
        tp: Predictions that match a gold entity.
        predicted: Predictions.
        gold: Gold entities.
    """

    tp: int = 0
    predicted: int = 0
    gold: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.predicted + other.predicted, self.gold + other.gold)

    @property
    def precision(self) -> float:
        """Share of the predictions that are right."""
        return self.tp / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold entities that were found."""
        return self.tp / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall: 2 tp / (predicted + gold)."""
        return 2 * self.tp / (self.predicted + self.gold) if self.tp else 0.0


def count_matches(predicted: Iterable[Span], gold: Iterable[Span], match: Match = "exact") -> dict[str, Counts]:
    """Return one document's counts by label.

    Args:
        predicted: The model's entities.
        gold: The annotators'.
        match: `exact` or `overlap`, as the module defines them.

    Raises:
        ValueError: no such match.
    """
    if match not in ("exact", "overlap"):
        raise ValueError(f"match '{match}' is not 'exact' or 'overlap'")
    of_predicted, of_gold = _by_label(predicted), _by_label(gold)
    counts = {}
    for label in sorted({*of_predicted, *of_gold}):
        ours, theirs = of_predicted.get(label, []), of_gold.get(label, [])
        left, free = _pair_exact(ours, theirs)
        tp = len(ours) - len(left) + (_pair_overlapping(left, free) if match == "overlap" else 0)
        counts[label] = Counts(tp, len(ours), len(theirs))
    return counts


def _by_label(spans: Iterable[Span]) -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for span in spans:
        if isinstance(span, Entity):
            found[span.label].append((span.start, span.end))
        else:
            found[span["label"]].append((span["start"], span["end"]))
    return {label: sorted(places) for label, places in found.items()}


Places = list[tuple[int, int]]


def _pair_exact(predicted: Places, gold: Places) -> tuple[Places, Places]:
    """Return the predictions and the gold entities, sorted, that are left when equal ones are paired off."""
    ours, theirs = Counter(predicted), Counter(gold)
    return sorted((ours - theirs).elements()), sorted((theirs - ours).elements())


def _pair_overlapping(predicted: Places, gold: Places) -> int:
    free, pairs, behind = list(gold), 0, 0
    for start, end in predicted:
        # Predictions come in order: a gold entity that ends before this one is behind all that follow.
        while behind < len(free) and free[behind][1] <= start:
            behind += 1
        for number in range(behind, len(free)):
            if free[number][0] >= end:
                break
            if start < free[number][1]:
                del free[number]
                pairs += 1
                break
    return pairs


def total(by_label: Mapping[str, Counts]) -> Counts:
    """Return the sum over labels: the counts behind a micro average."""
    return sum(by_label.values(), Counts())


def add_up(documents: Iterable[Mapping[str, Counts]]) -> dict[str, Counts]:
    """Return the documents' counts summed label by label."""
    summed: dict[str, Counts] = defaultdict(Counts)
    for document in documents:
        for label, counts in document.items():
            summed[label] += counts
    return dict(sorted(summed.items()))


def score_spans(
    predictions: Sequence[Iterable[Span]], references: Sequence[Iterable[Span]], match: Match = "exact"
) -> dict[str, Any]:
    """Return micro-averaged scores over documents, and each label's.

    Args:
        predictions: For each document, the model's entities.
        references: For each document, the gold entities.
        match: `exact` or `overlap`.

    Returns:
        `f1`, `precision`, `recall`, `support` (gold entities), and `by_label` with the same four for each label.

    Raises:
        ValueError: the two lists differ in length.
    """
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} documents predicted, {len(references)} annotated: give both lists whole")
    pairs = zip(predictions, references, strict=True)
    summed = add_up(count_matches(ours, theirs, match) for ours, theirs in pairs)
    return {**report(total(summed)), "by_label": {label: report(counts) for label, counts in summed.items()}}


def report(counts: Counts) -> dict[str, float | int]:
    """Return the counts' F1, precision, recall and support as JSON."""
    return {"f1": counts.f1, "precision": counts.precision, "recall": counts.recall, "support": counts.gold}
