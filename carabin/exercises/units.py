"""Units: the lines and sentences of a report, the pieces that an exercise may quote.

A line is a unit, or several where it holds several sentences; a line of a list stays whole, as one item is one fact.
"""

from __future__ import annotations

import re
from itertools import pairwise

Unit = tuple[int, int]
"""First code point, and one past the last."""

_LINE = re.compile(r"[^\r\n\v\f\x1c-\x1e\x85\u2028\u2029]+")
_ITEM = re.compile(r"\s*(?:[-–—•*·▪◦●‣➢>+]|\d{1,2}[.)°]|[a-zA-Z]\))(?=\s)")
# A sentence ends at its mark, with what closes a quotation or a bracket, before a space and a sentence's first letter.
_END = re.compile(r"[.!?…]+(?:[)\]\"”’]|[ \u00a0\u202f]?»)*(?=\s+[^\W_a-zà-öø-ÿœ]|\s+[«\"“(\[À-ÖØ-ÞŒ])")
_LAST_WORD = re.compile(r"[^\s(\[«\"“'’]+$")
_TITLE_OR_INITIAL = re.compile(
    r"(?:^|\s)(?:dr|pr|prof|docteur|professeur|mm?|mme|mlle|me|[a-z]|[a-z]-[a-z])\.?\s*$", re.I
)
_ABBREVIATIONS = frozenset(
    "mm mr mme mmes mlle me dr drs pr prs prof chir cf ex p pp vs env approx nb n° tél tel fig art vol chap réf ref "
    "av bd bld blvd st ste janv févr fév avr juil sept oct nov déc cp cpr cps gél inj caps suppl".split()
)
"""What ends in a point and no sentence: titles, references, streets, months, forms of drugs."""

SENTENCE = 5
"""Words of the shortest sentence of a letter before its first heading; letterheads and identities are shorter."""
NEAR = 40
"""Characters around a point that say whether it ends a sentence."""


def find_units(text: str) -> list[Unit]:
    """Return the units of a text, in order: none overlap, none is blank, and each visible character is in one."""
    return [unit for line in _LINE.finditer(text) for unit in _units_of_line(text, *line.span())]


def tells(unit: str, in_body: bool) -> bool:
    """Return whether a unit says something: no heading, and of what stands before the report begins, only prose.

    Args:
        unit: Its text.
        in_body: Whether it stands where the report tells (`carabin.exercises.vignettes.find_body`).
    """
    if unit.endswith(":"):
        return False
    return in_body or (unit.endswith(".") and len(unit.split()) >= SENTENCE)


def _units_of_line(text: str, start: int, end: int) -> list[Unit]:
    line = text[start:end]
    cuts = [0, len(line)] if _ITEM.match(line) else [0, *_sentence_ends(line), len(line)]
    return [unit for first, last in pairwise(cuts) if (unit := _trimmed(text, start + first, start + last))]


def _sentence_ends(line: str) -> list[int]:
    return [match.end() for match in _END.finditer(line) if not _goes_on(line, match)]


def _goes_on(line: str, mark: re.Match[str]) -> bool:
    """Return whether the point belongs to the word before it: `M. Petit`, `env. 3`, `A. Petit`, `12. 5`."""
    if mark.group() != ".":
        return False
    # Only what stands near counts: a line may be a whole report.
    before = line[max(0, mark.start() - NEAR) : mark.start()]
    found = _LAST_WORD.search(before)
    word = found.group() if found else ""
    if word == "M":
        return True
    if found and len(word) == 1 and word.isupper():
        # "hépatite B. Le patient" ends a sentence, "Dr B. Petit" and "B. Petit" do not.
        return not before[: found.start()].strip() or bool(_TITLE_OR_INITIAL.search(before[: found.start()]))
    if word[-1:].isdigit():
        return line[mark.end() : mark.end() + NEAR].lstrip()[:1].isdigit()
    return word.casefold() in _ABBREVIATIONS


def _trimmed(text: str, start: int, end: int) -> Unit | None:
    piece = text[start:end]
    if not piece.strip():
        return None
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())
