"""Numbers of a French note with their units: `1 g` is `1000 mg`, `0,5` is `0.5`, `trois fois par jour` is `x 3/j`.

What is read: decimal commas and points, spaces between thousands, numbers in words before a unit, ranges (`3 à 5
jours`), pairs (`114/84 mmHg`, `9/10`), schedules (`1-0-1`), units over units (`mg/kg/j`, `4 mg/0,4 mL`), times of day
(`8h30`), how often (`x 3/j`, `matin et soir`, `toutes les 8 h`). A value is kept in the base of its unit's dimension.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from carabin.generation.units import CASED, DAY, FORMS_OF_DRUGS, UNITS
from carabin.pseudonyms.number_words import WORDS, read_number

Form = Literal["single", "range", "pair", "schedule"]

_PER = frozenset(("time", "month", "area", "mass", ""))
"""A mass or an activity over one of these is a dose (`mg/kg/j`); over a volume it is a concentration."""

_B = r"[^\S\n]"
_NUMBER = r"(?:[0-9]{1,3}(?:[\u00a0\u202f ][0-9]{3})+(?![0-9])|[0-9]+)(?:[.,][0-9]+)?"
_WORD = "(?:" + "|".join(sorted(WORDS, key=len, reverse=True)) + ")"
_WORDS = rf"\b(?!et\b){_WORD}(?:[ -]{_WORD}){{0,6}}\b"
_UNIT = "(?:" + "|".join(re.escape(name) for name in sorted(UNITS, key=len, reverse=True)) + ")"
_END = r"(?![^\W_])"
_OVER = rf"(?:(?:{_B}?/{_B}?|{_B}par{_B})(?:{_NUMBER}{_B}?)?{_UNIT}{_END})"
_BEFORE = r"(?<![\w])(?<![0-9][.,])"

_CLOCK = re.compile(rf"{_BEFORE}(?P<h>[01]?[0-9]|2[0-4]){_B}?h{_B}?(?P<m>[0-5][0-9]){_END}", re.IGNORECASE)
_SCHEDULE = re.compile(rf"{_BEFORE}[0-9]+(?:-[0-9]+){{2,}}{_END}")
_PERIOD = rf"(?P<per>24{_B}?h(?:eures?)?|jours?|j|semaines?|sem|mois|heures?|h|ans?){_END}"
_OFTEN = re.compile(
    rf"(?:{_BEFORE}(?P<n>{_NUMBER})|(?P<w>{_WORDS})){_B}?(?:fois|x|×|prises?)?{_B}?(?:/{_B}?|(?<!/)par{_B}){_PERIOD}",
    re.IGNORECASE,
)
_EVERY = re.compile(
    rf"\btou(?:te)?s{_B}les{_B}(?:(?P<n>{_NUMBER})|(?P<w>{_WORDS}))?{_B}?(?P<per>heures|h|jours|j|semaines|mois|ans){_END}",
    re.IGNORECASE,
)
_HOURS = re.compile(
    rf"\bmatin(?P<noon>,?{_B}(?:le{_B})?midi)?(?:,|{_B}et)?{_B}(?:le{_B})?soir\b(?P<bed>(?:,|{_B}et){_B}(?:au{_B})?coucher\b)?",
    re.IGNORECASE,
)
_MEASURE = re.compile(
    rf"(?:{_BEFORE}(?P<a>{_NUMBER})(?:(?P<join>{_B}?[-–—/]{_B}?|{_B}(?:à|ou){_B})(?P<b>{_NUMBER})(?![0-9]))?|(?P<w>{_WORDS}))"
    rf"(?:{_B}{{0,2}}(?P<unit>{_UNIT}){_END})?(?P<over>{_OVER}{{0,3}})",
    re.IGNORECASE,
)
_PART = re.compile(rf"(?:/|par){_B}?(?P<n>{_NUMBER})?{_B}?(?P<unit>{_UNIT})", re.IGNORECASE)
_NAME = re.compile(r"[^\W\d_]-\Z")
"""Before a number that is part of a name: `IL-17`, `COVID-19`."""
_GOUT = re.compile(r"\s+(?:aig|chron|tophac|(?:poly|mono)?articul)", re.IGNORECASE)
"""Behind `une goutte` that is a disease."""
_LIST_MARK = re.compile(r"[.)](?:\s|\Z)")
_JOINS = re.compile(rf"(?:{_B}|,)*(?:[x×*]{_B}*)?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Measure:
    """A number, or several that belong together, as a text writes it.

    Attributes:
        start: First code point.
        end: One past the last.
        form: What the values are to one another.
        values: In the base of the dimension.
        unit: Dimension, over dimensions: `mass`, `mass/volume`, `/time` for how often, empty for a bare number.
        dose: Is it how much of a drug is taken?
        times: How often it is taken, in `/time` or `/month`, where the text says so right behind: `1 g x 3/j`.
    """

    start: int
    end: int
    form: Form
    values: tuple[Fraction, ...]
    unit: str
    dose: bool = False
    times: tuple[Fraction, str] | None = None


def find_measures(text: str, taken: bytearray | None = None) -> list[Measure]:
    """Return the numbers of a text, sorted, never overlapping.

    Args:
        text: Any.
        taken: One byte a code point, true where a number was read as something else (a date).
    """
    free = bytearray(len(text)) if taken is None else bytearray(taken)
    found: list[Measure] = []
    for find in (_find_clocks, _find_schedules, _find_frequencies, _find_amounts):
        for measure in find(text):
            if not any(free[measure.start : measure.end]):
                free[measure.start : measure.end] = b"\1" * (measure.end - measure.start)
                found.append(measure)
    return _join_frequencies(text, sorted(found, key=lambda measure: measure.start))


def is_frequency(measure: Measure) -> bool:
    """Tell whether a measure says how often, not how much."""
    return measure.form == "single" and measure.unit in ("/time", "/month")


def _find_clocks(text: str) -> Iterator[Measure]:
    for match in _CLOCK.finditer(text):
        yield Measure(*match.span(), "single", (Fraction(int(match["h"]) * 60 + int(match["m"])),), "time")


def _find_schedules(text: str) -> Iterator[Measure]:
    for match in _SCHEDULE.finditer(text):
        yield Measure(*match.span(), "schedule", tuple(Fraction(n) for n in match[0].split("-")), "")


def _find_frequencies(text: str) -> Iterator[Measure]:
    for match in _OFTEN.finditer(text):
        number = _read(match["n"], match["w"])
        if number is not None:
            dimension, base = UNITS["j" if match["per"].startswith("24") else match["per"].casefold()]
            yield Measure(*match.span(), "single", (number / base,), f"/{dimension}", dose=True)
    for match in _EVERY.finditer(text):
        number = _read(match["n"], match["w"]) if match["n"] or match["w"] else Fraction(1)
        if number:
            dimension, base = UNITS[match["per"].casefold()]
            yield Measure(*match.span(), "single", (1 / (number * base),), f"/{dimension}", dose=True)
    for match in _HOURS.finditer(text):
        number = Fraction(2 + bool(match["noon"]) + bool(match["bed"]), DAY)
        yield Measure(*match.span(), "single", (number,), "/time", dose=True)


def _find_amounts(text: str) -> Iterator[Measure]:
    for match in _MEASURE.finditer(text):
        unit, over = match["unit"], match["over"]
        if match["w"]:
            # In words only before a unit that is a word too: "un" is an article, "un DL" no decilitre.
            spelled = unit is not None and (len(unit) > 2 or unit.casefold() == "an")
            spelled = spelled and not (unit.casefold() == "goutte" and _GOUT.match(text, match.end()))
            values = [] if not spelled else [_read(None, match["w"])]
        else:
            values = [_read(match["a"], None), *([_read(match["b"], None)] if match["b"] else [])]
            if not unit and not over and not _stands_alone(text, match):
                continue
        if not values or None in values:
            continue
        dimension, base, dose = _dimension(unit, over)
        form: Form = "single" if len(values) == 1 else "pair" if "/" in match["join"] else "range"
        scaled = tuple(Fraction(value) * base for value in values if value is not None)
        yield Measure(*match.span(), form, scaled, dimension, dose)


def _stands_alone(text: str, match: re.Match[str]) -> bool:
    """Tell whether a bare number is one: not the head of `3ème`, nor a part of a name or the mark of a list's item."""
    after = text[match.end() : match.end() + 1]
    if after and (after.isalnum() or after == "_"):
        return False
    if _NAME.search(text, max(match.start() - 2, 0), match.start()):
        return False
    line = text.rfind("\n", 0, match.start()) + 1
    return bool(text[line : match.start()].strip()) or not _LIST_MARK.match(text, match.end())


def _dimension(unit: str | None, over: str) -> tuple[str, Fraction, bool]:
    """Return the dimension, the base's factor, and whether that is how much of a drug is taken."""
    if unit and (cased := CASED.get((unit + over).replace(" ", "")) or (CASED.get(unit) if not over else None)):
        return *cased, cased[0] == "activity"
    name, factor = UNITS[unit.casefold()] if unit else ("", Fraction(1))
    if name == "beats":
        name, over = "", "/min"
    dose = name in FORMS_OF_DRUGS or name == "activity" or (name == "mass" and factor < 10**12)
    dose = dose or (name == "volume" and factor == 10**6 and not over)
    parts, explicit = [], False
    for part in _PART.finditer(over):
        below, base = UNITS[part["unit"].casefold()]
        number = _read(part["n"], None) if part["n"] else Fraction(1)
        factor /= base * (number or 1)
        explicit |= below == "volume" and part["n"] is not None
        parts.append(below)
    dose = dose and all(below in _PER or explicit for below in parts)
    return "/".join([name, *sorted(parts)]), factor, dose


def _join_frequencies(text: str, measures: list[Measure]) -> list[Measure]:
    """Make one of a dose and of how often it is taken, where the one stands right behind the other."""
    joined: list[Measure] = []
    for measure in measures:
        last = joined[-1] if joined else None
        if last and is_frequency(measure) and last.dose and last.times is None and not is_frequency(last):
            if _JOINS.match(text[last.end : measure.start]):
                times = measure.values[0], measure.unit
                joined[-1] = Measure(last.start, measure.end, last.form, last.values, last.unit, True, times)
                continue
        joined.append(measure)
    return joined


def _read(digits: str | None, words: str | None) -> Fraction | None:
    if digits is None:
        number = read_number(words or "")
        return None if number is None else Fraction(number)
    return Fraction(re.sub(r"\s", "", digits).replace(",", "."))
