"""`.eval_results/<corpus>.yaml`: the Hub's form of a score, beside the card's `model-index`.

The Hub links each to a data set of its own (https://huggingface.co/docs/hub/eval-results), so a corpus that is not
there, generated or kept below CARABIN_DATA, has none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

from export.card_facts import clean_splits
from export.card_family import CardFamily

FOLDER = ".eval_results"
_COMMIT = re.compile(r"[0-9a-f]{40}")


def write_eval_results(
    folder: Path, scores: Mapping[str, Any], corpora: Sequence[Mapping[str, Any]], family: CardFamily
) -> None:
    """Write one file for each test corpus that is on the Hub.

    Args:
        folder: The repository.
        scores: The student's metrics.
        corpora: Of the lineage: `id`, `role`, `hub_id`.
        family: Of the student: says which figure counts.
    """
    on_hub = {corpus["id"]: corpus["hub_id"] for corpus in corpora if corpus["role"] == "test" and corpus.get("hub_id")}
    entries: dict[str, list[EvalResultEntry]] = {}
    for name, split in clean_splits(scores):
        figure = family.main_figure(split)
        if split["corpus"] in on_hub and figure is not None:
            entry = _entry(on_hub[split["corpus"]], name, split, figure, family.main_figure_name)
            entries.setdefault(split["corpus"], []).append(entry)
    for corpus, scored in entries.items():
        path = folder / FOLDER / f"{corpus}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(eval_result_entries_to_yaml(scored), sort_keys=False), encoding="utf-8")


def _entry(hub_id: str, name: str, split: Mapping[str, Any], figure: Mapping[str, Any], called: str) -> EvalResultEntry:
    revision = split.get("revision") or ""
    return EvalResultEntry(
        dataset_id=hub_id,
        task_id=name,
        value=round(figure["value"], 4),
        dataset_revision=revision if _COMMIT.fullmatch(revision) else None,
        notes=f"{called}; 95 % document bootstrap {figure['low']:.4f}-{figure['high']:.4f}, "
        f"{figure.get('n', split['documents'])} documents",
    )
