"""What may stand as a wrong answer: the terms of each type, and whom they can concern."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from zoo.synthesis.exercises.surfaces import fold, list_facts, spell
from zoo.synthesis.french import decimal
from zoo.synthesis.knowledge import Knowledge, Lab, Prescription, Scenario, classes_of, load_knowledge, read_toml
from zoo.synthesis.markup import Node, Number

EVERY_AGE = (0.0, 120.0)
CHILDHOOD = 16.0
USUAL = "usual"
"""Tag of the doses that prescribers write often; the knowledge base has some that one drug alone has."""
DOSE = re.compile(r"(?P<number>\d[\d ,./]*?)\s*(?P<unit>(?:%|[^\W\d_]).*)\Z")
CHILD = frozenset(("child", "of children"))
"""Tags of what is a child's, worth two: a children's ward gives other drugs than a specialty near it."""
GRID = (-1.0, -0.5, 0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Where values of an analyte are taken, in widths of the range in which the generator draws: 0 is its low end."""


@dataclass(frozen=True, slots=True)
class Term:
    """A possible answer: what it goes with (specialty, class of drug, unit), and whom it can concern."""

    surface: str
    tags: frozenset[str] = frozenset()
    sexes: frozenset[str] = frozenset("FM")
    ages: tuple[float, float] = EVERY_AGE


@cache
def read_terms() -> dict[str, Any]:
    """Read what the knowledge base does not say."""
    return read_toml(Path(__file__).with_name("terms.toml"))


@cache
def list_terms(split: str) -> Mapping[str, tuple[Term, ...]]:
    """Return the terms of each type that a split's knowledge gives; equal surfaces are one term."""
    knowledge = load_knowledge()
    scenarios = knowledge.for_split(split)
    found: dict[str, list[Term]] = defaultdict(list)
    for scenario in scenarios:
        for kind, term in _terms_of_scenario(scenario):
            found[kind].append(term)
    found["treatment"] = list(_drugs(knowledge, scenarios))
    found["antecedent"] = list(_antecedents(knowledge, split))
    found["allergy"] = [Term(surface) for surface in _phrase_facts(knowledge, split, "allergy")]
    found["dose"] = list(_doses(scenarios, knowledge))
    found["diagnosis"] += _other_diagnoses()
    more = read_terms()["more"]
    for kind, surfaces in more.items():
        if kind != "child":
            found[kind] += [Term(surface) for surface in surfaces]
    for kind, surfaces in more["child"].items():
        found[kind] += [Term(surface, CHILD, ages=(0.0, CHILDHOOD)) for surface in surfaces]
    found["entry-treatment"] = found["stopped"] = found["treatment"]
    return {kind: tuple(_merge(terms)) for kind, terms in found.items()}


def _merge(terms: Iterable[Term]) -> Iterator[Term]:
    """Yield one term for each surface, with the tags of all; vague ones left out."""
    vague = {fold(surface) for surface in read_terms()["vague"]}
    same: dict[str, list[Term]] = defaultdict(list)
    for term in terms:
        if fold(term.surface) not in vague:
            same[fold(term.surface)].append(term)
    for found in same.values():
        tags = frozenset().union(*(term.tags for term in found))
        sexes = frozenset().union(*(term.sexes for term in found))
        ages = (min(term.ages[0] for term in found), max(term.ages[1] for term in found))
        yield Term(found[0].surface, tags, sexes, ages)


def _terms_of_scenario(scenario: Scenario) -> Iterator[tuple[str, Term]]:
    tags, (sexes, ages) = list_fields(scenario.specialty), _whom(scenario)
    for surface in spell(scenario.diagnosis):
        yield "diagnosis", Term(surface, tags, sexes, scenario.age)
    for examination in scenario.exams:
        for surface in spell(examination.name):
            yield "procedure", Term(surface, tags | {surface.split()[0]}, sexes, ages)
    for kind in ("germ", "follow-up", "implant"):
        for node in _sentences(scenario):
            for surface in list_facts(node, kind):
                yield kind, Term(surface, tags | {surface.split()[0]}, sexes, ages)
    for lab in scenario.labs:
        for surface in list_values(lab):
            yield "lab", Term(surface, frozenset((lab.unit,)))


def _whom(scenario: Scenario) -> tuple[frozenset[str], tuple[float, float]]:
    """Return whom a scenario's examinations and drugs can concern: a breast is not imaged in a man of ours."""
    return frozenset(scenario.sex), (0.0, CHILDHOOD) if scenario.age[1] <= CHILDHOOD else EVERY_AGE


@cache
def list_fields(specialty: str) -> frozenset[str]:
    """Return a specialty and those near it, as tags."""
    near = (f"field {number}" for number, field in enumerate(read_terms()["fields"]) if specialty in field)
    return frozenset((specialty, *near)) | (CHILD if specialty == "pédiatrie" else frozenset())


def _sentences(scenario: Scenario) -> Iterator[Node]:
    for examination in scenario.exams:
        yield from examination.findings
    for group in scenario.history + scenario.care + scenario.course:
        yield from group
    for nodes in (scenario.follow, scenario.later, scenario.implants, scenario.resistant, scenario.adverse):
        yield from nodes


def _drugs(knowledge: Knowledge, scenarios: Iterable[Scenario]) -> Iterator[Term]:
    for item in knowledge.antecedents.values():
        for line in item.treatments:
            yield from _drug(line, frozenset((item.key,)), _sexes(item.sex), EVERY_AGE)
    for scenario in scenarios:
        for line in (*scenario.discharge, *(stop.prescription for stop in scenario.stops)):
            yield from _drug(line, list_fields(scenario.specialty), *_whom(scenario))


def _drug(
    line: Prescription, given_for: frozenset[str], sexes: frozenset[str], ages: tuple[float, float]
) -> Iterator[Term]:
    for surface in spell(line.drug):
        yield Term(surface, given_for | classes_of({line.name}), sexes, ages)


def _antecedents(knowledge: Knowledge, split: str) -> Iterator[Term]:
    for item in knowledge.antecedents.values():
        if item.min_age > 0:
            for surface in spell(item.name):
                yield Term(surface, frozenset(("event",) if item.event else ("disease",)), _sexes(item.sex),
                           (item.min_age, EVERY_AGE[1]))  # fmt: skip
    for surface in _phrase_facts(knowledge, split, "antecedent"):
        yield Term(surface, frozenset(("event",)), ages=(CHILDHOOD, EVERY_AGE[1]))


def _other_diagnoses() -> Iterator[Term]:
    for table, sexes in (("diagnoses", "FM"), ("diagnoses_of_women", "F"), ("diagnoses_of_men", "M")):
        for specialty, surfaces in read_terms()[table].items():
            for surface in surfaces:
                yield Term(surface, list_fields(specialty), frozenset(sexes), (CHILDHOOD, EVERY_AGE[1]))


def _sexes(letter: str) -> frozenset[str]:
    return frozenset(letter or "FM")


def _phrase_facts(knowledge: Knowledge, split: str, kind: str) -> Iterator[str]:
    sources = (knowledge.phrases.seen, knowledge.phrases.held) if split == "test" else (knowledge.phrases.seen,)
    for phrases in sources:
        for nodes in phrases.values():
            for node in nodes:
                yield from list_facts(node, kind)


def _doses(scenarios: Iterable[Scenario], knowledge: Knowledge) -> Iterator[Term]:
    lines = [line for item in knowledge.antecedents.values() for line in item.treatments]
    for scenario in scenarios:
        lines += scenario.discharge
    for unit, numbers in read_terms()["doses"].items():
        for number in numbers:
            yield Term(f"{number} {unit.removesuffix('/')}", frozenset((unit, USUAL)))
    for line in lines:
        for surface in spell(line.dose):
            yield Term(surface, frozenset((read_dose(surface)[0],)))


def read_dose(dose: str) -> tuple[str, float]:
    """Return what a dose is counted in ("mg", "mg/" where two drugs are), and its first number."""
    found = DOSE.match(dose)
    if found is None:
        raise ValueError(f"dose {dose!r}: not a number and its unit")
    first, *others = found["number"].split("/")
    unit = "sachets" if found["unit"] == "sachet" else found["unit"]
    return unit + "/" * bool(others), float(first.replace(" ", "").replace(",", "."))


def list_values(lab: Lab) -> list[str]:
    """Return values of an analyte, some outside the range that the generator draws from, none absurd."""
    value = lab.value
    assert isinstance(value, Number)
    width = value.high - value.low
    highest = 100.0 if lab.unit == "%" else float("inf")
    numbers = (value.low + step * width for step in GRID)
    possible = (number for number in numbers if 0.3 * value.low < number <= highest)
    spelled = dict.fromkeys(decimal(number, value.digits) for number in possible)
    return [f"{number} {lab.unit}".strip() for number in spelled if any(digit in "123456789" for digit in number)]


def is_poor(term: Term) -> bool:
    """Return whether nobody would hesitate over a term as a wrong answer."""
    return fold(term.surface) in _unlikely()


@cache
def _unlikely() -> frozenset[str]:
    return frozenset(map(fold, read_terms()["unlikely"]))
