"""What a card says, as plain values: rows, sentences and warnings computed from a run's files.

No layout here: `card_template.md.jinja` holds the words around them, `card.py` puts both together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

MODEL_NAMES = {
    "student": "**this student** (checkpoint)",
    "int8": "this student, INT8",
    "teacher": "teacher",
    "twin": "twin (not distilled)",
}
"""Roles of the metrics files, in the order of the table's rows."""
WEAK_F1 = 0.5
FEW_ENTITIES = 30
_UNITS = {
    "p50_ms": "p50 latency (ms)",
    "p95_ms": "p95 latency (ms)",
    "documents_per_second": "documents per second",
    "peak_rss_mb": "peak memory (MB)",
    "rss_mb": "memory (MB)",
    "wh_per_1000_documents": "Wh per 1,000 documents",
}


def split_facts(metrics: Mapping[str, Json]) -> list[dict[str, Any]]:
    """Return, for each clean split the student was scored on, what its section shows.

    Args:
        metrics: Role (`student`, `int8`, `teacher`, `twin`) -> metrics as `evaluation.score_ner` wrote them. A noised
            split is named `<clean split>+<kind>:<rate>`.
    """
    sections = []
    for name, split in clean_splits(metrics["student"]):
        scored = {role: metrics[role]["splits"].get(name) for role in MODEL_NAMES if role in metrics}
        sections.append(
            {
                "name": name,
                "documents": split.get("documents", "?"),
                "entities": split.get("entities", "?"),
                "nested_dropped": split.get("nested_dropped", 0),
                "revision": split.get("revision"),
                "rows": [_model_row(MODEL_NAMES[role], one) for role, one in scored.items() if one],
                "retention": _retention(scored),
                "labels": [_label_row(label, score) for label, score in sorted(split.get("by_label", {}).items())],
                "robustness": _robustness_rows(name, metrics["student"]["splits"]),
            }
        )
    return sections


def clean_splits(scores: Json) -> list[tuple[str, Json]]:
    """Return (name, split) for each split that was scored as it is, not damaged."""
    return [(name, split) for name, split in scores["splits"].items() if not split.get("noise")]


def _robustness_rows(name: str, splits: Json) -> list[dict[str, str]]:
    clean = splits[name]["ner_exact_f1"]["value"]
    noised = {key: split["ner_exact_f1"] for key, split in splits.items() if key.startswith(f"{name}+")}
    return [
        {
            "name": key.removeprefix(f"{name}+"),
            "exact": interval(exact),
            "kept": percent(exact["value"] / clean if clean else None),
        }
        for key, exact in noised.items()
    ]


def _model_row(name: str, split: Json) -> dict[str, str]:
    exact = split["ner_exact_f1"]
    return {
        "name": name,
        "exact": interval(exact),
        "precision": points(exact.get("precision")),
        "recall": points(exact.get("recall")),
        "overlap": interval(split["ner_overlap_f1"]) if "ner_overlap_f1" in split else "-",
        "ece": f"{ece:.3f}" if (ece := split.get("ece", {}).get("value")) is not None else "-",
    }


def _label_row(label: str, score: Json) -> dict[str, Any]:
    return {
        "label": label,
        **{key: points(score.get(key)) for key in ("f1", "precision", "recall")},
        "support": score.get("support", "?"),
    }


def _retention(scored: Mapping[str, Json | None]) -> str:
    """Return the sentence that sets the student beside its teacher and its twin."""
    student, teacher, twin = (scored.get(role) for role in ("student", "teacher", "twin"))
    if student is None:
        return ""
    value, sentences = student["ner_exact_f1"]["value"], []
    if teacher and teacher["ner_exact_f1"]["value"] > 0:
        sentences.append(
            f"The student keeps {100 * value / teacher['ner_exact_f1']['value']:.1f} % of its teacher's F1."
        )
    if twin:
        gain = 100 * (value - twin["ner_exact_f1"]["value"])
        apart = "disjoint" if _above(student, twin) else "overlapping"
        sentences.append(f"Distillation brings {gain:+.1f} points over the twin ({apart} intervals).")
    return " ".join(sentences)


def _above(one: Json, other: Json) -> bool:
    return bool(one["ner_exact_f1"]["low"] > other["ner_exact_f1"]["high"])


def failures(metrics: Mapping[str, Json], parity: Json) -> list[str]:
    """Return what the reader must know goes wrong, from the figures themselves."""
    found = []
    for name, split in clean_splits(metrics["student"]):
        labels = split.get("by_label", {})
        weak = [
            f"{label} ({points(score['f1'])})"
            for label, score in sorted(labels.items(), key=lambda item: item[1]["f1"])
            if score["f1"] < WEAK_F1
        ]
        rare = [label for label, score in sorted(labels.items()) if score["support"] < FEW_ENTITIES]
        if weak:
            found.append(f"{name}: finds or delimits these labels badly (exact F1): {', '.join(weak)}.")
        if rare:
            found.append(
                f"{name}: fewer than {FEW_ENTITIES} gold entities of {', '.join(rare)}: their rows prove little."
            )
        exact = split["ner_exact_f1"]
        if "recall" in exact:
            found.append(f"{name}: misses {100 * (1 - exact['recall']):.1f} of 100 gold entities, by exact match.")
        twin = metrics.get("twin", {}).get("splits", {}).get(name)
        if twin and not _above(split, twin):
            found.append(f"{name}: not shown to be better than its undistilled twin.")
    if not parity["int8"]["published"]:
        found.append(f"INT8 is not published: {parity['int8']['why']}.")
    return found or ["None measured; that is no proof that there is none."]


def frugality_rows(frugality: Json) -> list[tuple[str, str]]:
    """Return (measure, value) for every figure of frugality.json, nested ones named by their path."""
    return [
        (" / ".join(_UNITS.get(key, key.replace("_", " ")) for key in path), value) for path, value in _flat(frugality)
    ]


def _flat(value: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _flat(inner, (*path, str(key)))
    elif isinstance(value, list | tuple):
        yield path, ", ".join(map(str, value))
    elif isinstance(value, bool) or value is None or isinstance(value, str):
        yield path, str(value)
    elif isinstance(value, int):
        yield path, f"{value:,}"
    else:
        yield path, f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"


def interval(score: Json) -> str:
    """Return `81.2 (79.0-83.4)`, in points."""
    return f"{points(score['value'])} ({points(score['low'])}-{points(score['high'])})"


def points(value: float | None) -> str:
    """Return a share as points, `0.8123` -> `81.2`."""
    return "-" if value is None else f"{100 * value:.1f}"


def percent(value: float | None) -> str:
    """Return a share as a percentage, `0.953` -> `95 %`."""
    return "-" if value is None else f"{100 * value:.0f} %"


def is_synthetic_only(corpora: Sequence[Json]) -> bool:
    """Did the student read nothing but generated text?"""
    return all(corpus.get("source") == "synthetic" for corpus in corpora)


def privacy_sentence(corpora: Sequence[Json]) -> str:
    """Return what the card says of the General Data Protection Regulation."""
    if is_synthetic_only(corpora):
        return (
            "It was trained on fictitious patients only, so its weights hold no personal data. Refine it on real "
            "reports and the refined model is personal data under the GDPR until tests for extraction and membership "
            "show otherwise: keep it where the reports are."
        )
    return (
        "It was trained on the corpora listed under Lineage and not on hospital records of its own. A student refined "
        "on real reports is personal data under the GDPR until tests for extraction and membership show otherwise: "
        "keep it where the reports are."
    )


def int8_sentence(int8: Json) -> str:
    """Return what the quality gate decided, with its two figures."""
    if int8["f1_int8"] is None:
        return f"`onnx/model_quantized.onnx` is not published: {int8['why']}."
    figures = f"exact F1 on {int8['split']}: fp32 {100 * int8['f1_fp32']:.2f}, INT8 {100 * int8['f1_int8']:.2f}"
    if not int8["published"]:
        return f"`onnx/model_quantized.onnx` is not published: {int8['why']} ({figures})."
    return f"`onnx/model_quantized.onnx` passed the quality gate: {int8['why']} ({figures})."
