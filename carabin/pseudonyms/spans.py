"""The span of an identity, and what becomes of spans that overlap.

The policy, in one sentence: nothing that anybody flagged stays, and who proves more names it. Spans claim their
characters in the order of their `Proof`, longer ones first; a later span keeps what is left of it. So a telephone
number checked against the numbering plan stays whole inside an address that the student drew too wide, and the rest of
that address is still replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

LABELS = (
    "ADRESSE", "DATE", "DATE_NAISSANCE", "HOPITAL", "IPP", "MAIL", "NDA", "NOM", "PRENOM", "SECU", "TEL", "VILLE",
    "ZIP",
)  # fmt: skip
"""The `pii` label set of the zoo's students."""

RULE_LABELS = ("RPPS", "FINESS")
"""Labels that only rules give: numbers of a carer and of an establishment."""

DATES = ("DATE", "DATE_NAISSANCE")


class Proof(IntEnum):
    """How sure it is that a span is what its label says; the lower, the surer."""

    CHECKED = 0
    """A rule that checks: a key, Luhn's digit, the numbering plan, the calendar, the form of a mail address."""
    MODEL = 1
    CONTEXT = 2
    """A rule that reads the words around: `IPP :`, `Dr`, `rue`."""
    WEAK = 3
    """The same words as another span of the document, or a number too long to be a measure."""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of text that tells who somebody is: code points, half-open."""

    start: int
    end: int
    label: str
    proof: Proof = Proof.MODEL
    score: float | None = None
    """The student's confidence; None from a rule."""


def merge_spans(text: str, spans: Iterable[Span]) -> list[Span]:
    """Return disjoint spans, sorted, that cover every letter and digit that any span covered.

    The one exception: what is left of a date and holds no digit was only a word beside it.
    """
    named = list(_birth_dates(list(spans)))
    named.sort(key=lambda span: (span.proof, span.start - span.end, span.start, span.label))
    taken = bytearray(len(text))
    kept: list[Span] = []
    for span in named:
        for start, end in _free_runs(taken, span):
            start, end = _trimmed(text, start, end)
            whole = (start, end) == (span.start, span.end)
            if start < end and (whole or _worth_keeping(text[start:end], span.label)):
                kept.append(replace(span, start=start, end=end))
                taken[start:end] = b"\1" * (end - start)
    return sorted(kept, key=lambda span: span.start)


def _birth_dates(spans: list[Span]) -> Iterator[Span]:
    """Give a date that a rule found the student's better name for it."""
    births = [span for span in spans if span.label == "DATE_NAISSANCE"]
    for span in spans:
        born = span.label == "DATE" and any(b.start < span.end and span.start < b.end for b in births)
        yield replace(span, label="DATE_NAISSANCE") if born else span


def _free_runs(taken: bytearray, span: Span) -> Iterator[tuple[int, int]]:
    """Yield the parts of a span that no earlier one holds."""
    start = span.start
    while 0 <= (start := taken.find(0, start, span.end)) < span.end:
        stop = taken.find(1, start, span.end)
        yield start, span.end if stop < 0 else stop
        start = span.end if stop < 0 else stop


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _worth_keeping(piece: str, label: str) -> bool:
    if label in DATES:
        return any(character.isdigit() for character in piece)
    return any(character.isalnum() for character in piece)
