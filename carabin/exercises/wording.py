"""When two wordings are the same, when one mentions the other, and what an answer of each type looks like."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

MEASURED = frozenset({"dose", "lab"})
"""Types whose answers are a number with its unit; the others are words."""

_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "’": "'", "‐": "-", "‑": "-", "–": "-"})
_IN_NUMBERS = frozenset(".,/:")


def fold(text: str) -> str:
    """Return a text without what does not tell two wordings apart: case, accents, ligatures, the width of spaces."""
    if text.isascii():
        return " ".join(text.casefold().split())
    bare = "".join(
        character for character in unicodedata.normalize("NFKD", text) if not unicodedata.combining(character)
    )
    return " ".join(bare.casefold().translate(_LIGATURES).split())


class FoldedPiece:
    """A piece of a text that many parts of are folded: its characters are folded once, where each is one."""

    def __init__(self, piece: str) -> None:
        self._piece = piece
        singles = "  " not in piece and all(map(_stays_one, piece))
        self._folded = "".join(map(_fold_character, piece)) if singles else None

    def part(self, start: int, end: int) -> str:
        """Return `fold(piece[start:end])`; the part begins and ends with no space."""
        return fold(self._piece[start:end]) if self._folded is None else self._folded[start:end]


@lru_cache(maxsize=4096)
def _fold_character(character: str) -> str:
    return " " if character.isspace() else fold(character)


def _stays_one(character: str) -> bool:
    return len(_fold_character(character)) == 1


def mentions(folded_text: str, folded_phrase: str) -> bool:
    """Return whether a phrase stands in a text, both folded, as words of it: `irm` not in `confirme`.

    `2,5 mg` does not mention `5 mg`, nor does `10/5 mg`.
    """
    place = folded_text.find(folded_phrase) if folded_phrase else -1
    while place >= 0:
        end = place + len(folded_phrase)
        if not _goes_on(folded_text[max(0, place - 2) : place][::-1]) and not _goes_on(folded_text[end : end + 2]):
            return True
        place = folded_text.find(folded_phrase, place + 1)
    return False


def _goes_on(beside: str) -> bool:
    """Return whether what stands beside a phrase, nearest first, is of the same word or number."""
    if beside[:1].isalnum() or beside[:1] == "_":
        return True
    return beside[:1] in _IN_NUMBERS and beside[1:].isdigit()


def has_shape(answer: str, asks: str) -> bool:
    """Return whether an answer may be of a type: a dose and a value begin with a digit, the others hold a letter."""
    if asks in MEASURED:
        return answer[:1].isdigit()
    return any(character.isalpha() for character in answer)
