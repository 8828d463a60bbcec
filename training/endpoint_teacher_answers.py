"""A generative teacher's answer, read strictly and laid back on the text it speaks of.

What cannot be read or found is counted, never guessed.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np

from carabin.documents import Entity, without_nesting
from carabin.tokens.words import Offsets, find_words

ANSWER_COUNTS = ("malformed", "refused", "truncated")
"""Of whole answers; such an answer teaches nothing."""
ENTITY_COUNTS = ("listed", "malformed_items", "unknown_labels", "unaligned", "overlapping")
"""Of the entities of readable answers. listed = aligned + the four others."""
MATCH_COUNTS = ("aligned", "inexact", "out_of_order")
"""`inexact`: found but for case, accents, typography or spacing; `out_of_order`: found before the one listed before."""

_THINKING = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_FENCED = re.compile(r"```[a-zA-Z]*\s*\n?(.*?)```", re.DOTALL)
_REFUSAL = re.compile(
    r"\A\W*(?:je (?:ne peux|suis désolé|regrette|m'excuse)|désolée?|i(?:'m| am) sorry|i can(?:'|no)t|sorry|as an ai"
    r"|en tant qu)",
    re.IGNORECASE,
)
_EQUAL = str.maketrans(
    {"œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "’": "'", "‘": "'", "ʼ": "'", "′": "'", "“": '"', "”": '"', "«": '"',
     "»": '"', "‐": "-", "‑": "-", "–": "-", "—": "-", "−": "-", "µ": "μ", "\u00ad": ""}
)  # fmt: skip


T = TypeVar("T")


class Listed(NamedTuple):
    """An entity as the teacher gave it: words, no offsets."""

    surface: str
    label: str


@dataclass
class Answer:
    """What was read of one answer, and counted on the way. `entities` is None where nothing is to be learned of it."""

    entities: list[Listed] | None
    counts: Counter[str] = field(default_factory=Counter)


def read_answer(content: str | None, finish_reason: str | None, labels: Sequence[str]) -> Answer:
    """Return the entities of an answer: a JSON object `{"entities": [...]}`, or the bare list, fenced or not.

    Args:
        content: The message's text.
        finish_reason: `length`: cut by the token limit. `content_filter`: withheld.
        labels: The label set.
    """
    read = read_json(content, finish_reason, "entities", list)
    if isinstance(read, Counter):
        return Answer(None, read)
    items: list[object] = read
    answer = Answer([], Counter(listed=len(items)))
    known = {label.casefold(): label for label in labels}
    for item in items:
        surface, label = (item.get("surface"), item.get("label")) if isinstance(item, dict) else (None, None)
        if not isinstance(surface, str) or not isinstance(label, str) or not surface.strip():
            answer.counts["malformed_items"] += 1
        elif label.strip().casefold() not in known:
            answer.counts["unknown_labels"] += 1
        else:
            answer.entities.append(Listed(surface.strip(), known[label.strip().casefold()]))  # type: ignore[union-attr]
    return answer


def read_json(content: str | None, finish_reason: str | None, name: str, kind: type[T]) -> T | Counter[str]:
    """Return what an answer holds: a JSON object `{name: value}`, or the bare value, fenced or not.

    Returns:
        The value, of the kind wanted; else a count, one of `ANSWER_COUNTS`, of why there is none.
    """
    if finish_reason == "length":
        return Counter(truncated=1)
    if finish_reason == "content_filter":
        return Counter(refused=1)
    text = _THINKING.sub("", content or "").strip()
    fenced = _FENCED.search(text)
    try:
        value = json.loads(fenced[1] if fenced else text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        value = value.get(name)
    if isinstance(value, kind):
        return value
    return Counter(refused=1) if _REFUSAL.match(text) else Counter(malformed=1)


def align(listed: Sequence[Listed], text: str) -> tuple[tuple[Entity, ...], Counter[str]]:
    """Return where the listed entities stand in the text, never overlapping, and what became of each.

    Each is looked for after the one before it: letter for letter, then whatever the case, accents and typography, then
    whatever the spacing; always as whole words of `carabin.tokens.words`. Failing that, in the same manner, before it,
    where no other stands. Of overlapping spans the outermost stays.

    Returns:
        Entities sorted by start, and `MATCH_COUNTS`, `unaligned`, `overlapping`.
    """
    places, counts = TextIndex(text), Counter[str]()
    found: list[Entity] = []
    cursor = 0
    for surface, label in listed:
        span, exact = places.find(surface, cursor)
        if span is not None:
            cursor = span[1]
        else:
            span, exact = _find_free(places, surface, found)
            counts["out_of_order"] += span is not None
        if span is None:
            counts["unaligned"] += 1
            continue
        counts["inexact"] += not exact
        found.append(Entity(*span, label))
    kept = without_nesting(found)
    counts["aligned"], counts["overlapping"] = len(kept), len(found) - len(kept)
    return kept, +counts


def _find_free(places: TextIndex, surface: str, found: list[Entity]) -> tuple[tuple[int, int] | None, bool]:
    """Return the first place where nothing was found yet; failing that the first at all (dropped as overlapping)."""
    first: tuple[tuple[int, int] | None, bool] = (None, False)
    for span, exact in places.occurrences(surface, 0):
        if first[0] is None:
            first = span, exact
        if all(span[1] <= other.start or other.end <= span[0] for other in found):
            return span, exact
    return first


class TextIndex:
    """A text in which surfaces are looked for, exactly or folded, as whole words."""

    def __init__(self, text: str) -> None:
        """Prepare the text's foldings."""
        self.text = text
        words: Offsets = find_words(text)
        self._starts, self._ends = set(words[:, 0].tolist()), set(words[:, 1].tolist())
        self._folded = {spaced: _fold(text, spaced) for spaced in (True, False)}

    def find(self, surface: str, start: int) -> tuple[tuple[int, int] | None, bool]:
        """Return the first occurrence at or after `start`, the closest spelling first, and whether it is exact."""
        return next(self.occurrences(surface, start), (None, False))

    def occurrences(self, surface: str, start: int) -> Iterator[tuple[tuple[int, int], bool]]:
        """Yield (span, exact?): exact ones in order, then those equal but for case, accents, typography, spacing."""
        seen = set()
        for begin in _all(self.text, surface, start):
            span = begin, begin + len(surface)
            if self._is_whole(*span):
                seen.add(span)
                yield span, True
        for spaced, (folded, origin) in self._folded.items():
            sought = _fold(surface, spaced)[0].strip()
            first = int(np.searchsorted(origin, start))
            for begin in _all(folded, sought, first) if sought else ():
                span = int(origin[begin]), self._end(int(origin[begin + len(sought) - 1]))
                if span not in seen and self._is_whole(*span) and _fold(self.text[slice(*span)], spaced)[0] == sought:
                    seen.add(span)
                    yield span, False

    def _end(self, last: int) -> int:
        """Return where a character ends, its combining marks included."""
        end = last + 1
        while end < len(self.text) and unicodedata.combining(self.text[end]):
            end += 1
        return end

    def _is_whole(self, start: int, end: int) -> bool:
        return start in self._starts and end in self._ends


def _all(text: str, sought: str, start: int) -> Iterator[int]:
    while (start := text.find(sought, start)) >= 0:
        yield start
        start += 1


def _fold(text: str, spaced: bool) -> tuple[str, np.ndarray]:
    """Fold a text: no case, accents or typography, runs of blanks as one space or none.

    Returns:
        The folded text, and for each of its characters the code point of `text` it came from. Shape (n,).
    """
    pieces: list[str] = []
    origin: list[int] = []
    for number, character in enumerate(text):
        if character.isspace():
            plain = " " if spaced and (not pieces or pieces[-1] != " ") else ""
        elif character < "\x80":
            plain = character.lower()
        else:
            apart = unicodedata.normalize("NFKD", character.translate(_EQUAL))
            plain = "".join(mark for mark in apart if not unicodedata.combining(mark)).casefold().replace(" ", "")
        if plain:
            pieces.append(plain)
            origin += [number] * len(plain)
    return "".join(pieces), np.asarray(origin, dtype=np.int64)
