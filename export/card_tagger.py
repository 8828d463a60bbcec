"""What the card of a student that tags words says beside what every card says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult

from export.card_facts import (
    MODEL_NAMES,
    Json,
    by_role,
    clean_splits,
    compare_roles,
    entity_failures,
    entity_row,
    int8_sentence,
    interval,
    label_rows,
    noised_splits,
    percent,
    twin_failure,
)
from export.card_family import CardFamily
from zoo.labels import LABEL_SETS
from zoo.registry import Student

RESULTS = (("ner_exact_f1", "exact-span micro F1"), ("ner_overlap_f1", "overlap micro F1"))


def exact_f1(split: Json) -> Json | None:
    """Return the figure that counts."""
    return split.get("ner_exact_f1")


def facts(student: Student, metrics: Mapping[str, Json], parity: Json) -> dict[str, Any]:
    """Return the variables of `tagger.md.jinja`."""
    first_name, first = clean_splits(metrics["student"])[0]
    return {
        "summary": student.summary,
        "labels": LABEL_SETS[student.labels],
        "example": (student.widget or ("Patiente de 67 ans, douleur thoracique.",))[0],
        "headline": f"{interval(first['ner_exact_f1']).replace('.', ',')} sur {first_name}",
        "splits": split_facts(metrics),
        "failures": failures(metrics),
        "int8_sentence": int8_sentence(parity["int8"], "`onnx/model_quantized.onnx` is"),
    }


def split_facts(metrics: Mapping[str, Json]) -> list[dict[str, Any]]:
    """Return, for each clean split the student was scored on, what its section shows.

    Args:
        metrics: Role (`student`, `int8`, `teacher`, `twin`) -> metrics as `evaluation.score_ner` wrote them.
    """
    sections = []
    for name, split in clean_splits(metrics["student"]):
        scored = by_role(metrics, name)
        sections.append(
            {
                "name": name,
                "documents": split.get("documents", "?"),
                "entities": split.get("entities", "?"),
                "nested_dropped": split.get("nested_dropped", 0),
                "revision": split.get("revision"),
                "rows": [entity_row(MODEL_NAMES[role], one) for role, one in scored.items()],
                "retention": compare_roles(scored, exact_f1, "F1"),
                "labels": label_rows(split),
                "robustness": _robustness_rows(name, metrics["student"]),
            }
        )
    return sections


def _robustness_rows(name: str, scores: Json) -> list[dict[str, str]]:
    clean = scores["splits"][name]["ner_exact_f1"]["value"]
    return [
        {
            "name": damage,
            "exact": interval(split["ner_exact_f1"]),
            "kept": percent(split["ner_exact_f1"]["value"] / clean if clean else None),
        }
        for damage, split in noised_splits(scores, name)
    ]


def failures(metrics: Mapping[str, Json]) -> list[str]:
    """Return what the reader must know goes wrong, from the figures themselves."""
    found = []
    for name, split in clean_splits(metrics["student"]):
        found += [*entity_failures(name, split), *twin_failure(name, by_role(metrics, name), exact_f1)]
    return found


def eval_results(scores: Json) -> list[EvalResult]:
    """Return the student's results for `model-index`."""
    return [
        ner_result(name, split, split, key, title)
        for name, split in clean_splits(scores)
        for key, title in RESULTS
        if key in split
    ]


def ner_result(name: str, split: Json, scores: Json, key: str, title: str) -> EvalResult:
    """Return one figure of entities.

    Args:
        name: Of the split.
        split: Its record: corpus, revision, documents.
        scores: What holds the figure.
        key: The figure's name there.
        title: What it is called.
    """
    score = scores[key]
    return EvalResult(
        task_type="token-classification",
        task_name="Named entity recognition",
        dataset_type=split["corpus"],
        dataset_name=name,
        dataset_split=name.partition("/")[2] or None,
        dataset_revision=split.get("revision"),
        metric_type="f1",
        metric_name=f"{title} (95 % interval {score['low']:.4f}-{score['high']:.4f}, {scores['documents']} documents)",
        metric_value=round(score["value"], 4),
    )


TAGGER_CARD = CardFamily(
    template="tagger.md.jinja",
    pipeline_tag="token-classification",
    metrics=("f1", "precision", "recall"),
    tags=lambda student, _: ["ner", student.labels],
    main_figure=exact_f1,
    main_figure_name="exact-span micro F1, nested entities flattened to the outermost",
    eval_results=eval_results,
    facts=facts,
)
