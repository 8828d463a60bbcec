"""The forms in which question sets are written. A new one is a function from a sheet to text, and its line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from carabin.documents import Document
from carabin.exercises import html_page, json_form, moodle, plain_text
from carabin.exercises.shown import Sheet
from carabin.formats.base import OutputError, Provenance, WriteOptions, Writer
from carabin.outputs import is_device

_SHEET = "exercises"


@dataclass(frozen=True, slots=True)
class Form:
    """One form.

    Attributes:
        suffixes: Of files in it.
        write: Turns the questions on one report into text.
        head: What stands before all reports.
        between: What stands between two.
        foot: What stands after them.
    """

    suffixes: tuple[str, ...]
    write: Callable[[Sheet, Provenance], str]
    head: str = ""
    between: str = ""
    foot: str = ""


FORMS = {
    "text": Form((".txt",), plain_text.write_text),
    "json": Form((".json",), json_form.write_object, "[\n", ",\n", "\n]\n"),
    "jsonl": Form((".jsonl",), json_form.write_line),
    "html": Form((".html", ".htm"), html_page.write_section, html_page.HEAD, foot=html_page.FOOT),
    "moodle-xml": Form((".xml",), moodle.write_moodle, moodle.HEAD, foot=moodle.FOOT),
}


def choose_form(out: Path | None, to: str | None) -> str:
    """Return the name of the output's form: the one named, else by the suffix, else text.

    Raises:
        OutputError: there is no such form, none of that suffix, or the output is a device.
    """
    if out is not None and is_device(out):
        # Renaming the output to its place would put a file where /dev/null was.
        raise OutputError(f"{out}: is a device or a pipe; leave it out and redirect standard output there")
    if to is not None and to not in FORMS:
        raise OutputError(f"output form '{to}' is unknown; name one with --to: {', '.join(FORMS)}")
    if to is not None or out is None:
        return to or "text"
    found = next((name for name, form in FORMS.items() if out.suffix.lower() in form.suffixes), None)
    if found is None:
        suffixes = ", ".join(suffix for form in FORMS.values() for suffix in form.suffixes)
        raise OutputError(f"{out}: questions are written to {suffixes}; name the form with --to: {', '.join(FORMS)}")
    return found


def carry(document: Document, sheet: Sheet) -> Document:
    """Return a report that carries the questions on it through a run."""
    return replace(document, entities=(), attributes={_SHEET: sheet})


def sheet_of(document: Document) -> Sheet:
    """Return the questions that a report carries."""
    found = document.attributes[_SHEET]
    assert isinstance(found, Sheet)
    return found


class SheetWriter(Writer):
    """Writes the questions that documents carry, all reports in one file."""

    suffix = ".part"

    def __init__(self, name: str) -> None:
        """Write in a form of `FORMS`, which also names it in the run's plan."""
        super().__init__(WriteOptions())
        self.name, self.form = name, FORMS[name]

    def write_part(self, documents: Sequence[Document], path: Path, provenance: Provenance) -> None:
        """Write the questions of a run of documents."""
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(self._pieces(self.form.write(sheet_of(document), provenance) for document in documents))

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Make the file of all parts that hold something."""
        with path.open("w", encoding="utf-8", newline="\n") as out:
            out.write(self.form.head)
            full = (part.read_text(encoding="utf-8") for part in parts if part.stat().st_size)
            out.writelines(self._pieces(full))
            out.write(self.form.foot)

    def _pieces(self, texts: Iterable[str]) -> Iterator[str]:
        for number, text in enumerate(texts):
            yield self.form.between + text if number else text

    def line(self) -> Callable[[Document, Provenance], str]:
        """Return what writes one document after the other to a stream, between the head and the foot."""
        written = 0

        def write(document: Document, provenance: Provenance) -> str:
            nonlocal written
            written += 1
            return (self.form.between if written > 1 else "") + self.form.write(sheet_of(document), provenance)

        return write
