"""Perturbations of a word's letters: typing, dropped accents, case, and optical character recognition."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Sequence

from zoo.noise.alignment import Edit

Spans = Sequence[Sequence[int]]
"""(start, end) of each word, as plain integers."""

_AZERTY_ROWS = ("azertyuiop", "qsdfghjklm", "wxcvbn")
# Each row of a French keyboard is shifted by a quarter, then half a key to the right of the row above.
_ROW_SHIFTS = (0.0, 0.25, 0.75)

OCR_CONFUSIONS: dict[str, tuple[str, ...]] = {
    "rn": ("m",), "m": ("rn",), "cl": ("d",), "d": ("cl",), "vv": ("w",), "w": ("vv",), "ri": ("n",), "in": ("m",),
    "li": ("h",), "l": ("1", "I"), "I": ("l", "1"), "i": ("l", "j"), "1": ("l", "I"), "O": ("0",), "0": ("O",),
    "o": ("0",), "S": ("5",), "5": ("S",), "B": ("8",), "8": ("B",), "Z": ("2",), "2": ("Z",), "g": ("9", "q"),
    "6": ("G",), "G": ("6",), "u": ("ii",), "h": ("b",), "t": ("f",), "f": ("t",), "c": ("e",), "e": ("c",),
    "é": ("e", "ê"), "è": ("e", "é"), "ê": ("e", "é"), "à": ("a", "â"), "â": ("a",), "ç": ("c",), "ù": ("u",),
    "î": ("i",), "ï": ("i",), "ô": ("o",), "û": ("u",), "œ": ("oe", "ce"), ",": (".",), "’": ("'",), "µ": ("u", "p"),
}  # fmt: skip
"""Character sequence -> what a scanner reads in its place: the confusions that French scans of letters show most."""

_CONFUSABLE = re.compile("|".join(sorted(map(re.escape, OCR_CONFUSIONS), key=len, reverse=True)))


def _neighbours() -> dict[str, str]:
    places = {
        letter: (column + shift, float(row))
        for row, (letters, shift) in enumerate(zip(_AZERTY_ROWS, _ROW_SHIFTS, strict=True))
        for column, letter in enumerate(letters)
    }
    return {
        letter: "".join(other for other, (a, b) in places.items() if 0 < (a - x) ** 2 + (b - y) ** 2 <= 1.6)
        for letter, (x, y) in places.items()
    }


AZERTY_NEIGHBOURS = _neighbours()
"""Letter -> the letters whose keys touch its key on a French keyboard."""


def choose(candidates: Sequence[int], rate: float, rng: random.Random) -> list[int]:
    """Return a random `rate` share of the candidates, sorted: floor or ceiling of rate x n, right on average."""
    number = int(len(candidates) * rate + rng.random()) if rate > 0 else 0
    return sorted(rng.sample(candidates, min(number, len(candidates))))


def edit_typos(text: str, spans: Spans, rate: float, rng: random.Random) -> list[Edit]:
    """One slip of the fingers in words of three letters or more: neighbour key, swap, doubled or missing letter."""
    eligible = [i for i, (start, end) in enumerate(spans) if end - start > 2 and text[start].isalpha()]
    return _replace(text, spans, choose(eligible, rate, rng), lambda word: mistype(word, rng))


def mistype(word: str, rng: random.Random) -> str:
    """Return the word (two letters or more) with one typing error; never the word itself."""
    slip = rng.randrange(4)
    at = rng.randrange(len(word))
    if slip == 0:
        letter = strip_accents(word[at])
        keys = AZERTY_NEIGHBOURS.get(letter.lower())
        if keys:
            key = rng.choice(keys)
            return word[:at] + (key.upper() if word[at].isupper() else key) + word[at + 1 :]
    elif slip == 1:
        at = min(at, len(word) - 2)
        if word[at] != word[at + 1]:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    elif slip == 2:
        return word[:at] + word[at + 1 :]
    return word[: at + 1] + word[at:]


def strip_accents(word: str) -> str:
    """Return the word without diacritics or ligatures: "œdème" -> "oedeme"."""
    if word.isascii():
        return word
    word = word.replace("œ", "oe").replace("Œ", "OE").replace("æ", "ae").replace("Æ", "AE")
    bare = "".join(c for c in unicodedata.normalize("NFD", word) if unicodedata.category(c) != "Mn")
    return unicodedata.normalize("NFC", bare) or word


def edit_accents(text: str, spans: Spans, rate: float, rng: random.Random) -> list[Edit]:
    """Accents, cedillas and ligatures dropped; words without any are not eligible."""
    if text.isascii():
        return []
    eligible = [
        i for i, (a, b) in enumerate(spans) if not text[a:b].isascii() and strip_accents(text[a:b]) != text[a:b]
    ]
    return _replace(text, spans, choose(eligible, rate, rng), strip_accents)


def edit_case(text: str, spans: Spans, rate: float, rng: random.Random) -> list[Edit]:
    """A word in capitals, in small letters or capitalised: one of those that it was not already."""
    eligible = [i for i, (start, end) in enumerate(spans) if _recased(text[start:end])]
    return _replace(text, spans, choose(eligible, rate, rng), lambda word: rng.choice(_recased(word)))


def _recased(word: str) -> list[str]:
    if not word[0].isalpha():
        return []
    return [form for form in dict.fromkeys((word.upper(), word.lower(), word.capitalize())) if form != word]


def edit_ocr(text: str, spans: Spans, rate: float, rng: random.Random) -> list[Edit]:
    """One character (or pair) misread, in words that hold a confusable one; numbers are misread too."""

    def misread(word: str) -> str:
        match = rng.choice(list(_CONFUSABLE.finditer(word)))
        return word[: match.start()] + rng.choice(OCR_CONFUSIONS[match.group()]) + word[match.end() :]

    eligible = [i for i, (start, end) in enumerate(spans) if _CONFUSABLE.search(text, start, end)]
    return _replace(text, spans, choose(eligible, rate, rng), misread)


def _replace(text: str, spans: Spans, chosen: Sequence[int], change: Callable[[str], str]) -> list[Edit]:
    return [Edit(spans[i][0], spans[i][1], change(text[spans[i][0] : spans[i][1]]), i, i) for i in chosen]
