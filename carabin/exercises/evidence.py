"""Evidence: how the words of a report must stand before a question of a type may be asked of them.

A small student takes a heading for a drug and a duration for a disease. What can be told from the writing alone is not
left to it: a dose is a measure right behind a name, a past disease stands among past diseases, an answer is one whole
phrase that nothing denies. Among what passes, the student chooses. The cues are those of French hospital notes; of a
unit that shows none, nothing is asked.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from carabin.exercises import cues
from carabin.exercises.boundaries import MARKS, NEAR, begins, ends, follows_to, is_bare, is_phrase
from carabin.exercises.parts import ASKED, FOREIGN, Parts
from carabin.exercises.units import Unit
from carabin.exercises.wording import fold, mentions
from carabin.generation.negations import read_polarity
from carabin.generation.quantities import Measure, find_measures, is_frequency
from carabin.generation.units import FORMS_OF_DRUGS, UNITS

Place = tuple[int, int]
"""First code point, one past the last."""


class Evidence:
    """What a report shows, read once for all its windows."""

    def __init__(self, text: str, units: Sequence[Unit], body: int) -> None:
        """Read a report.

        Args:
            text: The report.
            units: Its lines and sentences.
            body: Where it begins to tell.
        """
        self.text = text
        self.parts = Parts(text, units, body)
        self._shown: dict[Unit, Shown] = {}

    @cached_property
    def _denied(self) -> list[Place]:
        return [(denied.start, denied.end) for denied in read_polarity(self.text).denied]

    def of(self, unit: Unit) -> Shown:
        """Return what a unit shows; a title shows nothing."""
        if unit not in self._shown:
            start, end = unit
            told = "" if self.parts.is_title(unit) else self.text[start:end]
            inside = self._denied[bisect_left(self._denied, (start, start)) : bisect_left(self._denied, (end, end))]
            self._shown[unit] = Shown(
                told, self.parts.of(unit), [(first - start, last - start) for first, last in inside]
            )
        return self._shown[unit]

    def is_told_twice(self, named: str, unit: Unit) -> bool:
        """Return whether the part of the report that a unit stands in holds words again: they name no one thing."""
        told, folded = self.parts.folded[self.parts.of(unit)], fold(named)
        first = told.find(folded)
        return first >= 0 and mentions(told[first + len(folded) :], folded)


class Shown:
    """What one unit shows; places count in the unit."""

    def __init__(self, text: str, part: str, denied: Sequence[Place]) -> None:
        """Hold a unit.

        Args:
            text: Of the unit.
            part: Of the report, empty if that is not known.
            denied: What of it the report denies.
        """
        self.text, self.part, self.denied = text, part, denied
        self.folded = fold(text)

    @cached_property
    def measures(self) -> list[Measure]:
        """Its numbers with their units."""
        return find_measures(self.text)

    @cached_property
    def _amounts(self) -> list[Measure]:
        """How much there is of a drug in what is taken: `500 mg`, `20/100 µg`."""
        in_a_form = any(map(_is_count, self.measures)) or bool(cues.FORM.search(self.folded))
        return [
            one
            for one in self.measures
            if not (_is_count(one) or is_frequency(one))
            and (one.dose or one.unit == "share" or (in_a_form and "/" in one.unit))
        ]

    @cached_property
    def _findings(self) -> frozenset[int]:
        return frozenset(found.end() for found in cues.FINDING.finditer(self.text))

    def asks(self, asks: str) -> bool:
        """Return whether the unit may be quoted for a type."""
        if not self.text or self.part in FOREIGN[asks]:
            return False
        return self.part in ASKED.get(asks, ()) or asks not in cues.CUE or bool(cues.CUE[asks].search(self.folded))

    def may_answer(self, asks: str, start: int, end: int) -> bool:
        """Return whether words of the unit may answer a type."""
        if not self.asks(asks) or any(first <= start < stop for first, stop in self.denied):
            return False
        return _ANSWERS[asks](self, start, end)

    def may_name(self, asks: str, template: str, start: int, end: int, answer: Place) -> bool:
        """Return whether a question may name these words.

        Args:
            asks: Type of the answer.
            template: The question, folded.
            start: Of the words.
            end: One past the last.
            answer: Place of the answer.
        """
        first, last = answer
        if asks == "dose":
            return self._is_name(start, end, first)
        if asks == "lab":
            return self._is_name(start, end, first, cues.JOINT) and not cues.VITAL.match(fold(self.text[start:end]))
        if asks in ("treatment", "entry-treatment"):
            return start >= last and self._is_posology(template, start, end)
        if asks == "procedure":
            return start >= last and self._is_finding(start, end)
        if asks == "antecedent":
            return any((one.start, one.end) == (start, end) and one.unit == "month" for one in self.measures)
        return True

    def _is_words(self, start: int, end: int) -> bool:
        return is_phrase(self.text, start, end) and not self._has_measure(start, end)

    def _has_measure(self, start: int, end: int) -> bool:
        return any(one.start < end and start < one.end and one.unit for one in self.measures)

    def _is_dose(self, start: int, end: int) -> bool:
        return any(
            one.start == start and _ends_amount(one, end, self.text) for one in self._amounts
        ) and self._is_named(start)

    def _is_named(self, measure: int) -> bool:
        """Return whether a name stands right before a measure."""
        before = self.text[max(0, measure - NEAR) : measure]
        name = before[: cues.JOINT.search(before).start()]  # type: ignore[union-attr]
        return name[-1:].isalnum() and any(map(str.isalpha, name[-8:]))

    def _is_name(self, start: int, end: int, measure: int, joint: re.Pattern[str] = cues.TIGHT) -> bool:
        """Return whether words are the name right before a measure: no form of a drug, no list."""
        name = self.text[start:end]
        if end > measure or not joint.fullmatch(self.text, end, measure) or "," in name:
            return False
        whole = name.split()[0].casefold() not in UNITS and not cues.FORM.match(fold(name))
        return (
            whole and is_bare(self.text, start, end) and begins(self.text, start) and not self._has_measure(start, end)
        )

    def _is_drug(self, start: int, end: int) -> bool:
        """Return whether words are the name of what is taken: right before a dose, or behind words that say so."""
        if cues.CUE["stopped"].search(self.folded):
            return False
        doses = [*self._amounts, *(one for one in self.measures if _is_count(one))]
        if doses:
            return any(self._is_name(start, end, dose.start) for dose in doses)
        return self._is_words(start, end) and bool(cues.TAKEN.search(self.text, max(0, start - NEAR), start))

    def _is_value(self, start: int, end: int) -> bool:
        found = next((one for one in self.measures if (one.start, one.end) == (start, end)), None)
        if found is None or found.form != "single" or found.dose or found.unit in cues.NO_RESULT:
            return False
        return bool(found.unit or self.part == "results") and self._is_named(start)

    def _is_exam(self, start: int, end: int) -> bool:
        """Return whether words name an examination: by what it is called, or as an acronym that has found something."""
        name = self.text[start:end]
        dated = cues.DATED.match(self.text, end)
        named = cues.EXAM.match(fold(name)) or (name.isupper() and dated and cues.SHOWS.match(self.text, dated.end()))
        told = cues.FINDING.search(self.text, end) or cues.MADE.search(self.folded)
        return bool(named and told) and self._is_words(start, end)

    def _is_disease(self, start: int, end: int) -> bool:
        name = fold(self.text[start:end])
        if "," in name or self._amounts or any(kind.match(name) for kind in (cues.NO_DISEASE, cues.EXAM, cues.PLAN)):
            return False
        labels = self.text[end : end + 2].lstrip().startswith(":")
        return not labels and not cues.KIN.search(self.folded) and self._is_words(start, end)

    def _is_germ(self, start: int, end: int) -> bool:
        named = cues.GERM.match(self.text[start:end]) and (
            cues.FINDING.search(self.text) or cues.INFECTED.search(self.folded)
        )
        return bool(named) and self._is_words(start, end)

    def _is_implant(self, start: int, end: int) -> bool:
        """Return whether words name a device; what it is of and where it lies may follow, so they may end before."""
        named = cues.IMPLANT.match(fold(self.text[start:end])) and not cues.TAKEN_OUT.search(self.folded)
        return bool(named) and begins(self.text, start) and not self._has_measure(start, end)

    def _is_plan(self, start: int, end: int) -> bool:
        name = fold(self.text[start:end])
        return (
            bool(cues.PLAN.match(name) or cues.EXAM.match(name)) and begins(self.text, start) and ends(self.text, end)
        )

    def _is_substance(self, start: int, end: int) -> bool:
        named = fold(self.text[start:end])
        if cues.NOTHING.match(self.folded) or cues.CUE["allergy"].match(named) or self._has_measure(start, end):
            return False
        begun = begins(self.text, start) or follows_to(self.text, start)
        return begun and ends(self.text, end) and is_bare(self.text, start, end)

    def _is_stopped(self, start: int, end: int) -> bool:
        """Return whether words stand right before the word that says so, or right behind it."""
        said = cues.STOPPED.match(self.text, end) or cues.STOPPING.search(self.text, max(0, start - NEAR), start)
        return bool(said) and self._is_words(start, end)

    def _is_posology(self, template: str, start: int, end: int) -> bool:
        """Return whether words say the dose, where the question asks by it, or else how the drug is taken."""
        if "dos" in template and "posologie" not in template:
            return self._is_dose(start, end)
        begun = (one.start == start and (_is_count(one) or not one.unit or is_frequency(one)) for one in self.measures)
        return any(begun) and ends(self.text, end)

    def _is_finding(self, start: int, end: int) -> bool:
        return start in self._findings and not self.text[end:].strip(MARKS + ".")


def _is_count(measure: Measure) -> bool:
    return measure.unit.split("/")[0] in FORMS_OF_DRUGS


def _ends_amount(measure: Measure, end: int, text: str) -> bool:
    """Return whether an amount ends at a place, how often it is taken left out: `1 g` of `1 g x 3/j`."""
    if measure.times is None:
        return measure.end == end
    return end < measure.end and any(one.end == end - measure.start for one in find_measures(text[measure.start : end]))


_ANSWERS: Mapping[str, Callable[[Shown, int, int], bool]] = {
    "diagnosis": Shown._is_disease,  # noqa: SLF001
    "antecedent": Shown._is_disease,  # noqa: SLF001
    "allergy": Shown._is_substance,  # noqa: SLF001
    "treatment": Shown._is_drug,  # noqa: SLF001
    "entry-treatment": Shown._is_drug,  # noqa: SLF001
    "stopped": Shown._is_stopped,  # noqa: SLF001
    "dose": Shown._is_dose,  # noqa: SLF001
    "lab": Shown._is_value,  # noqa: SLF001
    "procedure": Shown._is_exam,  # noqa: SLF001
    "germ": Shown._is_germ,  # noqa: SLF001
    "implant": Shown._is_implant,  # noqa: SLF001
    "follow-up": Shown._is_plan,  # noqa: SLF001
}
