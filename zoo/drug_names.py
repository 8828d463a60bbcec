"""The names of drugs that fictitious reports may hold: what a conclusion written of one is searched for."""

from __future__ import annotations

from functools import cache

from zoo.synthesis.exercises.surfaces import spell
from zoo.synthesis.knowledge import load_knowledge


@cache
def list_drugs() -> frozenset[str]:
    """Return every name, substance or brand, of every drug that any split prescribes or stops."""
    knowledge = load_knowledge()
    lines = [line for item in knowledge.antecedents.values() for line in item.treatments]
    for scenario in knowledge.scenarios:
        lines += [*scenario.discharge, *(stop.prescription for stop in scenario.stops)]
    return frozenset(name for line in lines for name in spell(line.drug))
