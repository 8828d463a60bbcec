"""Question sets made by hand, for the tests of the forms and of the command."""

from carabin.documents import Document
from carabin.exercises.exercise import Question, QuestionSet
from carabin.exercises.shown import show
from carabin.formats.base import Provenance
from tests.carabin.exercise_cases import DIAGNOSIS, PROGRESSIVE, QRM, QROC, REPORT, make_draft

PROVENANCE = Provenance("tiny-t5@0123", "carabin 9.9", "2026-01-02")


def make_set(identifier="CRH-1", linked=True):
    """Return questions of every kind on `REPORT`."""
    alone = (make_draft().question, QRM.question, QROC.question, DIAGNOSIS.question)
    progressive = tuple(draft.question for draft in PROGRESSIVE) if linked else ()
    return QuestionSet(identifier, alone, progressive, {"model": "tiny-t5", "version": "0123"})


def make_sheet(identifier="CRH-1", text=REPORT, questions=None, linked=None, seed=0):
    """Return the set, or the questions given, as they are shown."""
    found = (
        make_set(identifier) if questions is None else QuestionSet(identifier, tuple(questions), tuple(linked or ()))
    )
    return show(found, Document(identifier, text), seed)


def ask(text, quote, right, kind="qroc", wrong=(), stem="Quoi ?", asks="diagnosis", start=None):
    """Return a question on any text."""
    start = text.index(quote) if start is None else start
    return Question(kind, asks, stem, tuple(right), tuple(wrong), start, start + len(quote), quote)
