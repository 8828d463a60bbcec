"""Does a report say what was written of it? Numbers, doses, drugs and negations of a text, against its source.

A claim is supported where the source makes the same one:

- a **number** (a date, a score, a laboratory value) where the source has the same value in the same unit, however it is
  written: `0,5` is `0.5`, `1 g/L` is `100 mg/dL`, `octobre 2022` is said by `27/10/2022`; an age follows from a date of
  birth and another date;
- a **dose**, the same, with how often it is taken where the text says so: `1 g x 3/j` is `1000 mg trois fois par jour`;
- a **drug** where the source names it, whatever the case and the accents;
- a **negation** where the source denies the same thing. `pas d'embolie pulmonaire` follows from `pas d'embolie`; it
  does not where the source also speaks of one. And what the source only denies, a text must not affirm: that is a
  negation that was lost, reported as an unsupported claim of the same kind.

A text always supports itself. Words are compared, not meanings: a figure here is a floor under what a reader would
find, quick and the same every time. Drugs are found by name in a set that the caller brings; a brand does not support
its substance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from carabin.exercises.wording import fold
from carabin.generation.negations import Polarity, is_empty, read_polarity
from carabin.generation.quantities import Measure, find_measures, is_frequency
from carabin.pseudonyms.date_forms import BIRTH_CUE
from carabin.pseudonyms.dates import WrittenDate, find_dates
from carabin.tokens.words import find_words

ClaimKind = Literal["number", "dose", "drug", "negation"]
KINDS: tuple[ClaimKind, ...] = ("number", "dose", "drug", "negation")
_DAY = Fraction(1, 24 * 60)


@dataclass(frozen=True, slots=True)
class Claim:
    """Something a text says that its source must say too.

    Attributes:
        kind: What it is about.
        surface: The text's words.
        start: Where they stand, first code point.
        end: One past the last.
        meaning: What is compared: a measure, a date, a drug's folded name, the stems of what is denied.
        denied: Of a `negation`: does the text deny the thing, or affirm what its source denies?
    """

    kind: ClaimKind
    surface: str
    start: int
    end: int
    meaning: Measure | WrittenDate | tuple[str, ...] = field(repr=False, compare=False)
    denied: bool = True


def find_claims(text: str, drugs: frozenset[str] = frozenset()) -> list[Claim]:
    """Return what a text claims, sorted by start.

    Args:
        text: Any.
        drugs: Names of drugs, as any text may spell them.
    """
    return _claims(text, drugs, read_polarity(text))


def unsupported(output: str, source: str, drugs: frozenset[str] = frozenset()) -> list[Claim]:
    """Return the claims of a text that its source does not support, sorted by start."""
    return [claim for claim, supported in Evidence(source, drugs).judge(output) if not supported]


class Evidence:
    """A source, read once, that texts are held against."""

    def __init__(self, source: str, drugs: frozenset[str] = frozenset()) -> None:
        """Read what a source says.

        Args:
            source: The report.
            drugs: Names of drugs; those that are not among them are not looked for.
        """
        self._drugs = drugs
        self._polarity = read_polarity(source)
        claims = _claims(source, drugs, self._polarity)
        self._named = {claim.meaning for claim in claims if claim.kind == "drug"}
        self._dates = [claim.meaning for claim in claims if isinstance(claim.meaning, WrittenDate)]
        self._denied = {denied.stems for denied in self._polarity.denied}
        self._absent = {d.stems for d in self._polarity.denied if d.thing and not is_empty(d.stems)}
        self._amounts: set[tuple[object, ...]] = set()
        self._often: set[tuple[int, tuple[Fraction, str]]] = set()
        """How often, and on which line: `20 mg, comprimé : 1 comprimé deux fois par jour`."""
        self._lines: dict[tuple[object, ...], set[int]] = {}
        self._values: set[Fraction] = set()
        for claim in claims:
            if isinstance(claim.meaning, Measure):
                self._add(claim.meaning, source.count("\n", 0, claim.start))
        for months in _ages(source, self._dates):
            self._amounts.add(("single", (Fraction(months),), "month"))

    def _add(self, measure: Measure, line: int) -> None:
        amount = _amount(measure)
        self._amounts.add(amount)
        self._lines.setdefault(amount, set()).add(line)
        self._values.update(measure.values)
        times = (measure.values[0], measure.unit) if is_frequency(measure) else measure.times
        if times is not None:
            self._often.add((line, times))
            self._amounts.add(("single", (times[0],), times[1]))
        if measure.times is not None:
            total = tuple(value * measure.times[0] for value in measure.values)
            self._amounts.add((measure.form, total, measure.unit + measure.times[1]))

    def judge(self, output: str) -> list[tuple[Claim, bool]]:
        """Return a text's claims, and whether the source supports each; sorted by start.

        What the source denies and the text affirms is among them: supported where the source affirms it too.
        """
        polarity = read_polarity(output)
        judged = [(claim, self._supports(claim)) for claim in _claims(output, self._drugs, polarity)]
        judged += [(claim, self._affirms(claim.meaning)) for claim in self._affirmations(output, polarity)]  # type: ignore[arg-type]
        return sorted(judged, key=lambda pair: (pair[0].start, pair[0].end))

    def _supports(self, claim: Claim) -> bool:
        meaning = claim.meaning
        if isinstance(meaning, Measure):
            return self._measured(meaning)
        if isinstance(meaning, WrittenDate):
            return any(_says_date(date, meaning) for date in self._dates)
        return meaning in self._named if claim.kind == "drug" else self._denies(meaning)

    def _measured(self, measure: Measure) -> bool:
        amount = _amount(measure)
        if measure.times is None:
            bare = measure.form == "single" and not measure.unit
            return amount in self._amounts or (bare and measure.values[0] in self._values)
        if any((line, measure.times) in self._often for line in self._lines.get(amount, ())):
            return True
        # Once a day is said as `40 mg par jour` too.
        daily = (measure.form, tuple(value * _DAY for value in measure.values), f"{measure.unit}/time")
        return measure.times == (_DAY, "/time") and daily in self._amounts

    def _denies(self, stems: tuple[str, ...]) -> bool:
        if stems in self._denied:
            return True
        akin = any(other[0] == stems[0] and _nested(stems, other) for other in self._denied)
        return akin and not self._affirms(stems)

    def _affirms(self, stems: tuple[str, ...]) -> bool:
        return next(self._polarity.find_affirmed(stems), None) is not None

    def _affirmations(self, output: str, polarity: Polarity) -> Iterator[Claim]:
        for stems in self._absent:
            for start, end in polarity.find_affirmed(stems):
                yield Claim("negation", output[start:end], start, end, stems, denied=False)


def _claims(text: str, drugs: frozenset[str], polarity: Polarity) -> list[Claim]:
    taken = bytearray(len(text))
    found = []
    for date in find_dates(text):
        taken[date.start : date.end] = b"\1" * (date.end - date.start)
        found.append(Claim("number", text[date.start : date.end], date.start, date.end, date))
    for start, end, name in _find_drugs(text, drugs):
        # The numbers of a name ("CALCIDOSE 500") are its name.
        taken[start:end] = b"\1" * (end - start)
        found.append(Claim("drug", text[start:end], start, end, name))
    for measure in find_measures(text, taken):
        kind: ClaimKind = "dose" if measure.dose else "number"
        found.append(Claim(kind, text[measure.start : measure.end], measure.start, measure.end, measure))
    for denied in polarity.denied:
        found.append(Claim("negation", text[denied.start : denied.end], denied.start, denied.end, denied.stems))
    return sorted(found, key=lambda claim: (claim.start, claim.end))


def _ages(text: str, dates: list[WrittenDate]) -> set[int]:
    """Return the ages, in months, at each date of a text that says when its patient was born.

    Whole years from the first birthday on, and whole months below two years, as infants' ages are written.
    """
    whole = [date for date in dates if date.year and date.month and date.day]
    born = [date for date in whole if BIRTH_CUE.search(text, max(date.start - 40, 0), date.start)]
    ages = {_months(birth, date) for birth in born for date in whole}
    return {age for age in ages if 0 < age < 24} | {age - age % 12 for age in ages if age >= 12}


def _months(birth: WrittenDate, date: WrittenDate) -> int:
    """Return how many whole months lie between two dates that say year, month and day."""
    years, months = (date.year or 0) - (birth.year or 0), (date.month or 0) - (birth.month or 0)
    lived = 12 * years + months - ((date.day or 0) < (birth.day or 0))
    # Nobody is born after a visit: a year of two digits was read a century late (`12/03/31`).
    return lived + 1200 if lived < 0 and birth.end - birth.start <= len("12/03/31") else lived


def _find_drugs(text: str, drugs: frozenset[str]) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    """Yield the drugs of a text, the longest name first where one begins another."""
    if not drugs:
        return
    index, words = _index_drugs(drugs), find_words(text).tolist()
    folded = [fold(text[start:end]) for start, end in words]
    number = 0
    while number < len(words):
        names = index.get(folded[number], ())
        name = next((name for name in names if tuple(folded[number : number + len(name)]) == name), None)
        if name is None:
            number += 1
            continue
        yield words[number][0], words[number + len(name) - 1][1], name
        number += len(name)


@lru_cache(maxsize=4)
def _index_drugs(drugs: frozenset[str]) -> Mapping[str, tuple[tuple[str, ...], ...]]:
    """Return the names, folded and cut into words, by their first word, the longest first."""
    index: dict[str, set[tuple[str, ...]]] = {}
    for drug in drugs:
        name = tuple(fold(drug[start:end]) for start, end in find_words(drug).tolist())
        if name:
            index.setdefault(name[0], set()).add(name)
    return {first: tuple(sorted(names, key=lambda name: (-len(name), name))) for first, names in index.items()}


def _amount(measure: Measure) -> tuple[object, ...]:
    return measure.form, measure.values, measure.unit


def _says_date(source: WrittenDate, claimed: WrittenDate) -> bool:
    """Tell whether one date says all that another does: `27/10/2022` says `octobre 2022`."""
    pairs = ((claimed.year, source.year), (claimed.month, source.month), (claimed.day, source.day))
    return all(wanted is None or wanted == there for wanted, there in pairs)


def _nested(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return set(one) <= set(other) or set(other) <= set(one)
