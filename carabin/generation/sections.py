"""Sections of a report, and the windows a long one is read in: cut where a reader would pause, never cut short.

Headings come in many styles: `Motif :`, `MOTIF`, `Motif : douleur`, underlined, numbered, between dashes or stars.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator

from carabin.exercises.units import find_units
from carabin.exercises.wording import fold

Window = tuple[int, int]
"""First code point, and one past the last."""

LEAST = 1 / 3
"""A window is cut at a section, line or sentence only if that leaves it this share of what would fit."""

_LINE = re.compile(r"[^\n]*\n?")
_WORD = re.compile(r"\s*\S+\s*|\s+")
_FRAMED = re.compile(r"(?:[-=*_#~]{2,}|#)\s*(?P<title>[^\W\d_][^.:;]{2,60}?)\s*(?:[-=*_#~]{2,})?:?$")
_NUMBERED = re.compile(r"(?:\d{1,2}|[IVX]{1,4})(?:\.\d{1,2})*\s?[.)/-]\s*(?P<title>[^\W\d_][^.:;,]{2,60}):?$")
_COLON = re.compile(r"(?P<title>[^\W\d_][^.:;!?]{1,60}?)\s?:$")
_INLINE = re.compile(r"(?P<title>[^\W\d_][^.:;!?\n]{1,60}?)\s?:\s")
_RULE = re.compile(r"[-=_*~]{3,}$")
_KNOWN = re.compile(
    r"(?:en |au )?(?:motif|antecedent|atcd|allergie|mode de vie|habitus|traitement|ttt|medicament|ordonnance|histoire"
    r"|hdm|anamnese|examen|clinique|biologie|bilan|imagerie|paraclinique|evolution|synthese|conclusion|total|resume|sortie"
    r"|modalites|devenir|suivi|conduite|projet|evenements|points? de vigilance|diagnostic|resultats|prise en charge)"
)
"""How headings of hospital reports begin, folded: those that need no empty line before them."""


def cut_sections(text: str, fits: Callable[[str], bool]) -> list[Window]:
    """Return the windows of a text, in order: each character is in exactly one, and each window fits.

    A window ends before a heading if it can, else after a line, else after a sentence, else between two words, and only
    where one word is too long for a window, within it.

    Args:
        text: A report.
        fits: Whether a stretch of it can be read at once; what begins a stretch that fits, fits.
    """
    if fits(text):
        return [(0, len(text))]
    levels = _levels(text)
    words = [*(match.start() for match in _WORD.finditer(text)), len(text)]
    windows, start = [], 0
    while start < len(text):
        end = _furthest(text, start, words, fits)
        end = next((cut for cut in _good_cuts(levels, start, end, len(text)) if fits(text[start:cut])), end)
        windows.append((start, end))
        start = end
    return windows


def find_sections(text: str) -> list[Window]:
    """Return the sections of a text: each from its heading to the next; what stands before the first is the first."""
    starts = [0, *(start for start in _headings(text) if start > 0)]
    return list(zip(starts, [*starts[1:], len(text)], strict=True))


def find_titles(text: str) -> list[Window]:
    """Return the lines of a text that are a heading and say nothing else, without the blanks around them."""
    lines = (_LINE.match(text, start) for start in _headings(text))
    shown = ((match.start(), match.group()) for match in lines if match)
    titles = [(start + len(line) - len(line.lstrip()), start + len(line.rstrip())) for start, line in shown]
    return [(start, end) for start, end in titles if ":" not in text[start : end - 1] and text[end - 1] != "."]


def _levels(text: str) -> list[list[int]]:
    """Return where a text may be cut, from the best places to the worst."""
    lines = [match.end() for match in _LINE.finditer(text)]
    return [list(_headings(text)), lines, [start for start, _ in find_units(text)]]


def _good_cuts(levels: list[list[int]], start: int, end: int, length: int) -> Iterator[int]:
    if end == length:
        return
    for cuts in levels:
        place = bisect_right(cuts, end)
        if place and cuts[place - 1] > start + LEAST * (end - start):
            yield cuts[place - 1]


def _furthest(text: str, start: int, words: list[int], fits: Callable[[str], bool]) -> int:
    """Return the last word's end up to which the text fits; within a word where one alone does not."""
    first = bisect_right(words, start)
    known, step = 0, 1
    # Leaps rather than halves: what is left of the text may be a thousand windows long.
    while first + known < len(words) and fits(text[start : words[min(first + known + step, len(words)) - 1]]):
        known, step = min(known + step, len(words) - first), 2 * step
    low, high = known, min(known + step, len(words) - first)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[start : words[first + middle - 1]]) else (low, middle - 1)
    if low:
        return words[first + low - 1]
    return _within_word(text, start, words[first], fits)


def _within_word(text: str, start: int, end: int, fits: Callable[[str], bool]) -> int:
    low, high = start + 1, end
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[start:middle]) else (low, middle - 1)
    return low


def _headings(text: str) -> Iterator[int]:
    """Yield where the lines begin that are, or begin with, a heading."""
    lines = [match.span() for match in _LINE.finditer(text) if match.end() > match.start()]
    shown = [text[start:end].strip() for start, end in lines]
    for number, (start, _) in enumerate(lines):
        apart = number == 0 or not shown[number - 1]
        following = shown[number + 1] if number + 1 < len(lines) else ""
        if _is_heading(shown[number], following, apart):
            yield start


def _is_heading(line: str, following: str, apart: bool) -> bool:
    if not line or len(line) < 3:
        return False
    if _FRAMED.fullmatch(line) or (_RULE.fullmatch(following) and len(line) <= 60 and line[0].isalpha()):
        return True
    for form in (_NUMBERED, _COLON):
        if found := form.fullmatch(line):
            return apart or bool(_KNOWN.match(fold(found["title"])))
    if len(line) <= 60 and line.isupper() and sum(map(str.isalpha, line)) >= 3 and not any(map(str.isdigit, line)):
        return apart or bool(_KNOWN.match(fold(line)))
    inline = _INLINE.match(line)
    return inline is not None and inline["title"][:1].isupper() and bool(_KNOWN.match(fold(inline["title"])))
