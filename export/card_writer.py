"""What the card of a student that writes says beside what every card says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from huggingface_hub import EvalResult

from carabin.generation.conclusions import REPEATED
from carabin.generation.quoted_conclusion import MOST_QUOTES
from carabin.generation.tasks import CONCLUSION, ENTITIES
from carabin.generation.tasks import EXERCISES as EXERCISE_PREFIX
from export.card_facts import (
    MODEL_NAMES,
    Json,
    by_role,
    clean_splits,
    compare_roles,
    entity_row,
    int8_sentence,
    interval,
    label_rows,
    noised_splits,
    percent,
    points,
)
from export.card_family import CardFamily
from export.card_tagger import RESULTS, ner_result
from export.card_writer_failures import baselines, failures, list_claims, rouge_l
from zoo.labels import LABEL_SETS
from zoo.registry import Student

ROUGES = {"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L", "rougeLsum": "ROUGE-Lsum"}
EXERCISES = {
    "made": "questions made, of those asked for",
    "progressive": "reports that allowed a progressive file of three",
    "progressive_in_order": "progressive files whose evidence comes in the report's order",
    "parsed": "parses",
    "right_count": "as many right answers as its kind has",
    "quote_verbatim": "quotes the report, word for word",
    "supported": "every right answer stands in the words quoted",
    "distinct": "options all different",
    "wrong_absent": "no wrong option stands in the report",
    "same_type": "wrong options of the right one's type",
    "not_leaked": "the stem does not give the answer away",
    "gold_agreement": "right answers that are what the report's author recorded",
    "parsed_free": "parses, when written without the constraint",
    "sound_free": "keeps every rule, when written without the constraint",
}
"""Figure -> what it says, in the order of the table's rows."""
GOLD, GOLD_NAME = "gold", "the reports' own"
CHANCE, CHANCE_NAME = "chance", "by chance"
CONCLUSIONS_ALONE = "Writes the conclusion of a French medical text, on CPU."
"""Summary of a student whose profile taught no exercises, which the student's own speaks of."""
EXAMPLE = (
    "Patiente de 67 ans admise pour une embolie pulmonaire. Scanner : embolie segmentaire du lobe inférieur droit. "
    "Apixaban 10 mg matin et soir pendant 7 jours, puis 5 mg matin et soir. Sortie à J4."
)


def facts(student: Student, metrics: Mapping[str, Json], parity: Json) -> dict[str, Any]:
    """Return the variables of `writer.md.jinja`."""
    quoted = [(name, figure) for name, split in clean_splits(metrics["student"]) if (figure := rouge_l(split))]
    name, figure = quoted[0] if quoted else ("", None)
    sections = [_section(metrics, name, split) for name, split in clean_splits(metrics["student"])]
    learned = learned_tasks(metrics["student"])
    return {
        "summary": student.summary if "exercises" in learned else CONCLUSIONS_ALONE,
        "labels": LABEL_SETS[student.labels],
        "example": (student.widget or (EXAMPLE,))[0],
        "headline": f"ROUGE-L : {interval(figure).replace('.', ',')} sur {name}" if figure else "ROUGE-L : non mesurée",
        "splits": sections,
        "learned": learned,
        "quoted": metrics["student"].get("conclusions") == "quoted",
        "failures": failures(metrics),
        "int8_sentence": int8_sentence(parity["int8"], "The `onnx/*_quantized.onnx` files are"),
        "merged": parity["merged_vs_unmerged"],
        "suffix": "_quantized" if parity["int8"]["published"] else "",
        "prefixes": {"conclusion": CONCLUSION, "exercises": EXERCISE_PREFIX, "entities": ENTITIES},
        "repeated": REPEATED,
        "most_quotes": MOST_QUOTES,
        "compared_tokens": parity["torch_vs_onnx"]["tokens"],
    }


def _section(metrics: Mapping[str, Json], name: str, split: Json) -> dict[str, Any]:
    scored = by_role(metrics, name)
    return {
        "name": name,
        "documents": split.get("documents", "?"),
        "revision": split.get("revision"),
        "conclusion": _conclusion(metrics, name, scored) if "conclusion" in split else None,
        "exercises": _exercises(metrics, name, scored) if "exercises" in split else None,
        "entities": _entities(scored) if "entities" in split else None,
        "robustness": [
            {"name": damage, "rouge": _rouge(damaged), "kept": _kept(split, damaged), "unsupported": _doses(damaged)}
            for damage, damaged in noised_splits(metrics["student"], name)
            if "conclusion" in damaged and "conclusion" in split
        ],
    }


def _conclusion(metrics: Mapping[str, Json], name: str, scored: Mapping[str, Json]) -> dict[str, Any]:
    parts = {MODEL_NAMES[role]: one["conclusion"] for role, one in scored.items() if "conclusion" in one}
    own, beside = scored["student"]["conclusion"], baselines(metrics, name, "conclusion")
    gold = {GOLD_NAME: beside.pop(GOLD)} if GOLD in beside else {}
    everyone = {**parts, **beside, **gold}
    return {
        "n": own["n"],
        "rouge": [(who, [interval(one[key]) for key in ROUGES]) for who, one in everyone.items() if "rougeL" in one],
        "faithful": [(who, [*map(_supported, list_claims(one)), _facts_kept(one)]) for who, one in everyone.items()],
        "verbatim": own.get("verbatim"),
        "words": f"{own['length']['words']['value']:.0f}",
        "expected_words": f"{own['length']['expected_words']:.0f}",
        "finished": percent(own["length"]["finished"]["value"]),
        "retention": compare_roles(scored, rouge_l, "ROUGE-L"),
    }


def _supported(claims: Json) -> str:
    return f"{percent(claims['share'])} of {claims['total']}" if claims["total"] else "-"


def _facts_kept(conclusion: Json) -> str:
    kept = conclusion.get("key_facts_kept")
    return f"{percent(kept['share'])} of {kept['total']}" if kept and kept["total"] else "-"


def _exercises(metrics: Mapping[str, Json], name: str, scored: Mapping[str, Json]) -> dict[str, Any]:
    columns = {MODEL_NAMES[role]: one["exercises"] for role, one in scored.items() if "exercises" in one}
    beside = baselines(metrics, name, "exercises")
    columns |= {title: beside[key] for key, title in ((CHANCE, CHANCE_NAME), (GOLD, GOLD_NAME)) if key in beside}
    own = scored["student"]["exercises"]
    diversity = own["diversity"]
    return {
        "n": own["n"],
        "columns": list(columns),
        "rows": [
            (title, [_share(one.get(key)) for one in columns.values()])
            for key, title in EXERCISES.items()
            if any(one.get(key) for one in columns.values())
        ],
        "pairs": percent(diversity["pairs"]["value"]),
        "stems": percent(diversity["stems"]),
        "types": ", ".join(f"{name} {count}" for name, count in diversity["types"].items()),
    }


def _share(figure: Json | None) -> str:
    return "-" if not figure or figure["value"] is None else f"{points(figure['value'])} %"


def _entities(scored: Mapping[str, Json]) -> dict[str, Any]:
    parts = {MODEL_NAMES[role]: one["entities"] for role, one in scored.items() if "entities" in one}
    own = scored["student"]["entities"]
    return {
        "n": own.get("documents", "?"),
        "rows": [entity_row(name, one) for name, one in parts.items()],
        "labels": label_rows(own),
    }


def _rouge(split: Json) -> str:
    return interval(split["conclusion"]["rougeL"])


def _kept(clean: Json, damaged: Json) -> str:
    whole = clean["conclusion"]["rougeL"]["value"]
    return percent(damaged["conclusion"]["rougeL"]["value"] / whole if whole else None)


def _doses(split: Json) -> str:
    return _supported(split["conclusion"]["faithfulness"]["doses"])


def eval_results(scores: Json) -> list[EvalResult]:
    """Return the student's results for `model-index`: its conclusions and its entities."""
    results = []
    for name, split in clean_splits(scores):
        if conclusion := split.get("conclusion"):
            results += [_rouge_result(name, split, conclusion, key) for key in ROUGES]
        if entities := split.get("entities"):
            results += [ner_result(name, split, entities, *result) for result in RESULTS if result[0] in entities]
    return results


def _rouge_result(name: str, split: Json, conclusion: Json, key: str) -> EvalResult:
    score = conclusion[key]
    return EvalResult(
        task_type="summarization",
        task_name="Conclusion of a clinical report",
        dataset_type=split["corpus"],
        dataset_name=name,
        dataset_split=name.partition("/")[2] or None,
        dataset_revision=split.get("revision"),
        metric_type="rouge",
        metric_name=f"{ROUGES[key]}, accents kept (95 % interval {score['low']:.4f}-{score['high']:.4f}, "
        f"{conclusion['n']} documents)",
        metric_value=round(score["value"], 4),
    )


def tags(student: Student, scores: Json) -> list[str]:
    """Return the Hub tags; transformers 5 has dropped the pipeline `text2text-generation`, searches have not."""
    beside = {"exercises": ["exercises", "medical-education"], "entities": ["ner", student.labels]}
    found = ["text2text-generation", "t5", "summarization"]
    return found + [tag for task in learned_tasks(scores) for tag in beside[task]]


def learned_tasks(scores: Json) -> list[str]:
    """Return what a student is scored on besides conclusions: what its profile did not teach is not."""
    splits = [split for _, split in clean_splits(scores)]
    return [task for task in ("exercises", "entities") if any(split.get(task) for split in splits)]


WRITER_CARD = CardFamily(
    template="writer.md.jinja",
    # The Hub lists no model any more under text2text-generation.
    pipeline_tag="summarization",
    metrics=("rouge", "f1"),
    tags=tags,
    main_figure=rouge_l,
    main_figure_name="ROUGE-L (mean F-measure) of the conclusion, tokens with their accents",
    eval_results=eval_results,
    facts=facts,
)
