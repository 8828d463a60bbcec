"""The job `carabin summarise`, as a typed call: reports in, their conclusions out, each with what it says too much.

A conclusion that a student writes is a proposal. With each comes what it claims and the report does not say: numbers,
doses, drugs, negations (`carabin.generation.faithfulness`); none claimed wrongly is not yet a conclusion that is right.
A student that quotes concludes in sentences of the report, and each comes with its place there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TextIO

from carabin.documents import Document
from carabin.formats.base import (
    BadDocument,
    InputError,
    OutputError,
    Provenance,
    ReadOptions,
    WriteOptions,
    Writer,
)
from carabin.formats.json_lines import concatenate
from carabin.formats.reading import check_inputs
from carabin.formats.writing import check_places
from carabin.jobs.job import Job, Report, errors_place
from carabin.jobs.parts import PartMaker

if TYPE_CHECKING:
    from carabin.generation.conclusions import Summary
    from carabin.generation.writer import Writer as Student

PART_DOCUMENTS = 32
"""Reports of a part: to write one takes seconds, and a killed run loses no more than a part."""
ENGINES = ("int8", "fp32")
_SUMMARY = "carabin summary"


@dataclass(frozen=True, slots=True)
class SummariseOptions:
    """How conclusions are written."""

    to: str | None = None
    """`jsonl` or `text`; None goes by the output's suffix, and is text without an output."""
    engine: str | None = None
    """`int8` or `fp32`; None takes INT8 where the student was published with it."""
    threads: int | None = None
    """None for all cores. Changes no answer."""
    beams: int = 1
    """Texts followed at once for each report; 1 is the fastest."""
    resume: bool = False
    errors: Path | None = None
    """None puts it beside the output, as `OUT.errors.jsonl`. Written only if there are errors."""
    reading: ReadOptions = field(default_factory=ReadOptions)

    def __post_init__(self) -> None:
        if self.beams < 1:
            raise InputError(f"--beams {self.beams}: follow one text or more")


def summarise_files(
    inputs: Sequence[str | Path],
    out: Path | None,
    model: Path | str | None = None,
    options: SummariseOptions | None = None,
    stream: TextIO | None = None,
    on_progress: Callable[[int], None] | None = None,
    on_error: Callable[[BadDocument], None] | None = None,
) -> Report:
    """Write the conclusion of every report of the inputs; of a blank one an empty conclusion.

    Args:
        inputs: Files, folders, or `-`.
        out: Output file; None writes to `stream` as it goes.
        model: A student's folder, or its name once pulled.
        options: How.
        stream: Where conclusions go when there is no output file.
        on_progress: Called with the number of reports done, after each part.
        on_error: Called with each report set aside, for a run without an errors file.

    Raises:
        InputError: an input cannot be read at all.
        OutputError: the output's form is unknown, or the output is one of the inputs.
        ModelError: the student cannot be run, or does not write.
        JournalError: the run to resume is not this one.
    """
    options = options or SummariseOptions()
    names = [str(name) for name in inputs]
    check_inputs(names, options.reading)
    form = choose_form(out, options.to)
    if out is None and options.resume:
        raise OutputError("--resume needs an output file (-o): standard output cannot be taken up again")
    errors_path = errors_place(out, options.errors)
    check_places(names, out, errors_path, form, options.reading)
    student = load_student(model, options.engine, options.threads)
    maker = PartMaker(partial(_conclude, student, options.beams), form.refuses)
    job = Job(
        partial(map, maker),
        form,
        provenance_of(student),
        {"task": "summarise", "beams": options.beams},
        options.reading,
        options.resume,
        part_documents=PART_DOCUMENTS if out else 1,
        line=form.line,
    )
    return job.run(names, out, errors_path, stream, on_progress, on_error)


def load_student(model: Path | str | None, engine: str | None = None, threads: int | None = None) -> Student:
    """Return a student that writes.

    Args:
        model: Its folder, or its name.
        engine: `int8`, `fp32`, None for INT8 where there is.
        threads: None for all cores.

    Raises:
        InputError: there is no such engine.
        ModelError: there is no such student, it does not write, or its files are not sound.
    """
    if engine is not None and engine not in ENGINES:
        raise InputError(f"--engine '{engine}': a student that writes runs as {' or '.join(ENGINES)}")
    from carabin.generation.writer import Writer as Student
    from carabin.student_folder import find_student

    return Student.load(find_student(model, writes=True), None if engine is None else engine == "int8", threads)


def provenance_of(student: Student) -> Provenance:
    """Return who writes, and that it is today."""
    from datetime import UTC, datetime

    from carabin import __version__

    model = f"{student.name}@{student.version}" if student.version else student.name
    return Provenance(model, f"carabin {__version__}", datetime.now(UTC).date().isoformat())


def choose_form(out: Path | None, to: str | None) -> SummaryWriter:
    """Return the writer of conclusions. Raises OutputError: there is no such form, or none of that suffix."""
    if to is None:
        suffix = ".txt" if out is None else out.suffix.lower()
        to = next((name for name, form in FORMS.items() if suffix in form.suffixes), suffix)
    if to not in FORMS:
        raise OutputError(f"output form '{to.removeprefix('.')}' is unknown; name one with --to: {', '.join(FORMS)}")
    return FORMS[to](WriteOptions())


def _conclude(student: Student, beams: int, documents: Sequence[Document]) -> Iterator[Document]:
    """Yield the reports, each with its conclusion; of nothing, nothing is concluded."""
    written = student.summarise((document for document in documents if document.text.strip()), beams=beams)
    for document in documents:
        yield _carry(document, next(written) if document.text.strip() else None)


def _carry(document: Document, summary: Summary | None) -> Document:
    found: dict[str, Any] = {"summary": "", "windows": 0, "finished": True, "unsupported": [], "quotes": None}
    if summary is not None:
        quotes = summary.quotes
        found = {
            "summary": summary.text,
            "windows": summary.windows,
            "finished": summary.finished,
            "unsupported": list(summary.unsupported),
            "quotes": None if quotes is None else [{"start": start, "end": end} for start, end in quotes],
        }
    return replace(document, entities=(), attributes={_SUMMARY: found})


class SummaryWriter(Writer):
    """Writes the conclusions that reports carry, one after the other."""

    suffixes: ClassVar[tuple[str, ...]]

    def write_part(self, documents: Sequence[Document], path: Path, provenance: Provenance) -> None:
        """Write the conclusions of a run of reports."""
        with path.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(self.line(document, provenance) for document in documents)

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Put the parts one after the other."""
        concatenate(parts, path)

    def line(self, document: Document, provenance: Provenance) -> str:
        """Return what is written of one report."""
        raise NotImplementedError


class SummaryLines(SummaryWriter):
    """JSONL: `id`, `summary`, `windows`, `finished`, `unsupported`, `quotes`, and who wrote it.

    `quotes` are the places in the report, {start, end} in code points, of the lines of `summary`, in order; null of a
    student that writes in words of its own, and of a blank report.
    """

    suffix = ".jsonl"
    suffixes = (".jsonl", ".ndjson")

    def line(self, document: Document, provenance: Provenance) -> str:
        """Return a report's conclusion as a line of JSON."""
        made = {"model": provenance.model, "software": provenance.software, "date": provenance.date}
        return json.dumps({"id": document.id, **document.attributes[_SUMMARY], **made}, ensure_ascii=False) + "\n"


class SummaryText(SummaryWriter):
    """Text to be read: the report's id, its conclusion, what is to be checked in it."""

    suffix = ".txt"
    suffixes = (".txt",)

    def line(self, document: Document, provenance: Provenance) -> str:
        """Return a report's conclusion as a paragraph."""
        found = document.attributes[_SUMMARY]
        quotes, notes = found["quotes"], []
        if found["unsupported"]:
            why = "Absent du compte rendu" if quotes is None else "Cité hors de son contexte"
            notes.append(f"  {why}, à vérifier : {' ; '.join(found['unsupported'])}")
        if quotes:
            notes.append("  Phrases du compte rendu, citées mot pour mot")
        if not found["finished"]:
            notes.append("  Conclusion coupée à la longueur permise")
        if found["windows"] > 1:
            notes.append(f"  Compte rendu lu en {found['windows']} parties")
        title = f"{document.id} (proposition de {provenance.model}, à relire)"
        text = found["summary"] or ("Rien à conclure." if quotes is None else "Rien à citer du compte rendu.")
        shown = "\n".join(_printable(line) for line in (title, *text.splitlines(), *notes))
        return f"{shown}\n\n"


FORMS: dict[str, type[SummaryWriter]] = {"jsonl": SummaryLines, "text": SummaryText}


def _printable(line: str) -> str:
    """Return a line without what a terminal would obey."""
    return "".join(character if character.isprintable() or character == "\t" else " " for character in line)
