"""Exercises as they are shown: numbered, their options in a drawn order, linked ones with what was read before."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import count

from carabin.documents import Document
from carabin.exercises.exercise import Question, QuestionSet
from carabin.exercises.units import Unit
from carabin.exercises.vignettes import find_body, unfold

LETTERS = "ABCDE"
KIND_NAMES = {"qru": "QRU", "qrm": "QRM", "qroc": "QROC"}
INSTRUCTIONS = {"qru": "une seule réponse", "qrm": "plusieurs réponses", "qroc": "réponse courte"}
TO_BE_READ = "À relire par un formateur avant tout usage"

_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufffe\uffff]")
"""What a terminal obeys, a page cannot hold or XML forbids; tabs and line feeds are none of these."""


@dataclass(frozen=True, slots=True)
class Option:
    """One of the five."""

    letter: str
    text: str
    right: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A question in its place.

    Attributes:
        number: From 1, linked questions after the others.
        question: What is asked.
        options: As they stand in every form; none for a QROC.
        vignette: Of a linked question, what of the report is read before it, in code points; empty where nothing can
            be without giving an answer away.
    """

    number: int
    question: Question
    options: tuple[Option, ...]
    vignette: Unit | None = None

    @property
    def kind(self) -> str:
        """Return the kind as a carer knows it."""
        return KIND_NAMES[self.question.kind]

    @property
    def letters(self) -> str:
        """Return the letters of the right options."""
        return ", ".join(option.letter for option in self.options if option.right)


@dataclass(frozen=True, slots=True)
class Sheet:
    """All questions on one report.

    Attributes:
        document: The report's id.
        text: The report.
        body: Where it begins to tell, after letterhead and identity; never after the words that justify an answer.
        alone: Questions apart from one another.
        linked: The questions of the progressive file; none where the report did not allow one.
    """

    document: str
    text: str
    body: int
    alone: tuple[Shown, ...]
    linked: tuple[Shown, ...]

    @property
    def all(self) -> tuple[Shown, ...]:
        """Return every question in its order."""
        return self.alone + self.linked

    @property
    def asked_with_report(self) -> str:
        """Return which questions are asked with the whole report at hand, in words; empty if none is."""
        last = len(self.alone)
        return "" if not last else "question 1" if last == 1 else f"questions 1 à {last}"

    def read_before(self, shown: Shown) -> str:
        """Return all that is read of the report before a linked question."""
        start, end = shown.vignette or (0, 0)
        return self.text[start:end]

    def read_since(self, shown: Shown) -> str:
        """Return what of that no linked question before it showed."""
        before = [other.vignette[1] for other in self.linked if other.vignette and other.number < shown.number]
        start, end = shown.vignette or (0, 0)
        return self.text[max([start, *before]) : end].strip()


def show(found: QuestionSet, document: Document, seed: int = 0) -> Sheet:
    """Return the questions on a report as they are shown; the same set, report and seed give the same."""
    numbers = count(1)
    alone = tuple(_show_one(question, next(numbers), document.id, seed) for question in found.questions)
    vignettes = unfold(document.text, found.progressive)
    linked = tuple(
        _show_one(question, next(numbers), document.id, seed, vignette)
        for question, vignette in zip(found.progressive, vignettes, strict=True)
    )
    body = min([find_body(document.text), *(shown.question.start for shown in alone + linked)])
    return Sheet(document.id, document.text, body, alone, linked)


def _show_one(question: Question, number: int, document: str, seed: int, vignette: Unit | None = None) -> Shown:
    def drawn(text: str) -> bytes:
        return hashlib.sha256(f"{document}\0{number}\0{seed}\0{text}".encode()).digest()

    texts = sorted((*question.right, *question.wrong), key=drawn) if question.wrong else []
    options = [Option(LETTERS[place], text, text in question.right) for place, text in enumerate(texts)]
    return Shown(number, question, tuple(options), vignette)


def lines_of(text: str) -> list[str]:
    """Return the lines of a text that say something, with no character that a form cannot hold."""
    lines = (_CONTROLS.sub(" ", line).rstrip() for line in text.splitlines())
    return [line for line in lines if line.strip()]


def plain(text: str) -> str:
    """Return a text on one line, with no character that a form cannot hold."""
    return " ".join(line.strip() for line in lines_of(text))
