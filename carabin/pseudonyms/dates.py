"""Dates found, read, moved and written again in the form they had.

A patient's dates all move by the same whole number of weeks: intervals hold to the day, ages hold, and a Monday stays a
Monday. What says only a month or a year moves as its middle does.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from carabin.pseudonyms.date_forms import BIRTH_CUE, FORMS, MONTHS, SHORT_MONTHS, mended, values
from carabin.pseudonyms.number_words import write_number
from carabin.pseudonyms.spans import Proof, Span

_SHARED_MONTH = re.compile(
    r"(?<![0-9A-Za-z/.,])(?P<d>1er|[0-9]{1,2})\s*(?:au|et|ou|à|,|-|–|/)\s*(?:le\s+)?$", re.IGNORECASE
)
_SHARES = re.compile(r"(?:\b(?:du|les?|entre le|dès le)\s+|\b(?:1er|[0-9]{1,2}),\s*)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class WrittenDate:
    """A date as a text writes it.

    Attributes:
        start: First code point.
        end: One past the last.
        year: None where the text does not say; likewise month and day.
        month: 1 to 12.
        day: 1 to 31.
        places: Where each of `y`, `m`, `b` (a month's name), `d` and `s8` stands in the text.
        proof: How sure it is a date.
        month_of: The next date, whose month this day shares: 15 March for the 12 of "du 12 au 15 mars".
    """

    start: int
    end: int
    year: int | None
    month: int | None
    day: int | None
    places: Mapping[str, tuple[int, int]]
    proof: Proof = Proof.CHECKED
    month_of: WrittenDate | None = None


def find_dates(text: str) -> list[WrittenDate]:
    """Return the dates of a text, sorted, never overlapping."""
    taken = bytearray(len(text))
    found = []
    for form in FORMS:
        for match in form.pattern.finditer(text):
            if taken.find(1, match.start(), match.end()) >= 0:
                continue
            proof = form.accept(text, match)
            written = _written(match, 0, proof) if proof is not None else None
            if written is not None:
                taken[written.start : written.end] = b"\1" * (written.end - written.start)
                found.append(written)
    found += [first for written in found for first in _sharing(text, written, taken)]
    return sorted(found, key=lambda written: written.start)


def date_spans(text: str, dates: Sequence[WrittenDate]) -> Iterator[Span]:
    """Yield a span for each date: DATE_NAISSANCE where the words before say so."""
    for written in dates:
        born = BIRTH_CUE.search(text, max(written.start - 40, 0), written.start)
        yield Span(written.start, written.end, "DATE_NAISSANCE" if born else "DATE", written.proof)


def read_date(text: str, start: int, end: int) -> WrittenDate | None:
    """Return the one date that a span holds, with whatever words beside it; None if none or several can be read."""
    surface = text[start:end]
    for form in FORMS:
        match = form.pattern.fullmatch(surface)
        if match and (written := _written(match, start, Proof.MODEL)):
            return written
    matches = [match for form in FORMS for match in form.pattern.finditer(surface)]
    longest = max(matches, key=lambda match: match.end() - match.start(), default=None)
    if longest is None or re.search(r"[0-9]", surface[: longest.start()] + surface[longest.end() :]):
        return None
    return _written(longest, start, Proof.MODEL)


def _written(match: re.Match[str], shift: int, proof: Proof) -> WrittenDate | None:
    found = mended(*values(match.groupdict()))
    if found is None or not 1000 <= (found[0] or 2000) <= 2999:
        return None
    places = {
        name: (match.start(name) + shift, match.end(name) + shift)
        for name in ("y", "m", "b", "d", "s8")
        if match.groupdict().get(name) is not None
    }
    return WrittenDate(match.start() + shift, match.end() + shift, *found, places, proof)


def _sharing(text: str, last: WrittenDate, taken: bytearray) -> Iterator[WrittenDate]:
    """Yield the days before a date that share its month: 12 in "du 12 au 15 mars 2019"."""
    at = last.start
    while last.month is not None and last.day is not None:
        match = _SHARED_MONTH.search(text, max(at - 16, 0), at)
        if not match or taken[match.start()] or not 1 <= int(re.match("[0-9]+", match["d"])[0]) <= 31:  # type: ignore[index]
            return
        if not _SHARES.search(text, max(match.start() - 12, 0), match.start()):
            return
        fields = mended(last.year, last.month, int(match["d"].removesuffix("er")))
        if fields is None:
            return
        at = match.start()
        places = {**last.places, "d": match.span("d")}
        yield WrittenDate(*match.span("d"), *fields, places, Proof.CONTEXT, last)


class DateShift:
    """Moves the dates of one document."""

    def __init__(self, text: str, dates: Sequence[WrittenDate], days: int) -> None:
        """Keep the document's dates, from which a date without a year takes the nearest one's.

        Args:
            text: The document's text.
            dates: Its dates, sorted.
            days: How far to move; whole weeks keep the days of the week.
        """
        self.text = text
        self.days = timedelta(days)
        self._dates = dates
        self._starts = [written.start for written in dates]
        self._anchors = [(written.start, written.year) for written in dates if written.year and written.day]

    def moved(self, written: WrittenDate) -> date:
        """Return the day it becomes; of a month or a year, the middle."""
        month, day = written.month or 7, written.day or (15 if written.month else 1)
        year = written.year or self._year_near(written.start)
        if (month, day) == (2, 29):
            year += next(gap for gap in (0, 1, -1, 2, -2, 3, -3, 4) if _is_leap(year + gap))
        return date(year, month, day) + self.days

    def inside(self, start: int, end: int) -> list[WrittenDate]:
        """Return the document's dates that lie within a span."""
        first = bisect_left(self._starts, start)
        last = bisect_left(self._starts, end)
        return [written for written in self._dates[first:last] if written.end <= end]

    def rewrite(self, start: int, end: int) -> str | None:
        """Return a span with its dates moved and the words between them kept; None where a digit would stay."""
        inside = self.inside(start, end)
        if not inside or _has_digit(self.text, start, end, inside):
            alone = read_date(self.text, start, end)
            inside = [] if alone is None else [alone]
        if not inside:
            return None
        pieces: list[str] = []
        for written in inside:
            pieces += [self.text[start : written.start], self.write(written)]
            start = written.end
        return "".join([*pieces, self.text[start:end]])

    def write(self, written: WrittenDate) -> str:
        """Return the moved date in its own form."""
        moved = self.moved(written)
        if written.month_of is not None:
            return self._write_shared(written, written.month_of, moved)
        pieces: list[str] = []
        at = written.start
        for name, (start, end) in sorted(written.places.items(), key=lambda item: item[1]):
            pieces += [self.text[at:start], self._field(name, self.text[start:end], written, moved)]
            at = end
        return "".join([*pieces, self.text[at : written.end]])

    def _write_shared(self, written: WrittenDate, following: WrittenDate, moved: date) -> str:
        """Write a day whose month stands after the next date: with a month of its own once the two differ."""
        start, end = written.places["d"]
        day = self._field("d", self.text[start:end], written, moved)
        name = next((name for name in ("b", "m") if name in written.places), None)
        if name is None or moved.month == self.moved(following).month:
            return day
        start, end = written.places[name]
        return day + (" " if name == "b" else "/") + self._field(name, self.text[start:end], written, moved)

    def _year_near(self, position: int) -> int:
        if not self._anchors:
            return 2001
        after = bisect_left(self._anchors, (position, 0))
        near = self._anchors[max(after - 1, 0) : after + 1]
        return min(near, key=lambda anchor: abs(anchor[0] - position))[1] or 2001

    def _field(self, name: str, old: str, written: WrittenDate, moved: date) -> str:
        if name == "s8":
            digits = iter(f"{moved.day:02d}{moved.month:02d}{moved.year:04d}")
            return re.sub("[0-9]", lambda _: next(digits), old)
        if name == "b":
            return _month_like(old, moved.month)
        number = {"y": moved.year, "m": moved.month, "d": moved.day}[name]
        if not old[0].isdigit():
            words = "premier" if name == "d" and number == 1 else write_number(number)
            return words.upper() if old.isupper() else words
        if name == "y":
            return f"{number:04d}" if len(old) == 4 else f"{number % 100:02d}"
        if name == "d" and number == 1 and "b" in written.places and not old.startswith("0"):
            return "1er"
        return f"{number:02d}" if self._padded(written) else str(number)

    def _padded(self, written: WrittenDate) -> bool:
        """Return whether this writer puts a zero before one digit; where nothing shows it, only between separators."""
        surfaces = [self.text[slice(*written.places[name])] for name in ("d", "m") if name in written.places]
        if any(surface.startswith("0") for surface in surfaces):
            return True
        return "b" not in written.places and all(len(surface) == 2 for surface in surfaces)


def _has_digit(text: str, start: int, end: int, inside: Sequence[WrittenDate]) -> bool:
    """Return whether a digit of the span stands outside its dates."""
    edges = [start, *(edge for written in inside for edge in (written.start, written.end)), end]
    rest = "".join(text[first:last] for first, last in zip(edges[::2], edges[1::2], strict=True))
    return any(character.isdigit() for character in rest)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _month_like(old: str, month: int) -> str:
    """Write a month as another is written: its length, capitals and accents."""
    plain = _without_accents(old).casefold()
    full = [_without_accents(name) for name in MONTHS]
    if plain in full:
        new = MONTHS[month - 1]
    else:
        new = SHORT_MONTHS[month - 1]
        # Three letters for three, but not "jui" or "mar", which say two months or a day, nor "aoû".
        new = new[:3] if len(plain) == 3 and month not in (3, 6, 7, 8) else new
    bare = plain in ("fevrier", "aout", "decembre", "fev", "fevr", "dec") and old.isascii()
    new = _without_accents(new) if bare or (old.isupper() and old.isascii()) else new
    return new.upper() if old.isupper() else new.capitalize() if old[0].isupper() else new


def _without_accents(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
