"""`rouge_fr`, an `evaluate` module: ROUGE-1, -2, -L and -Lsum whose tokens keep accents and decimals.

Loads with no network, from the repository's root (which must be on sys.path, as it is for `python -m` and pytest):

    >>> metric = evaluate.load("evaluation/metrics/rouge_fr")
    >>> metric.compute(predictions=["ét"], references=["été"])["rouge1"]
    0.0
"""

from __future__ import annotations

from typing import Any

import datasets
import evaluate

from evaluation.rouge_report import report_scores, score_texts


class RougeFr(evaluate.Metric):
    """Mean F-measures over documents, with document-bootstrap intervals; see `evaluation.rouge_report`."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="ROUGE-1, -2, -L and -Lsum of French texts (mean F-measure over documents); tokens keep "
            "accents, decimals and units.",
            citation="Lin, ROUGE: a Package for Automatic Evaluation of Summaries, 2004",
            inputs_description="predictions and references: one text a document. stem: compare French Snowball stems. "
            "seed, resamples: of the document bootstrap behind `intervals`.",
            features=datasets.Features(
                {"predictions": datasets.Value("string"), "references": datasets.Value("string")}
            ),
        )

    def _compute(
        self, predictions: list[str], references: list[str], stem: bool = False, seed: int = 1, resamples: int = 1000
    ) -> dict[str, Any]:
        reports = report_scores(score_texts(predictions, references, stem), seed, resamples)
        return {**{name: report["value"] for name, report in reports.items()}, "intervals": reports}
