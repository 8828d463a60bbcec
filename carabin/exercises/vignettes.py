"""Vignettes of a progressive file: the report unfolded step by step, never so far that it gives an answer away."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

from carabin.exercises.exercise import Question
from carabin.exercises.units import Unit, find_units
from carabin.exercises.wording import fold, mentions
from carabin.generation.sections import find_sections

_HEAD_LINES = 40
"""An identity block stands within the first lines."""
_BLOCK_GAP = 6
"""Lines between two of one identity block: a letterhead may stand between the patient's name and the stay."""
_LONGEST_IDENTITY = 120
_LONGEST_OPENING = 400
"""Code points of a letter's greeting before its first heading; what is longer is told in prose, and is shown."""

# Both are matched on folded lines: without accents, in small letters.
_IDENTITY = re.compile(
    r".*\b(?:nee? le|naissance ?(?:le|:)|date de naissance|ddn|ipp|nda|nir|securite sociale|identifiant permanent)\b"
    r"|(?:nom|prenom|patiente?|identite|adresse|domicile) ?:|(?:concerne|dossier de|demeurant|reside) "
    r"|(?:hospitalis\w+|sejour) du \d|date d'(?:entree|admission)|(?:entree|admission|presence)\b[^.]*\d{4}"
)
_LETTERHEAD = re.compile(r"(?:centre|hopital|polyclinique|chu?|service|compte[- ]rendu|lettre)\b")
"""Lines in capitals that look like headings and are none."""


def find_body(text: str) -> int:
    """Return where a report begins to tell: at its first heading, else at the first line after the identity block.

    Letterhead, identity and greeting are left out, as no carer needs them. A text that opens without them begins at its
    first word.
    """
    lines = [line for line in _lines(text) if text[slice(*line)].strip()]
    folded = [fold(text[start:end]) for start, end in lines]
    first = _after_identity(folded)
    if not lines or (first == 0 and not _LETTERHEAD.match(folded[0])):
        return 0
    opening = lines[first][0]
    headings = {start for start, _ in find_sections(text)}
    for (start, _), line in zip(lines[first:], folded[first:], strict=True):
        if start in headings and not _LETTERHEAD.match(line):
            return start if start - opening <= _LONGEST_OPENING else opening
    return opening


def _after_identity(folded: Sequence[str]) -> int:
    """Return the line after the identity block; 0 where there is none, or nothing after it."""
    last = -1
    for number, line in enumerate(folded[:_HEAD_LINES]):
        if last >= 0 and number - last > _BLOCK_GAP:
            break
        if len(line) <= _LONGEST_IDENTITY and _IDENTITY.match(line):
            last = number
    return (last + 1) % max(len(folded), 1)


def _lines(text: str) -> list[Unit]:
    lines, place = [], 0
    for line in text.splitlines(keepends=True):
        lines.append((place, place + len(line)))
        place += len(line)
    return lines


def unfold(text: str, questions: Sequence[Question]) -> list[Unit]:
    """Return for each linked question what a carer has read of the report when it is asked: first code point, end.

    That is the report's body up to the unit before the evidence, and no further than the last unit before one that
    mentions a right answer of this question or of one that follows: what is read once is not forgotten. Each begins
    alike and ends where the one before does, or later; it is empty where the body's first unit says too much.
    """
    begin = find_body(text)
    ends = [end for start, end in find_units(text) if start >= begin]
    vignettes = []
    for number, question in enumerate(questions):
        secret = [fold(answer) for later in questions[number:] for answer in later.right]
        before = [end for end in ends if end <= question.start]
        vignettes.append((begin, _last_silent(text, begin, before, secret)))
    return vignettes


def _last_silent(text: str, begin: int, ends: Sequence[int], secret: Sequence[str]) -> int:
    """Return the last end up to which the text mentions none of the phrases, folded; its beginning if there is none."""

    def tells(end: int) -> bool:
        told = fold(text[begin:end])
        return any(mentions(told, phrase) for phrase in secret)

    count = bisect_left(ends, True, key=tells)
    return ends[count - 1] if count else begin
