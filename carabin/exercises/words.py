"""The words a student asks with: the stems of its questions and the terms it draws wrong answers from.

They lie in `exercises.json` of its folder, written by its training from what it learned from:

    {"stems": {"qru": {"dose": ["Quelle est la dose de {} ?", …]}}, "terms": {"dose": ["5 mg", …]}}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carabin.errors import ModelError
from carabin.exercises.exercise import Kind
from carabin.exercises.form import BLANK
from carabin.exercises.wording import fold, has_shape
from carabin.generation.source import uncopied
from carabin.generation.spelling import Runs
from carabin.generation.tasks import ANSWER_TYPES, ASK, HOLE, PROGRESSIVE, QUOTE, RIGHT, WRONG

WORDS_FILE = "exercises.json"
KINDS: tuple[Kind, ...] = ("qru", "qrm", "qroc")


@dataclass(frozen=True, slots=True)
class ExerciseWords:
    """Stems by kind and type, terms by type."""

    stems: Mapping[str, Mapping[str, tuple[str, ...]]]
    terms: Mapping[str, tuple[str, ...]]

    @classmethod
    def from_dict(cls, record: object, where: str = WORDS_FILE) -> ExerciseWords:
        """Return the words that exercises.json holds. Raises ModelError: it is not of that form."""
        try:
            stems = {kind: _lists(of_kind) for kind, of_kind in record["stems"].items()}  # type: ignore[index]
            terms = _lists(record["terms"])  # type: ignore[index]
        except (KeyError, TypeError, AttributeError):
            raise ModelError(f"{where}: not stems and terms by type; fetch the student again") from None
        strange = (set(stems) - set(KINDS)) | (set().union(*stems.values(), terms) - set(ANSWER_TYPES))
        if strange:
            raise ModelError(f"{where}: '{sorted(strange)[0]}' is no kind or type of exercise that this version knows")
        if any(
            template.count(BLANK) > 1 for of_kind in stems.values() for many in of_kind.values() for template in many
        ):
            raise ModelError(f"{where}: a stem names two things ({BLANK} twice)")
        return cls(stems, terms)

    @classmethod
    def load(cls, folder: Path) -> ExerciseWords | None:
        """Return the words of a student's folder, None if it has none. Raises ModelError: not of the form."""
        from carabin.student_folder import read_object

        path = folder / WORDS_FILE
        return cls.from_dict(read_object(path), str(path)) if path.is_file() else None


def _lists(record: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    if not all(isinstance(text, str) and text.strip() for many in record.values() for text in many):
        raise TypeError
    return {name: tuple(many) for name, many in record.items()}


@dataclass(frozen=True, slots=True, eq=False)
class Phrases:
    """Phrases as tokens: each is encoded as it stands alone, whatever is written before it."""

    texts: tuple[str, ...]
    folded: tuple[str, ...]
    runs: Runs


class Phrasebook:
    """A student's words and marks as tokens of its tokenizer."""

    def __init__(self, tokenizer: Any, words: ExerciseWords, end: int = 1) -> None:  # noqa: ANN401 - tokenizers.Tokenizer
        """Encode the words.

        Args:
            tokenizer: The student's.
            words: What its exercises.json holds.
            end: The token that ends a text.

        Raises:
            ModelError: the tokenizer lacks a mark.
        """
        self.tokenizer = tokenizer
        self.end = end
        self._uncopied = uncopied(tokenizer)
        self.fields = {mark: self.mark(mark) for mark in (QUOTE, RIGHT, ASK, HOLE, WRONG, PROGRESSIVE)}
        self.kinds = {kind: self.mark(f"<{kind}>") for kind in KINDS}
        self.types = {asks: self.mark(f"<{asks}>") for asks in ANSWER_TYPES}
        self._stems = {
            (kind, asks): self._encode(templates)
            for kind, of_kind in words.stems.items()
            for asks, templates in of_kind.items()
        }
        self._terms = {asks: self._encode(_fitting(terms, asks)) for asks, terms in words.terms.items()}
        self._nothing = self._encode(())

    def mark(self, mark: str) -> int:
        """Return a mark's token. Raises ModelError: the tokenizer has none."""
        token = self.tokenizer.token_to_id(mark)
        if token is None:
            raise ModelError(f"tokenizer.json: no token {mark}: not of a student that writes exercises")
        return int(token)

    def stems(self, kind: str, asks: str) -> Phrases:
        """Return the templates of a kind and type; none where the student has none."""
        return self._stems.get((kind, asks), self._nothing)

    def terms(self, asks: str) -> Phrases:
        """Return the terms of a type; some are the same but for case and accents."""
        return self._terms.get(asks, self._nothing)

    def encode(self, text: str) -> list[int]:
        """Return the tokens of a field that is not copied: those of its text standing alone."""
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def _encode(self, texts: tuple[str, ...]) -> Phrases:
        """Return phrases with their tokens, without those that hold a mark."""
        encoded = [(text, self.encode(text)) for text in texts]
        kept = [(text, ids) for text, ids in encoded if ids and self._uncopied.isdisjoint(ids)]
        return Phrases(
            tuple(text for text, _ in kept),
            tuple(fold(text) for text, _ in kept),
            Runs.of_phrases([ids for _, ids in kept]),
        )


def _fitting(terms: tuple[str, ...], asks: str) -> tuple[str, ...]:
    """Return the terms that can answer, in every spelling: options are spelled as the report spells its own."""
    return tuple(dict.fromkeys(term for term in terms if has_shape(term, asks) and fold(term)))
