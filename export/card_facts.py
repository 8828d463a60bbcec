"""What a card says, as plain values: rows, sentences and warnings computed from a run's files.

No layout here: `card_template.md.jinja` holds the words around them, `card.py` puts both together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """Return (measure, value) for what `evaluation.frugality` measured; what it did not measure has no row."""
    model, machine, texts = (frugality.get(key) or {} for key in ("model", "machine", "texts"))
    latency, energy = frugality.get("latency_short_note") or {}, frugality.get("energy") or {}
    note = f"a short note (about {texts['note_characters']} characters), 1 thread" if texts else "a short note"
    rows: list[tuple[str, object, str]] = [
        ("weights", model.get("parameters"), ""),
        ("file measured", model.get("which"), ""),
        ("machine", machine.get("cpu"), f", {machine.get('cores')} cores"),
        (f"median time for {note}", latency.get("p50_ms"), " ms"),
        (f"95th percentile for {note}", latency.get("p95_ms"), " ms"),
    ]
    for threads, speed in (frugality.get("throughput") or {}).items():
        where = "all cores" if threads == "all" else f"{threads} thread" + ("" if threads == "1" else "s")
        rows.append((f"whole documents a second, {where}", speed.get("documents_per_second"), ""))
    memory = frugality.get("peak_rss_bytes")
    rows.append(("peak memory of the process", None if memory is None else memory / 1e6, " MB"))
    kind = " (estimate)" if energy.get("estimate") else ""
    rows.append((f"energy for 1,000 documents{kind}", energy.get("wh_per_1000_documents"), " Wh"))
    return [(name, f"{_number(value)}{unit}") for name, value, unit in rows if value is not None]


def _number(value: object) -> str:
    """Return a figure at the precision that it deserves: three digits, or whole when it is a count."""
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


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
