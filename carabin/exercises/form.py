"""The form in which a student writes an exercise: fields between marks, in one order, nothing else.

    <qru><dose><quote>VISANNE 2 mg : 1 par jour<right>2 mg<ask>Quelle est la dose de {} ?<of>VISANNE<wrong>5 mg<wrong>…

A progressive file is `<dp>` and three exercises in a row. Marks are of `carabin.generation.tasks`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from carabin.exercises.exercise import ExerciseError, Kind, Question
from carabin.exercises.units import find_units
from carabin.exercises.wording import fold, has_shape, mentions
from carabin.generation.tasks import ASK, HOLE, KIND_MARKS, MARKS, PROGRESSIVE, QUOTE, RIGHT, TYPE_MARKS, WRONG

BLANK = "{}"
"""In a template: what the question names."""
LINKED = 3
"""Questions of a progressive file."""
LONGEST_RUN = 12
"""Units that a QRM may quote in a row; the others quote one."""

_MARK = re.compile("(" + "|".join(map(re.escape, MARKS)) + ")")


@dataclass(frozen=True, slots=True)
class Draft:
    """A question with the pieces its stem was made of.

    Attributes:
        question: What a carer is asked.
        template: The stem, with `{}` where it names something of the report.
        hole: What it names, in the report's words; empty where the template has no `{}`.
    """

    question: Question
    template: str
    hole: str

    def __post_init__(self) -> None:
        if self.template.count(BLANK) != bool(self.hole):
            raise ExerciseError("a template has one {} where the question names something, and none elsewhere")


@dataclass(frozen=True, slots=True)
class Fields:
    """What stands between the marks of one exercise, before anything is held against the report."""

    kind: Kind
    asks: str
    quote: str
    right: tuple[str, ...]
    template: str
    hole: str
    wrong: tuple[str, ...]


def write_form(drafts: Sequence[Draft]) -> str:
    """Return the text of one exercise, or of the three of a progressive file."""
    if len(drafts) not in (1, LINKED):
        raise ExerciseError(f"one exercise or {LINKED} linked ones are written at once, not {len(drafts)}")
    return (PROGRESSIVE if len(drafts) == LINKED else "") + "".join(map(_write_one, drafts))


def _write_one(draft: Draft) -> str:
    question = draft.question
    right = "".join(RIGHT + answer for answer in question.right)
    wrong = "".join(WRONG + answer for answer in question.wrong)
    hole = HOLE + draft.hole if draft.hole else ""
    return f"<{question.kind}><{question.asks}>{QUOTE}{question.quote}{right}{ASK}{draft.template}{hole}{wrong}"


def read_form(text: str, report: str) -> list[Draft]:
    """Return the exercise, or the three of a progressive file, that a student wrote of a report.

    Raises:
        ExerciseError: the text is not of the form, or breaks a rule of exercises (`check_draft`); it says which.
    """
    units = find_units(report)
    folded = fold(report)
    drafts = [_hold_against(fields, report, units) for fields in parse_form(text)]
    for draft in drafts:
        check_draft(draft, folded)
    for before, after in zip(drafts, drafts[1:], strict=False):
        if after.question.start < before.question.end:
            raise ExerciseError("the evidence of a linked question stands before that of the one it follows")
    return drafts


def parse_form(text: str) -> list[Fields]:
    """Return the fields of one exercise or of three. Raises ExerciseError: the marks are not in their order."""
    before, *rest = _MARK.split(text)
    marks, values = rest[::2], [value.strip() for value in rest[1::2]]
    if before.strip() or not marks or marks[0] not in KIND_MARKS:
        raise ExerciseError("an exercise begins with the mark of its kind")
    linked = marks[0] == PROGRESSIVE
    if linked and values[0]:
        raise ExerciseError("something stands between two marks that follow one another")
    pairs = list(zip(marks, values, strict=True))[linked:]
    starts = [number for number, (mark, _) in enumerate(pairs) if mark in KIND_MARKS]
    if starts[:1] != [0] or len(starts) != (LINKED if linked else 1):
        raise ExerciseError(f"an exercise stands alone, or {LINKED} in a progressive file, each with its kind")
    return [_parse_one(pairs[first:last]) for first, last in zip(starts, [*starts[1:], len(pairs)], strict=True)]


def _parse_one(pairs: Sequence[tuple[str, str]]) -> Fields:
    marks = [mark for mark, _ in pairs]
    kind, asks = marks[0], marks[1] if len(marks) > 1 else ""
    if kind == PROGRESSIVE or asks not in TYPE_MARKS or pairs[0][1] or pairs[1][1]:
        raise ExerciseError("the marks of the kind and of the type stand first, and nothing between them")
    fields = "".join({QUOTE: "q", RIGHT: "r", ASK: "a", HOLE: "o", WRONG: "w"}.get(mark, "?") for mark in marks[2:])
    if not re.fullmatch("qr+ao?w*", fields):
        raise ExerciseError("the fields are the quote, the right answers, the question, its name, the wrong answers")
    if not all(value for _, value in pairs[2:]):
        raise ExerciseError("a field is empty")
    found = {mark: tuple(value for name, value in pairs if name == mark) for mark in set(marks)}
    (quote,), (template,), (hole,) = found[QUOTE], found[ASK], found.get(HOLE, ("",))
    return Fields(
        cast("Kind", kind.strip("<>")), asks.strip("<>"), quote, found[RIGHT], template, hole, found.get(WRONG, ())
    )


def _hold_against(fields: Fields, report: str, units: Sequence[tuple[int, int]]) -> Draft:
    start, end = _find_quote(fields, report, units)
    stem = fields.template.replace(BLANK, fields.hole) if fields.hole else fields.template
    question = Question(fields.kind, fields.asks, stem, fields.right, fields.wrong, start, end, fields.quote)
    return Draft(question, fields.template, fields.hole)


def _find_quote(fields: Fields, report: str, units: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the first place where the quote is a unit of the report, or for a QRM several in a row."""
    longest = LONGEST_RUN if fields.kind == "qrm" else 1
    for first, (start, _) in enumerate(units):
        for _, end in units[first : first + longest]:
            if end - start == len(fields.quote) and report.startswith(fields.quote, start):
                return start, end
    raise ExerciseError("the quote is not whole sentences or lines of the report, word for word")


def check_draft(draft: Draft, folded_report: str) -> None:
    """Raise ExerciseError for the rule that a draft breaks.

    Args:
        draft: Its quote is the report's.
        folded_report: The report, folded (`carabin.exercises.wording`).
    """
    question = draft.question
    folded = [fold(option) for option in (*question.right, *question.wrong)]
    right, wrong = folded[: len(question.right)], folded[len(question.right) :]
    stem = fold(question.stem)
    rules = {
        "a right answer is not in the quote": all(answer in question.quote for answer in question.right),
        "the question names what is not in the quote": draft.hole in question.quote,
        "two options are the same": len(set(folded)) == len(folded),
        "a wrong answer stands in the report": not any(mentions(folded_report, answer) for answer in wrong),
        "the stem gives a right answer away": not any(mentions(stem, answer) for answer in right),
        "an answer is not of the type asked for": all(
            has_shape(option, question.asks) for option in (*question.right, *question.wrong)
        ),
    }
    for rule, kept in rules.items():
        if not kept:
            raise ExerciseError(rule)
