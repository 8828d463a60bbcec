"""How French notes write dates: one pattern a form, each with the test that tells it from a dose or a score.

`12/03/2019`, `2019-03-12`, `12.3.19`, `1er mars 2019`, `01sep2018`, `mars 2019`, `aout 18`, `03/2019`, `le 12/03`,
`en 2016`, `1 2 0 3 1 9 4 0`, `le deux janvier mille neuf cent soixante dix huit`.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from carabin.pseudonyms.number_words import WORDS, read_number
from carabin.pseudonyms.spans import Proof

MONTHS = ("janvier février mars avril mai juin juillet août septembre octobre novembre décembre").split()
SHORT_MONTHS = "janv févr mars avr mai juin juil août sept oct nov déc".split()

_MONTH_PATTERNS = (
    "janv(?:ier)?|jan", "f[ée]\u0301?v(?:r(?:ier)?)?", "mars|mar", "avr(?:il)?", "mai", "juin|jun", "juil(?:let)?|jul",
    "ao[ûu]\u0302?t", "sept(?:embre)?|sep", "oct(?:obre)?", "nov(?:embre)?", "d[ée]\u0301?c(?:embre)?",
)  # fmt: skip
_MONTH_NUMBERS = tuple(re.compile(pattern, re.IGNORECASE) for pattern in _MONTH_PATTERNS)
_MONTH = "(?:" + "|".join(f"(?:{pattern})" for pattern in _MONTH_PATTERNS) + r")(?![^\W\d_])"
_FULL_MONTH = "(?:" + "|".join(name.replace("é", "[ée]\u0301?").replace("û", "[ûu]") for name in MONTHS) + ")"
_NUMBER_WORD = "(?:" + "|".join(sorted(WORDS, key=len, reverse=True)) + ")"
_NO_MEASURE = (
    r"(?![0-9]|\s?(?:h|mg|µg|g|kg|ml|ans?|ui|cm|mm|%|°|jours?|j|mois|semaines?|fois|cp|comprimés?)\b|\s?[:,./][0-9])"
)
_CUE_OF_DAY = re.compile(
    r"(?:\b(?:le|du|au|les|ce|dès|depuis|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|date|rdv|naissance"
    r"|jusqu['’]au)|\bn[ée]e?)[\s:]+$",
    re.IGNORECASE,
)
_CUE_OF_YEAR = re.compile(
    r"(?:\b(?:en|depuis|datant de|dès|année|fin|début|courant|mi|vers|été|hiver|printemps|automne|avant|entre)[\s-]+"
    r"|\bde (?=[0-9]{4} à [0-9]{4})|\b(?:19|20)[0-9]{2}\s?(?:à|et|-|/)\s?|\(|^\s*[-•*]?\s*|\s[-•*]\s+)$",
    re.IGNORECASE,
)
BIRTH_CUE = re.compile(
    r"(?:\bn[ée]\u0301?e?s?(?:\(e\)|\.e)?|\bDDN|naissance|mise? au monde)(?:\s|:|le\b|en\b)*$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a date."""

    pattern: re.Pattern[str]
    """Named groups: d, m or b (a month's name), y, or s8 (all eight digits); s is what stands between numbers."""
    accept: Callable[[str, re.Match[str]], Proof | None]
    """The proof that the match in this text is a date, None if it is none."""


def month_number(name: str) -> int:
    """Return 1 to 12 for a month's name or abbreviation."""
    return next(number for number, pattern in enumerate(_MONTH_NUMBERS, 1) if pattern.fullmatch(name))


def values(groups: Mapping[str, str | None]) -> tuple[int | None, int | None, int | None]:
    """Return (year, month, day) of a match's groups, None for what is not written.

    Two-digit years up to 40 are of this century. A month over 12 is read as the day, and a day past its month's end as
    the last: with a year of four digits that is still somebody's date, mistyped.
    """
    if digits := groups.get("s8"):
        digits = digits.replace(" ", "")
        return int(digits[4:]), int(digits[2:4]), int(digits[:2])
    year, month, day = _number(groups.get("y")), _number(groups.get("m")), _number(groups.get("d"))
    if name := groups.get("b"):
        month = month_number(name)
    if year is not None and year < 100:
        year += 2000 if year <= 40 else 1900
    return year, month, day


def mended(year: int | None, month: int | None, day: int | None) -> tuple[int | None, int | None, int | None] | None:
    """Return a date of the calendar: month and day exchanged, or the month's last day, where it must be; else None."""
    if month is not None and day is not None and month > 12 >= day:
        month, day = day, month
    if month is not None and not 1 <= month <= 12:
        return None
    if day is not None:
        if not 1 <= day <= 31:
            return None
        day = min(day, calendar.monthrange(year or 2000, month)[1]) if month else day
    return year, month, day


def _number(written: str | None) -> int | None:
    if written is None:
        return None
    digits = re.match(r"[0-9]+", written)
    return int(digits[0]) if digits else read_number(written)


def _valid(match: re.Match[str]) -> bool:
    found = values(match.groupdict())
    return mended(*found) == found and (found[0] is None or 1000 <= found[0] <= 2999)


def _numeric(text: str, match: re.Match[str]) -> Proof | None:
    """Judge `d sep m sep y`; with a year of two digits it may be a dose (`1-0-10`) or a section (`3.1.12`)."""
    separator = match["s"]
    before = text[max(match.start() - 2, 0) : match.start()]
    if len(before) == 2 and before[1] == separator and before[0].isdigit():
        return None
    if len(match["y"]) == 4:
        if mended(*values(match.groupdict())) is None:
            return None
        return Proof.CHECKED if _valid(match) else Proof.CONTEXT
    if not _valid(match) or (" " in match[0] and separator != "/"):
        return None
    sure = separator in "/|" or (separator == "." and max(len(match["d"]), len(match["m"])) == 2)
    return Proof.CHECKED if sure or _CUE_OF_DAY.search(text, max(match.start() - 15, 0), match.start()) else None


def _checked(text: str, match: re.Match[str]) -> Proof | None:
    return Proof.CHECKED if _valid(match) else None


def _after(cue: re.Pattern[str], proof: Proof) -> Callable[[str, re.Match[str]], Proof | None]:
    def accept(text: str, match: re.Match[str]) -> Proof | None:
        line = text.rfind("\n", 0, match.start()) + 1
        found = cue.search(text[max(match.start() - 40, line) : match.start()])
        return proof if found and _valid(match) else None

    return accept


def _form(pattern: str, accept: Callable[[str, re.Match[str]], Proof | None]) -> Form:
    return Form(re.compile(pattern, re.IGNORECASE), accept)


_START, _END = r"(?<![0-9A-Za-z])", r"(?![0-9])"
_DAY = r"(?P<d>1er|[0-9]{1,2})"
_YEAR = r"(?P<y>(?:1[89]|20)[0-9]{2})"

_D, _M, _Y2 = "(?P<d>[0-9]{1,2})", "(?P<m>[0-9]{1,2})", "[0-9]{2}"
_WORDS = rf"{_NUMBER_WORD}(?:[\s-]+{_NUMBER_WORD})"
_BOXES = "(?P<s8>[0-3] [0-9] [01] [0-9] (?:1 [89]|2 0) [0-9] [0-9])"
_day_cue, _year_cue = _after(_CUE_OF_DAY, Proof.CONTEXT), _after(_CUE_OF_YEAR, Proof.CONTEXT)

FORMS = (
    _form(
        rf"{_START}{_D}[ ]?(?P<s>[./|-])[ ]?{_M}[ ]?(?P=s)[ ]?(?P<y>[12][0-9]{{3}}|{_Y2})(?![0-9]|(?P=s)[0-9]|,[0-9])",
        _numeric,
    ),
    _form(rf"{_START}{_YEAR}(?P<s>[-/.]){_M}(?P=s){_D}{_END}", _checked),
    _form(
        rf"(?P<d>\b{_WORDS}{{0,3}}|\b1er|\b[0-9]{{1,2}})\s+(?P<b>{_FULL_MONTH})\s+(?P<y>{_WORDS}{{1,8}})\b",
        _checked,
    ),
    _form(
        rf"(?<![0-9A-Za-z/.,]){_DAY}[\s.,]{{0,3}}(?P<b>{_MONTH})"
        rf"(?:\.?,?\s{{0,3}}(?P<y>[12][0-9]{{3}}{_END}|{_Y2}{_NO_MEASURE}))?",
        _checked,
    ),
    _form(rf"(?<![^\W_])(?P<b>{_MONTH})\.?,?\s{{0,3}}{_YEAR}{_END}", _checked),
    _form(rf"(?<![^\W_])(?P<b>{_FULL_MONTH})\s(?P<y>{_Y2}){_NO_MEASURE}", _checked),
    _form(rf"(?<![0-9/])(?P<m>0[1-9]|1[0-2])(?P<s>/){_YEAR}(?![0-9/])", _checked),
    _form(rf"(?<![0-9])(?<![0-9] ){_BOXES}(?![0-9]| [0-9]\b)", _checked),
    _form(rf"{_START}(?P<s8>[0-3][0-9][01][0-9](?:1[89]|20)[0-9]{{2}}){_END}", _day_cue),
    _form(rf"{_START}(?P<s8>[0-3][0-9][ ][01][0-9][ ](?:1[89]|20)[0-9]{{2}}){_END}", _day_cue),
    _form(rf"{_START}{_D}(?P<s>/)(?P<m>[0-9]{{2}})(?![0-9/%]|[.,][0-9])", _day_cue),
    _form(rf"{_START}(?P<y>(?:19|20)[0-9]{{2}}){_NO_MEASURE}", _year_cue),
)
"""Tried in this order; a later form never takes characters of an earlier one."""
