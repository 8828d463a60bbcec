"""An exercise: a question on a report, its answers, and the words of the report that justify them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from carabin.errors import CarabinError

Kind = Literal["qru", "qrm", "qroc"]
OPTIONS = 5
"""Of a QRU or QRM, right and wrong together."""


class ExerciseError(CarabinError):
    """An exercise that cannot be; the message says which rule it breaks, never the report's text."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes:
        kind: `qru` has one right answer, `qrm` two to four; both have five options in all. `qroc` has no options.
        asks: What it asks for, one of `carabin.generation.tasks.ANSWER_TYPES`.
        stem: The question as a carer reads it.
        right: The right answers, as the report has them.
        wrong: The other options; empty for a `qroc`.
        start: First code point, in the report, of the words that justify the answer.
        end: One past the last.
        quote: Those words.
    """

    kind: Kind
    asks: str
    stem: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]
    start: int
    end: int
    quote: str

    def __post_init__(self) -> None:
        counts = {"qru": (1, 1), "qrm": (2, OPTIONS - 1), "qroc": (1, 1)}
        low, high = counts[self.kind]
        if not low <= len(self.right) <= high:
            raise ExerciseError(f"a {self.kind} has {low} to {high} right answers, not {len(self.right)}")
        options = 0 if self.kind == "qroc" else OPTIONS - len(self.right)
        if len(self.wrong) != options:
            found = f"{len(self.right)} right and {len(self.wrong)} wrong"
            raise ExerciseError(f"a {self.kind} has {found} answers; the wrong ones must be {options}")
        if not self.stem.strip() or not all(option.strip() for option in (*self.right, *self.wrong)):
            raise ExerciseError("a stem or an option is empty")


@dataclass(frozen=True, slots=True)
class QuestionSet:
    """The questions on one report.

    Attributes:
        document: Id of the report.
        questions: Apart from one another.
        progressive: Three linked questions, each asked once the report is unfolded up to the words before its answer;
            empty where the report did not allow one.
        attributes: Model, version and whatever else the record carries.
    """

    document: str
    questions: tuple[Question, ...]
    progressive: tuple[Question, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict)
