"""An exercise as tokens: what training teaches, and the grammar spells.

Between two marks stand either tokens of the source, where the field is a copy of the report (a quote, a right answer,
what a question names), or the tokens of the field standing alone (a stem, a wrong answer). Byte-level BPE cuts a word
otherwise after a space than at the beginning of a text: training must teach the cuts that the grammar offers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from carabin.exercises.exercise import ExerciseError
from carabin.exercises.form import LINKED, Draft
from carabin.generation.source import Source
from carabin.generation.tasks import ASK, HOLE, PROGRESSIVE, QUOTE, RIGHT, WRONG


def encode_form(tokenizer: Any, drafts: Sequence[Draft], source: Source) -> list[int]:  # noqa: ANN401 - tokenizers.Tokenizer
    """Return the tokens of one exercise or of a progressive file, without the token that ends a text.

    Args:
        tokenizer: The student's.
        drafts: One, or three that are linked; their places count in the report.
        source: The report, or the window of it that they quote (`carabin.generation.source.read_source`).

    Raises:
        ExerciseError: a copied field begins or ends within a token of the source, or outside the window.
    """
    if len(drafts) not in (1, LINKED):
        raise ExerciseError(f"one exercise or {LINKED} linked ones are written at once, not {len(drafts)}")
    pieces = [_mark(tokenizer, PROGRESSIVE)] if len(drafts) == LINKED else []
    for draft in drafts:
        pieces += _encode_one(tokenizer, draft, source)
    return pieces


def _encode_one(tokenizer: Any, draft: Draft, source: Source) -> list[int]:  # noqa: ANN401
    question = draft.question
    start, end = question.start - source.start, question.end - source.start
    if start < 0 or end > len(source.text):
        raise ExerciseError("the quote stands outside the window")
    ids = [_mark(tokenizer, f"<{question.kind}>"), _mark(tokenizer, f"<{question.asks}>")]
    ids += [_mark(tokenizer, QUOTE), *_copied(source, start, end)]
    place = start
    for answer in question.right:
        found, copied = _find(source, answer, place, start, end)
        place = found + len(answer)
        ids += [_mark(tokenizer, RIGHT), *copied]
    ids += [_mark(tokenizer, ASK), *_alone(tokenizer, draft.template)]
    if draft.hole:
        ids += [_mark(tokenizer, HOLE), *_find(source, draft.hole, start, start, end)[1]]
    for answer in question.wrong:
        ids += [_mark(tokenizer, WRONG), *_alone(tokenizer, answer)]
    return ids


def _find(source: Source, surface: str, place: int, start: int, end: int) -> tuple[int, list[int]]:
    """Return where words of the quote stand, after `place` if they do, and their tokens there."""
    for begin in (place, start):
        found = source.text.find(surface, begin, end)
        while found >= 0:
            tokens = source.tokens(found, found + len(surface))
            if tokens and _at_word_edges(source.text, found, found + len(surface)):
                return found, source.ids[slice(*tokens)].tolist()
            found = source.text.find(surface, found + 1, end)
    raise ExerciseError("an answer, or what a question names, is not whole words and tokens of the quote")


def _at_word_edges(text: str, start: int, end: int) -> bool:
    before, after = text[max(0, start - 1) : start + 1], text[end - 1 : end + 1]
    return not (len(before) == 2 and before.isalnum()) and not (len(after) == 2 and after.isalnum())


def _copied(source: Source, start: int, end: int) -> list[int]:
    tokens = source.tokens(start, end)
    if tokens is None:
        raise ExerciseError("the quote begins or ends within a token")
    return source.ids[slice(*tokens)].tolist()


def _alone(tokenizer: Any, text: str) -> list[int]:  # noqa: ANN401
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def _mark(tokenizer: Any, mark: str) -> int:  # noqa: ANN401
    token = tokenizer.token_to_id(mark)
    if token is None:
        raise ExerciseError(f"the tokenizer has no token {mark}")
    return int(token)
