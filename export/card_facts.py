"""What every card says, as plain values: rows, sentences and warnings computed from a run's files.

No layout here: the templates hold the words around them, `card.py` puts both together. What only students that tag
words have is in `card_tagger`, what only those that write have in `card_writer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from export.gate_record import read_figures

Json = Mapping[str, Any]
Figure = Callable[[Json], Json | None]
"""Of a split's record, the figure that counts: `value`, `low`, `high`; None where the split was not scored for it."""

MODEL_NAMES = {
    "student": "**this student** (checkpoint)",
    "int8": "this student, INT8",
    "teacher": "teacher",
    "twin": "twin (not distilled)",
}
"""Roles of the metrics files, in the order of the table's rows."""
WEAK_F1 = 0.5
FEW_ENTITIES = 30


def clean_splits(scores: Json) -> list[tuple[str, Json]]:
    """Return (name, split) for each split that was scored as it is, not damaged."""
    return [(name, split) for name, split in scores["splits"].items() if not split.get("noise")]


def noised_splits(scores: Json, name: str) -> Iterator[tuple[str, Json]]:
    """Yield (damage, split) for each noised scoring of a split, which is named `<clean split>+<kind>:<rate>`."""
    for key, split in scores["splits"].items():
        if key.startswith(f"{name}+"):
            yield key.removeprefix(f"{name}+"), split


def by_role(metrics: Mapping[str, Json], name: str) -> dict[str, Json]:
    """Return role -> a split's record, for the roles that were scored on it, in the table's order."""
    found = {role: metrics[role]["splits"].get(name) for role in MODEL_NAMES if role in metrics}
    return {role: split for role, split in found.items() if split}


def compare_roles(scored: Mapping[str, Json], figure: Figure, named: str) -> str:
    """Return the sentence that sets the student beside its teacher and its twin.

    Args:
        scored: Role -> the split's record.
        figure: What is compared.
        named: How it is called.
    """
    student, teacher, twin = (_figure_of(scored, role, figure) for role in ("student", "teacher", "twin"))
    if student is None:
        return ""
    sentences = []
    if teacher and teacher["value"] > 0:
        kept = 100 * student["value"] / teacher["value"]
        sentences.append(f"The student keeps {kept:.1f} % of its teacher's {named}.")
    if twin:
        gain = 100 * (student["value"] - twin["value"])
        apart = "disjoint" if is_above(student, twin) else "overlapping"
        sentences.append(f"Distillation brings {gain:+.1f} points over the twin ({apart} intervals).")
    return " ".join(sentences)


def _figure_of(scored: Mapping[str, Json], role: str, figure: Figure) -> Json | None:
    return figure(scored[role]) if role in scored else None


def is_above(one: Json, other: Json) -> bool:
    """Tell whether one figure's interval lies above another's."""
    return bool(one["low"] > other["high"])


def twin_failure(name: str, scored: Mapping[str, Json], figure: Figure) -> list[str]:
    """Return the warning that distillation is not shown to have brought anything, where it is not."""
    student, twin = (_figure_of(scored, role, figure) for role in ("student", "twin"))
    shown = not student or not twin or is_above(student, twin)
    return [] if shown else [f"{name}: not shown to be better than its undistilled twin."]


def label_rows(split: Json) -> list[dict[str, Any]]:
    """Return a row for each label of a split whose entities were scored."""
    return [
        {
            "label": label,
            **{key: points(score.get(key)) for key in ("f1", "precision", "recall")},
            "support": score.get("support", "?"),
        }
        for label, score in sorted(split.get("by_label", {}).items())
    ]


def entity_row(name: str, split: Json) -> dict[str, str]:
    """Return a model's row in a table of entity scores."""
    exact = split["ner_exact_f1"]
    return {
        "name": name,
        "exact": interval(exact),
        "precision": points(exact.get("precision")),
        "recall": points(exact.get("recall")),
        "overlap": interval(split["ner_overlap_f1"]) if "ner_overlap_f1" in split else "-",
        "ece": f"{ece:.3f}" if (ece := split.get("ece", {}).get("value")) is not None else "-",
    }


def entity_failures(name: str, split: Json) -> list[str]:
    """Return what goes wrong with the entities of a split, from its scores."""
    labels, found = split.get("by_label", {}), []
    weak = [
        f"{label} ({points(score['f1'])})"
        for label, score in sorted(labels.items(), key=lambda item: item[1]["f1"])
        if score["f1"] < WEAK_F1
    ]
    rare = [label for label, score in sorted(labels.items()) if score["support"] < FEW_ENTITIES]
    if weak:
        found.append(f"{name}: finds or delimits these labels badly (exact F1): {', '.join(weak)}.")
    if rare:
        found.append(f"{name}: fewer than {FEW_ENTITIES} gold entities of {', '.join(rare)}: their rows prove little.")
    if (recall := split["ner_exact_f1"].get("recall")) is not None:
        found.append(f"{name}: misses {100 * (1 - recall):.1f} of 100 gold entities, by exact match.")
    return found


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
    """Return `81.2 (79.0-83.4)`, in points; `-` where there was nothing to count."""
    return (
        "-" if score["value"] is None else f"{points(score['value'])} ({points(score['low'])}-{points(score['high'])})"
    )


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


def int8_sentence(int8: Json, files: str) -> str:
    """Return what the quality gate decided, with its two figures.

    Args:
        int8: Of parity.json.
        files: The INT8 files and their verb, `` `onnx/model_quantized.onnx` is``.
    """
    subject, _, verb = files.rpartition(" ")
    figures = read_figures(int8)
    if figures is None or figures.int8 is None:
        return f"{subject} {verb} not published: {int8['why']}."
    name = "exact F1" if figures.metric == "F1" else figures.metric
    both = f"{name} on {int8['split']}: fp32 {100 * figures.fp32:.2f}, INT8 {100 * figures.int8:.2f}"
    if not int8["published"]:
        return f"{subject} {verb} not published: {int8['why']} ({both})."
    return f"{subject} passed the quality gate: {int8['why']} ({both})."
