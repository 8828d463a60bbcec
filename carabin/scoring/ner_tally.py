"""Found and gold entities, document by document, become one record of scores: what the lab and a hospital both report.

Only counts are kept, whatever the number of documents: no text, no surface, no id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from carabin.documents import Entity
from carabin.scoring.bootstrap import RESAMPLES, bootstrap_f1
from carabin.scoring.ner_scores import Counts, Match, add_up, count_matches, report, total
from carabin.scoring.reliability import Reliability

EXACT, OVERLAP = "ner_exact_f1", "ner_overlap_f1"
METRICS: dict[str, Match] = {EXACT: "exact", OVERLAP: "overlap"}


class NerTally:
    """Adds up documents; `summary` and `label_scores` say how good the found entities are."""

    def __init__(self) -> None:
        self.documents: dict[str, list[dict[str, Counts]]] = {metric: [] for metric in METRICS}
        self.confidence = Reliability()

    def __len__(self) -> int:
        return len(self.documents[EXACT])

    def add(self, found: Sequence[Entity], gold: Sequence[Entity]) -> None:
        """Add a document: what was found in it, and its gold entities, nested ones flattened beforehand."""
        for metric, match in METRICS.items():
            self.documents[metric].append(count_matches(found, gold, match))
        right = {_place(entity) for entity in gold}
        scored = [(entity.score, _place(entity) in right) for entity in found if entity.score is not None]
        self.confidence.add([score for score, _ in scored], [is_right for _, is_right in scored])

    def summary(self, seed: int, resamples: int = RESAMPLES) -> dict[str, Any]:
        """Return the record of all documents together.

        Args:
            seed: Of the bootstrap.
            resamples: Of the bootstrap.

        Returns:
            `documents`, `entities` (gold), `ner_exact_f1` and `ner_overlap_f1` with their intervals, `by_label` (exact:
            f1, precision, recall, support), `ece` (confidence against exact correctness; its value is None where
            nothing found has a confidence), `counts` (exact tp, predicted, gold of each document).

        Raises:
            ValueError: no document was added.
        """
        counts = _rows(self.documents[EXACT])
        by_label = add_up(self.documents[EXACT])
        return {
            "documents": len(counts),
            "entities": sum(gold for _, _, gold in counts),
            **{metric: bootstrap_f1(_rows(self.documents[metric]), seed, resamples) for metric in METRICS},
            "by_label": {label: report(label_counts) for label, label_counts in by_label.items()},
            "ece": self.confidence.report(),
            "counts": counts,
        }

    def label_scores(self, seed: int, resamples: int = RESAMPLES) -> dict[str, dict[str, Any]]:
        """Return, for each label met, both metrics with their document-bootstrap intervals, `support` and `found`.

        `support` is the number of gold entities, `found` that of predictions.
        """
        found = {}
        for label in add_up(self.documents[EXACT]):
            tables = {metric: _rows(self.documents[metric], label) for metric in METRICS}
            scores = {metric: bootstrap_f1(table, seed, resamples) for metric, table in tables.items()}
            _, predicted, gold = (sum(column) for column in zip(*tables[EXACT], strict=True))
            found[label] = {"support": gold, "found": predicted, **scores}
        return found


def _rows(documents: Sequence[dict[str, Counts]], label: str | None = None) -> list[list[int]]:
    """Return each document's [tp, predicted, gold], of one label or of all together."""
    chosen = (total(document) if label is None else document.get(label, Counts()) for document in documents)
    return [[counts.tp, counts.predicted, counts.gold] for counts in chosen]


def _place(entity: Entity) -> tuple[int, int, str]:
    return entity.start, entity.end, entity.label
