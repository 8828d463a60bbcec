"""What the card of a student that writes says beside what every card says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    is_above,
    label_rows,
    noised_splits,
    percent,
    points,
    twin_failure,
)
from export.card_family import CardFamily
from export.card_tagger import RESULTS, ner_result
from zoo.labels import LABEL_SETS
from zoo.registry import Student

ROUGES = {"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L", "rougeLsum": "ROUGE-Lsum"}
CLAIMS = {"numbers": "numbers", "doses": "doses", "drugs": "drug names", "negations": "negations"}
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
EXAMPLE = (
    "Patiente de 67 ans admise pour une embolie pulmonaire. Scanner : embolie segmentaire du lobe inférieur droit. "
    "Apixaban 10 mg matin et soir pendant 7 jours, puis 5 mg matin et soir. Sortie à J4."
)


def rouge_l(split: Json) -> Json | None:
    """Return the figure that counts."""
    found: Json | None = split.get("conclusion", {}).get("rougeL")
    return found


def facts(student: Student, metrics: Mapping[str, Json], parity: Json) -> dict[str, Any]:
    """Return the variables of `writer.md.jinja`."""
    quoted = [(name, figure) for name, split in clean_splits(metrics["student"]) if (figure := rouge_l(split))]
    name, figure = quoted[0] if quoted else ("", None)
    return {
        "labels": LABEL_SETS[student.labels],
        "example": (student.widget or (EXAMPLE,))[0],
        "headline": f"ROUGE-L : {interval(figure).replace('.', ',')} sur {name}" if figure else "ROUGE-L : non mesurée",
        "splits": [_section(metrics, name, split) for name, split in clean_splits(metrics["student"])],
        "failures": failures(metrics),
        "int8_sentence": int8_sentence(parity["int8"], "The `onnx/*_quantized.onnx` files are"),
        "merged": parity["merged_vs_unmerged"],
        "suffix": "_quantized" if parity["int8"]["published"] else "",
        "compared_tokens": parity["torch_vs_onnx"]["tokens"],
    }


def baselines(metrics: Mapping[str, Json], name: str, part: str) -> dict[str, Json]:
    """Return what needs no model -> its scores on a part of a split."""
    writers = metrics.get("baselines", {}).get("splits", {}).get(name, {}).get("writers", {})
    return {writer: scores[part] for writer, scores in writers.items() if part in scores}


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
        "faithful": [(who, [*map(_supported, _claims(one)), _facts_kept(one)]) for who, one in everyone.items()],
        "words": f"{own['length']['words']['value']:.0f}",
        "expected_words": f"{own['length']['expected_words']:.0f}",
        "finished": percent(own["length"]["finished"]["value"]),
        "retention": compare_roles(scored, rouge_l, "ROUGE-L"),
    }


def _claims(conclusion: Json) -> Iterator[Json]:
    return (conclusion["faithfulness"][kind] for kind in CLAIMS)


def _supported(claims: Json) -> str:
    return f"{percent(claims['share'])} of {claims['total']}" if claims["total"] else "-"


def _facts_kept(conclusion: Json) -> str:
    kept = conclusion.get("key_facts_kept")
    return f"{percent(kept['share'])} of {kept['total']}" if kept and kept["total"] else "-"


def _exercises(metrics: Mapping[str, Json], name: str, scored: Mapping[str, Json]) -> dict[str, Any]:
    columns = {MODEL_NAMES[role]: one["exercises"] for role, one in scored.items() if "exercises" in one}
    if gold := baselines(metrics, name, "exercises").get(GOLD):
        columns[GOLD_NAME] = gold
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


def failures(metrics: Mapping[str, Json]) -> list[str]:
    """Return what the reader must know goes wrong, from the figures themselves."""
    found: list[str] = []
    for name, split in clean_splits(metrics["student"]):
        if conclusion := split.get("conclusion"):
            found += _unsupported(name, conclusion)
            found += twin_failure(name, by_role(metrics, name), rouge_l)
            found += [
                f"{name}: not shown to write better conclusions than {writer}, which has learned nothing."
                for writer, one in baselines(metrics, name, "conclusion").items()
                if "rougeL" in one and not is_above(conclusion["rougeL"], one["rougeL"])
            ]
        if exercises := split.get("exercises"):
            found += _bad_exercises(name, exercises)
        if entities := split.get("entities"):
            found += entity_failures(f"{name}, entities", entities)
    return found


def _unsupported(name: str, conclusion: Json) -> list[str]:
    """Return what conclusions say that their reports do not, what they leave out, and where they break off."""
    found = [
        f"{name}: {100 * (1 - claims['share']):.1f} of 100 {CLAIMS[kind]} in its conclusions "
        f"are not supported by the report ({claims['total'] - claims['supported']} of {claims['total']})."
        for kind, claims in zip(CLAIMS, _claims(conclusion), strict=True)
        if claims["total"] and claims["share"] < 1
    ]
    kept, finished = conclusion.get("key_facts_kept"), conclusion["length"]["finished"]["value"]
    if kept and kept["total"] and kept["share"] < 1:
        lost = 100 * (1 - kept["share"])
        found.append(f"{name}: leaves out {lost:.1f} of 100 key facts that the author's own conclusion tells.")
    if finished < 1:
        found.append(f"{name}: {100 * (1 - finished):.1f} of 100 conclusions break off at the longest it may write.")
    return found


def _bad_exercises(name: str, exercises: Json) -> list[str]:
    found = []
    agreement, free = exercises.get("gold_agreement"), exercises.get("parsed_free")
    if agreement and agreement["value"] is not None and agreement["value"] < 1:
        wrong = 100 * (1 - agreement["value"])
        found.append(f"{name}: in {wrong:.1f} of 100 questions a right answer is not what the author recorded.")
    if free and free["value"] is not None and free["value"] < 1:
        loose = 100 * (1 - free["value"])
        found.append(f"{name}: without carabin's constraint {loose:.1f} of 100 exercises do not parse.")
    return found


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


def tags(student: Student) -> list[str]:
    """Return the Hub tags; transformers 5 has dropped the pipeline `text2text-generation`, searches have not."""
    return ["text2text-generation", "t5", "summarization", "exercises", "medical-education", "ner", student.labels]


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
