"""Question sets as text: questions first, answers with the words that justify them after, so that paper can be cut."""

from __future__ import annotations

from collections.abc import Iterator

from carabin.exercises.shown import INSTRUCTIONS, TO_BE_READ, Sheet, Shown, lines_of, plain
from carabin.formats.base import Provenance

_RULE = "=" * 80


def write_text(sheet: Sheet, provenance: Provenance) -> str:
    """Return the text of one report's questions and answers."""
    return "\n".join(_lines(sheet, provenance)) + "\n\n"


def _lines(sheet: Sheet, provenance: Provenance) -> Iterator[str]:
    yield from (_RULE, plain(sheet.document), f"{TO_BE_READ} ({provenance.model}).", _RULE)
    for shown in sheet.alone:
        yield from _question(shown)
    if sheet.linked:
        yield from ("", "Dossier progressif")
    for shown in sheet.linked:
        if read := sheet.read_since(shown):
            yield from ("", *(f"  | {line}" for line in lines_of(read)))
        yield from _question(shown)
    yield from ("", "Réponses")
    for shown in sheet.all:
        yield from _answer(shown)


def _question(shown: Shown) -> Iterator[str]:
    yield from ("", f"{shown.number}. {plain(shown.question.stem)} ({shown.kind}, {INSTRUCTIONS[shown.question.kind]})")
    for option in shown.options:
        yield f"   {option.letter}. {plain(option.text)}"


def _answer(shown: Shown) -> Iterator[str]:
    right = " ; ".join(plain(answer) for answer in shown.question.right)
    yield f"{shown.number}. {shown.letters + ' : ' if shown.options else ''}{right}"
    quote = "\n     ".join(line.strip() for line in lines_of(shown.question.quote))
    yield f"   « {quote} »"
