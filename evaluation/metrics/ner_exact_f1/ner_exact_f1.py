"""`ner_exact_f1`, an `evaluate` module: entity F1, where right means same start, same end, same label.

Loads with no network, from the repository's root (which must be on sys.path, as it is for `python -m` and pytest):

    >>> metric = evaluate.load("evaluation/metrics/ner_exact_f1")
    >>> metric.compute(predictions=[[{"start": 0, "end": 3, "label": "DISO"}]], references=[[]])["f1"]
    0.0
"""

from __future__ import annotations

from typing import Any

import datasets
import evaluate

from carabin.scoring.ner_scores import Span, score_spans

_SPANS = [{"start": datasets.Value("int64"), "end": datasets.Value("int64"), "label": datasets.Value("string")}]


class NerExactF1(evaluate.Metric):
    """Micro-averaged entity F1 over documents, one-to-one matching; see `carabin.scoring.ner_scores`."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Entity F1, micro-averaged over documents; right means same start, same end, same label.",
            citation="",
            inputs_description="For each document, its predicted and its gold entities: {start, end, label}, in code "
            "points. Nested gold is flattened to the outermost beforehand.",
            features=datasets.Features({"predictions": _SPANS, "references": _SPANS}),
        )

    def _compute(self, predictions: list[list[Span]], references: list[list[Span]]) -> dict[str, Any]:
        return score_spans(predictions, references, "exact")
