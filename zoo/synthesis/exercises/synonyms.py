"""Which wordings name one thing: a brand and its substance, an acronym and its long form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache

from zoo.synthesis.exercises.surfaces import fold, spell
from zoo.synthesis.exercises.terms import read_terms
from zoo.synthesis.knowledge import Knowledge, load_knowledge
from zoo.synthesis.markup import Concept


@cache
def _groups() -> Mapping[str, frozenset[str]]:
    """Return, for each folded surface of the whole base, the surfaces that name the same thing."""
    knowledge = load_knowledge()
    leaders: dict[str, str] = {}
    surfaces: dict[str, set[str]] = defaultdict(set)

    def lead(folded: str) -> str:
        while leaders.setdefault(folded, folded) != folded:
            folded = leaders[folded]
        return folded

    for group in (*_entries(knowledge), *read_terms()["same"]):
        for surface in group:
            surfaces[fold(surface)].add(surface)
            leaders[lead(fold(surface))] = lead(fold(group[0]))
    joined: dict[str, set[str]] = defaultdict(set)
    for folded, found in surfaces.items():
        joined[lead(folded)] |= found
    return {folded: frozenset(joined[lead(folded)]) for folded in surfaces}


def _entries(knowledge: Knowledge) -> Iterator[list[str]]:
    concepts: list[Concept] = [item.name for item in knowledge.antecedents.values()]
    for item in knowledge.antecedents.values():
        concepts += [line.drug for line in item.treatments]
    for scenario in knowledge.scenarios:
        concepts += [scenario.diagnosis, *(examination.name for examination in scenario.exams)]
        concepts += [line.drug for line in scenario.discharge]
        concepts += [stop.prescription.drug for stop in scenario.stops]
        concepts += [lab.analyte for lab in scenario.labs]
    for concept in concepts:
        if forms := spell(concept):
            yield forms


@cache
def list_siblings(surface: str) -> frozenset[str]:
    """Return the wordings of what a surface names, itself among them: brand and substance are one drug."""
    return _groups().get(fold(surface), frozenset()) | {surface}


@cache
def fold_siblings(surface: str) -> frozenset[str]:
    """Return the same, folded."""
    return frozenset(map(fold, list_siblings(surface)))
