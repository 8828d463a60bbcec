"""What a French note denies: `pas de fièvre ni de toux`, `sans déficit`, `absence d'œdème`, `transfusion : non`.

A denied thing is the words behind the denying one, up to the next stop, conjunction or preposition, without articles,
accents or endings. Rules that read no further than a clause, in the manner of NegEx (Chapman et al., 2001): a negation
of the whole sentence from afar (`l'hypothèse d'une embolie a été écartée`) is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from carabin.exercises.wording import fold
from carabin.tokens.words import find_words

MOST_WORDS = 4
"""A denied thing has no more: what comes behind describes it."""

_DENIES = frozenset("pas aucun aucune sans ni absence jamais non indemne indemnes".split())
_NOT_BEFORE_PAS = frozenset("petit petits faux un le chaque".split())
_SKIPPED = frozenset(
    "d de du des l la le les un une ' ’ - – autre autres ete eu plus encore toujours tres trop s m n t notable".split()
)
_LIGHT = frozenset(
    "signe signes argument arguments notion trace traces element elements evidence indice indices".split()
)
"""Words that only introduce what is denied: `aucun argument pour une embolie`."""
_AFTER_LIGHT = frozenset("pour en faveur evocateur evocateurs d de du des".split())
_STOPS = frozenset(
    "et mais ni ou car donc or avec sans pour par a au aux en dans sur sous lors depuis chez qui que qu malgre apres "
    "avant pendant ce cet cette ces est sont etait etaient ont avait il elle on je nous pas aucun aucune non y vers "
    "entre contre selon se puis".split()
)
_ANSWERS = frozenset(
    "non neant aucun aucune absent absente absents absentes negatif negative negatifs negatives".split()
)
_EMPTY = frozenset("traitement particularite changement interruption reserve delai doute difficulte".split())
"""Denied in passing (`sans particularité`): a text that names one elsewhere contradicts nothing."""
_DECORATED = re.compile(r"[ \t]*(?:\*\*|#|==|__|--)")
_UNDERLINE = re.compile(r"[ \t]*[-=_*]{3,}[ \t]*(?:\n|\Z)")
_BULLET = re.compile(r"[ \t]*[-•*–·][ \t]")


@dataclass(frozen=True, slots=True)
class Denied:
    """Something a text denies: where it does, from the denying word on, and the stems of the thing.

    `thing` is false for what is denied of something else: `pas supérieure` does not deny all that is.
    """

    start: int
    end: int
    stems: tuple[str, ...]
    thing: bool = True


@dataclass(frozen=True, slots=True)
class _Word:
    start: int
    end: int
    folded: str
    breaks: bool
    """Does a new line begin before it?"""


@dataclass(frozen=True, slots=True)
class Polarity:
    """What a text denies, and the other things it says, in stems, clause by clause."""

    denied: tuple[Denied, ...]
    affirmed: tuple[tuple[tuple[str, int, int], ...], ...]
    """Of each clause, (stem, start, end) of its words that no negation covers; headings affirm nothing."""

    def find_affirmed(self, stems: tuple[str, ...]) -> Iterator[tuple[int, int]]:
        """Yield where the text says these words, one behind the other, and denies them not."""
        for clause in self.affirmed:
            for first in range(len(clause) - len(stems) + 1):
                if tuple(stem for stem, _, _ in clause[first : first + len(stems)]) == stems:
                    yield clause[first][1], clause[first + len(stems) - 1][2]


def read_polarity(text: str) -> Polarity:
    """Return what a text denies and what it says."""
    words = list(_words(text))
    denied = sorted({*_denied_behind(words), *_denied_before(words)}, key=lambda d: (d.start, d.end))
    covered = bytearray(len(text))
    for start, end in (*((d.start, d.end) for d in denied), *_headings(text)):
        covered[start:end] = b"\1" * (end - start)
    return Polarity(tuple(denied), tuple(_affirmed(words, covered)))


def is_empty(stems: tuple[str, ...]) -> bool:
    """Tell whether a denied thing is none that could be affirmed: `sans particularité`."""
    return stems[0] in _EMPTY_STEMS


def _stem(folded: str) -> str:
    """Drop the ending that gender and number change: `connues`, `connu`."""
    if len(folded) <= 3:
        return folded
    return folded.removesuffix("x").removesuffix("s").removesuffix("e")


_EMPTY_STEMS = frozenset(_stem(word) for word in _EMPTY)


def _words(text: str) -> Iterator[_Word]:
    last = 0
    for start, end in find_words(text).tolist():
        yield _Word(start, end, fold(text[start:end]), "\n" in text[last:start])
        last = end


def _is_punctuation(word: _Word) -> bool:
    return not word.folded[:1].isalnum() and word.folded not in _SKIPPED


def _denied_behind(words: list[_Word]) -> Iterator[Denied]:
    """Yield what a denying word denies behind it, and what an `ou` goes on denying."""
    for number, word in enumerate(words):
        if word.folded not in _DENIES or not _denies(words, number):
            continue
        thing = _is_thing(words, number)
        phrase, after = _phrase(words, number + 1)
        while phrase:
            yield Denied(word.start, phrase[-1].end, tuple(_stem(part.folded) for part in phrase), thing)
            if after >= len(words) or words[after].folded != "ou" or words[after].breaks:
                break
            word = words[after]
            phrase, after = _phrase(words, after + 1)


def _denies(words: list[_Word], number: int) -> bool:
    before = words[number - 1].folded if number else ""
    behind = words[number + 1].folded if number + 1 < len(words) else ""
    match words[number].folded:
        case "pas":
            return before not in _NOT_BEFORE_PAS
        case "absence":
            return behind in ("de", "d", "du", "des")
        case "sans":
            return behind != "doute"
        case "non":
            return behind != "plus" and before != ":"
        case "aucun" | "aucune":
            return before != ":"
    return True


def _is_thing(words: list[_Word], number: int) -> bool:
    """Tell whether a denial is of a thing or of an act (`pas de`, `pas été`, `non-fumeur`), not of a quality."""
    behind = words[number + 1].folded if number + 1 < len(words) else ""
    return words[number].folded not in ("pas", "non") or behind in ("de", "d", "du", "des", "ete", "-")


def _phrase(words: list[_Word], first: int) -> tuple[list[_Word], int]:
    """Return the words of the thing that begins at a place, and the place behind it."""
    phrase: list[_Word] = []
    number = first
    while number < len(words) and len(phrase) < MOST_WORDS:
        word = words[number]
        light = len(phrase) == 1 and phrase[0].folded in _LIGHT
        if word.breaks and phrase:
            break
        if light and word.folded in _AFTER_LIGHT:
            number = _skip_light(words, number)
            if number < len(words) and not _ends(words[number]) and not words[number].breaks:
                phrase = []
            continue
        if _ends(word):
            break
        if word.folded not in _SKIPPED:
            phrase.append(word)
        number += 1
    return phrase, number


def _skip_light(words: list[_Word], number: int) -> int:
    while number < len(words) and (words[number].folded in _AFTER_LIGHT or words[number].folded in _SKIPPED):
        number += 1
    return number


def _ends(word: _Word) -> bool:
    # A number is compared as one (`carabin.generation.quantities`), whatever stands before it.
    return word.folded in _STOPS or word.folded[:1].isdigit() or _is_punctuation(word)


def _denied_before(words: list[_Word]) -> Iterator[Denied]:
    """Yield what a form denies by its answer: `Transfusion : non`, `amiante : non retrouvée`."""
    for number, word in enumerate(words[1:-1], 1):
        if word.folded != ":" or words[number + 1].folded not in _ANSWERS or words[number + 1].breaks:
            continue
        first = number
        while first > 0 and not words[first].breaks and not _is_punctuation(words[first - 1]):
            first -= 1
        if words[first].folded in _LIGHT and words[first + 1].folded in _AFTER_LIGHT:
            first = _skip_light(words, first + 1)
        phrase = [part for part in words[first:number] if part.folded not in _SKIPPED and not _ends(part)]
        if phrase:
            stems = tuple(_stem(part.folded) for part in phrase[:MOST_WORDS])
            yield Denied(words[first].start, words[number + 1].end, stems)


def _headings(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for line in text.splitlines(keepends=True):
        end = start + len(line)
        if _is_heading(line) or (line.strip() and _UNDERLINE.match(text, end)):
            yield start, end
        start = end


def _is_heading(line: str) -> bool:
    if _BULLET.match(line):
        return False
    return line.isupper() or line.rstrip().endswith(":") or _DECORATED.match(line) is not None


def _affirmed(words: Iterable[_Word], covered: bytearray) -> Iterator[tuple[tuple[str, int, int], ...]]:
    clause: list[tuple[str, int, int]] = []
    for word in words:
        hidden = covered[word.start]
        if clause and (hidden or word.breaks or _is_punctuation(word)):
            yield tuple(clause)
            clause = []
        if not hidden and word.folded not in _SKIPPED and not _ends(word):
            clause.append((_stem(word.folded), word.start, word.end))
    if clause:
        yield tuple(clause)
