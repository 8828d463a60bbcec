"""What goes wrong with what a student writes, from its figures: the card's section on known failures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from export.card_facts import Json, by_role, clean_splits, entity_failures, is_above, twin_failure

CLAIMS = {"numbers": "numbers", "doses": "doses", "drugs": "drug names", "negations": "negations"}
"""Kind of claim -> how it is called."""
ORACLE = "oracle"
"""Among the baselines the one that has read the conclusion: nobody is expected to stand above it."""


def rouge_l(split: Json) -> Json | None:
    """Return the figure that counts."""
    found: Json | None = split.get("conclusion", {}).get("rougeL")
    return found


def baselines(metrics: Mapping[str, Json], name: str, part: str) -> dict[str, Json]:
    """Return what needs no model -> its scores on a part of a split."""
    writers = metrics.get("baselines", {}).get("splits", {}).get(name, {}).get("writers", {})
    return {writer: scores[part] for writer, scores in writers.items() if part in scores}


def list_claims(conclusion: Json) -> Iterator[Json]:
    """Return the figures of each kind of claim, in the order of CLAIMS."""
    return (conclusion["faithfulness"][kind] for kind in CLAIMS)


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
                if writer != ORACLE and "rougeL" in one and not is_above(conclusion["rougeL"], one["rougeL"])
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
        for kind, claims in zip(CLAIMS, list_claims(conclusion), strict=True)
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
