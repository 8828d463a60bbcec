"""What a report determines, and so what may be asked about it: each question's answer, evidence and blank."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import NamedTuple

from carabin.documents import Document
from carabin.exercises import wording
from carabin.exercises.exercise import Kind
from carabin.exercises.form import LONGEST_RUN
from carabin.exercises.units import find_units
from carabin.exercises.wording import mentions
from zoo.synthesis.exercises.surfaces import fold, spell
from zoo.synthesis.exercises.synonyms import fold_siblings, list_siblings
from zoo.synthesis.exercises.terms import read_terms
from zoo.synthesis.knowledge import Lab, Scenario, load_knowledge

SETTINGS = {
    "CRH": "stay", "lettre de liaison": "stay", "consultation": "consultation", "ordonnance": "ordonnance",
}  # fmt: skip
CLOSED: tuple[Kind, ...] = ("qru",)
OPEN: tuple[Kind, ...] = ("qru", "qroc")
LISTS = ("treatment", "entry-treatment", "antecedent", "procedure")
"""Types of which a report may hold several, near one another."""
_FINDING = re.compile(
    r"(?:(?!\. ).){0,60}?(?:\bretrouv(?:e|ent|ant)|\bmontre(?:nt)?|\bobjective(?:nt)?|\brévèle(?:nt)?"
    r"|\bidentifie(?:nt)?|:|->)\s+(?P<finding>[^:]+?)\.?\Z"
)
_SINCE = re.compile(r"(?:depuis|il y a)(?: environ| ~)? (?P<since>\d+ ans)")
_VALUE = re.compile(r"\s*(?::|à|=|\(|->)?\s*(?P<value>\d.*?)\)?\Z")


NOWHERE = -1
"""Unit of a fact that lies in no single one; it cannot be quoted, and still counts where others are asked about."""


class Fact(NamedTuple):
    """A fact of the report, and the unit it stands in."""

    type: str
    value: str
    start: int
    end: int
    unit: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that may be asked.

    Attributes:
        kinds: In which the answer is determined.
        asks: Type of the answers.
        form: Family of stems (`stems.toml`).
        right: The answers.
        hole: What the stem names.
        start: Of the quote.
        end: One past its last code point.
    """

    kinds: tuple[Kind, ...]
    asks: str
    form: str
    right: tuple[str, ...]
    hole: str
    start: int
    end: int


class Reading:
    """A synthetic report read for questions."""

    def __init__(self, document: Document) -> None:
        """Read a report that `zoo.synthesis` generated, its facts in its attributes."""
        self.text = document.text
        self.setting = SETTINGS[document.attributes["kind"]]
        self.folded = wording.fold(self.text)
        self.scenario = find_scenario(document.attributes["scenario"])
        self.units = find_units(self.text)
        self.conclusion = document.attributes["conclusion"]
        self.facts = [self._place(record) for record in document.attributes["facts"]]

    def _place(self, record: dict) -> Fact:
        inside = (start <= record["start"] and record["end"] <= end for start, end in self.units)
        unit = next((number for number, holds in enumerate(inside) if holds), NOWHERE)
        return Fact(record["type"], record["value"], record["start"], record["end"], unit)

    def holds_first(self, asked: Asked) -> bool:
        """Return whether the quote stands nowhere before: a student finds it again by its words."""
        return self.text.find(self.text[asked.start : asked.end]) == asked.start

    @cache  # noqa: B019 - a reading lives as long as its document is asked about
    def tells(self, surface: str) -> bool:
        """Return whether the report holds this wording, whatever its case and accents.

        Of a short acronym the case counts, else "les" would be a lupus (LES) in every report.
        """
        if len(surface) <= 4 and surface.isupper():
            return mentions(self.text, surface)
        return mentions(self.folded, fold(surface))

    def of(self, *types: str) -> list[Fact]:
        """Return the facts of some types, in order."""
        return [fact for fact in self.facts if fact.type in types]

    def quotable(self, *types: str) -> list[Fact]:
        """Return those that lie in one unit; of every type where none is named."""
        return [fact for fact in self.facts if fact.unit != NOWHERE and (not types or fact.type in types)]

    def quote(self, fact: Fact) -> str:
        """Return the unit a fact stands in."""
        return self.text[slice(*self.units[fact.unit])]

    def ask(self, kinds: tuple[Kind, ...], fact: Fact, form: str = "plain", hole: str = "", value: str = "") -> Asked:
        """Return the question whose answer is one fact."""
        return Asked(kinds, fact.type, form, (value or fact.value,), hole, *self.units[fact.unit])


@cache
def find_scenario(name: str) -> Scenario:
    """Return a scenario by its id."""
    return next(scenario for scenario in load_knowledge().scenarios if scenario.id == name)


def list_questions(reading: Reading) -> Iterator[Asked]:
    """Yield all that may be asked about a report and justified by words that stand in it once."""
    vague = {fold(surface) for surface in read_terms()["vague"]}
    for asked in _list_determined(reading):
        if reading.holds_first(asked) and not vague & set(map(fold, asked.right)):
            yield asked


def _list_determined(reading: Reading) -> Iterator[Asked]:
    yield from _ask_single(reading)
    yield from _ask_prescriptions(reading, "treatment", "dose")
    yield from _ask_prescriptions(reading, "entry-treatment", "entry-dose")
    yield from _ask_labs(reading)
    yield from _ask_findings(reading)
    yield from _ask_dates(reading)
    for kind in LISTS:
        yield from _ask_several(reading, kind)


def _ask_single(reading: Reading) -> Iterator[Asked]:
    """Ask for one fact among others that are not in the report; openly, where the report has one only."""
    for fact in reading.quotable():
        if fact.type == "diagnosis":
            yield reading.ask(OPEN, fact)
        elif fact.type in ("allergy", "germ", "stopped", "implant"):
            alone = all(_is_same(fact, other) for other in reading.of(fact.type))
            yield reading.ask(OPEN if alone else CLOSED, fact)
        elif fact.type in ("treatment", "entry-treatment", "procedure", "antecedent", "follow-up"):
            yield reading.ask(CLOSED, fact)


def _is_same(one: Fact, other: Fact) -> bool:
    return fold(other.value) in fold_siblings(one.value)


def _ask_prescriptions(reading: Reading, drugs: str, doses: str) -> Iterator[Asked]:
    """Ask for a drug by its dose or posology, and for the dose of a drug, where the section has one such only."""
    lines = [(drug, dose) for drug in reading.quotable(drugs) for dose in reading.of(doses) if dose.unit == drug.unit]
    everywhere = reading.of("dose", "entry-dose")
    for drug, dose in lines:
        if sum(other.value == dose.value for _, other in lines) == 1:
            yield reading.ask(OPEN, drug, "dose", dose.value)
        posology = _find_posology(reading, drug)
        if posology and sum(posology in reading.quote(other) for other, _ in lines) == 1:
            yield reading.ask(OPEN, drug, "posology", posology)
        same = [other for fact, other in lines if _is_same(drug, fact)]
        names = [fact for fact in reading.of("treatment", "entry-treatment") if _is_same(drug, fact)]
        elsewhere = {one.value for one in everywhere for fact in names if one.unit == fact.unit}
        if len({one.value for one in same}) == 1 and len(elsewhere) == 1:
            form = "plain" if doses == "dose" else "entry"
            yield reading.ask(OPEN, dose._replace(type="dose"), form, drug.value)


def _find_posology(reading: Reading, drug: Fact) -> str:
    quote = reading.quote(drug)
    found = [posology for posology in list_posologies() if posology in quote and posology not in drug.value]
    return max(found, key=len, default="")


@cache
def list_posologies() -> tuple[str, ...]:
    """Return the posologies of the knowledge base."""
    knowledge = load_knowledge()
    lines = [line for item in knowledge.antecedents.values() for line in item.treatments]
    for scenario in knowledge.scenarios:
        lines += [*scenario.discharge, *(stop.prescription for stop in scenario.stops)]
    return tuple(dict.fromkeys(wording for line in lines for wording in spell(line.posology)))


def _ask_labs(reading: Reading) -> Iterator[Asked]:
    """Ask for the value of an analyte of which the report gives no other."""
    for fact in reading.quotable("lab"):
        analyte, value = split_lab(fact.value, reading.scenario)
        if analyte and _count_values(reading, analyte) == 1:
            yield reading.ask(OPEN, fact, hole=analyte, value=value)


def split_lab(fact: str, scenario: Scenario) -> tuple[str, str]:
    """Return the analyte's name and the value of "CRP : 95 mg/L"; twice nothing where they cannot be told apart."""
    names = [name for lab in scenario.labs for name in spell(lab.analyte) if fold(fact).startswith(fold(name))]
    for name in sorted(names, key=len, reverse=True):
        if found := _VALUE.match(fact, len(name)):
            return fact[: len(name)], found["value"]
    return "", ""


def find_lab(analyte: str, scenario: Scenario) -> Lab:
    """Return the scenario's laboratory value that goes by a name."""
    return next(lab for lab in scenario.labs if fold(analyte) in map(fold, spell(lab.analyte)))


def _count_values(reading: Reading, analyte: str) -> int:
    """Count the numbers that follow an analyte, by any of its names, within a few words."""
    names = "|".join(re.escape(fold(name)) for name in list_siblings(analyte))
    return len(re.findall(rf"(?<!\w)(?:{names})(?!\w)[^\d.,;]{{0,30}}\d", reading.folded))


def _ask_findings(reading: Reading) -> Iterator[Asked]:
    """Ask which examination found what it found."""
    for fact in reading.quotable("procedure"):
        start, end = reading.units[fact.unit]
        if found := _FINDING.match(reading.text[fact.end : end]):
            yield reading.ask(OPEN, fact, "finding", found["finding"])


def _ask_dates(reading: Reading) -> Iterator[Asked]:
    """Ask which past disease is so many years old, where one only is."""
    sinces = _SINCE.findall(reading.text)
    for fact in reading.quotable("antecedent"):
        found = _SINCE.search(reading.quote(fact))
        if found and sinces.count(found["since"]) == 1:
            yield reading.ask(OPEN, fact, "since", found["since"])


def _ask_several(reading: Reading, kind: str) -> Iterator[Asked]:
    """Ask for two to four facts that stand in units near one another."""
    facts = [next(group) for _, group in groupby(reading.quotable(kind), key=lambda fact: fold(fact.value))]
    for first, fact in enumerate(facts):
        for last in range(first + 1, min(first + 4, len(facts))):
            chosen = facts[first : last + 1]
            if chosen[-1].unit - fact.unit >= LONGEST_RUN:
                break
            if any(_is_same(one, other) for number, one in enumerate(chosen) for other in chosen[:number]):
                break
            start, end = reading.units[fact.unit][0], reading.units[chosen[-1].unit][1]
            yield Asked(("qrm",), kind, "plain", tuple(one.value for one in chosen), "", start, end)
