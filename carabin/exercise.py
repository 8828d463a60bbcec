"""The job `carabin exercise`, as a typed call: reports in, questions on them out, in the forms that platforms import.

What a student writes is sound by its grammar (`carabin.exercises.grammar`), which does not make it worth asking:
a trainer reads it before anyone answers it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, get_args

from carabin.documents import Document
from carabin.errors import ModelError
from carabin.exercises.exercise import Kind, QuestionSet
from carabin.exercises.forms import SheetWriter, carry, choose_form, sheet_of
from carabin.exercises.shown import show
from carabin.formats.base import BadDocument, InputError, Item, OutputError, ReadOptions
from carabin.formats.reading import check_inputs
from carabin.formats.writing import check_places
from carabin.jobs.job import Job, Report, errors_place
from carabin.jobs.parts import Part, PartMaker
from carabin.summarise import load_student, provenance_of

if TYPE_CHECKING:
    from carabin.generation.writer import Writer as Student

KINDS: tuple[Kind, ...] = get_args(Kind)
PROGRESSIVE = "dp"
"""Among the kinds that are asked for: a progressive file, whose questions are of the other kinds."""
COUNT = 6
LARGEST_COUNT = 50
PART_DOCUMENTS = 8
"""Reports of a part: to write questions on one takes seconds, and a killed run loses no more than a part."""


@dataclass(frozen=True, slots=True)
class ExerciseOptions:
    """What questions are written, and how."""

    to: str | None = None
    """A form of `carabin.exercises.forms`; None goes by the output's suffix, and is text without an output."""
    kinds: tuple[str, ...] = (*KINDS, PROGRESSIVE)
    """Of the questions apart, and of those of a progressive file, which `dp` asks for. `dp` alone: nothing but one."""
    count: int = COUNT
    """Questions apart on each report; fewer where it has not the material."""
    seed: int = 0
    """Of the options' order."""
    engine: str | None = None
    """`int8` or `fp32`; None takes INT8 where the student was published with it."""
    threads: int | None = None
    """None for all cores."""
    resume: bool = False
    errors: Path | None = None
    """None puts it beside the output, as `OUT.errors.jsonl`. Written only if there are errors."""
    reading: ReadOptions = field(default_factory=ReadOptions)

    def __post_init__(self) -> None:
        known = (*KINDS, PROGRESSIVE)
        strange = next((kind for kind in self.kinds if kind not in known), None)
        if strange is not None or not self.kinds:
            raise InputError(f"--kinds '{strange or ''}': choose among {','.join(known)}")
        if not 1 <= self.count <= LARGEST_COUNT:
            raise InputError(f"--count {self.count}: ask for 1 to {LARGEST_COUNT} questions on each report")

    @property
    def asked(self) -> tuple[tuple[Kind, ...], int, bool]:
        """Return the kinds, how many questions apart, and whether a progressive file is wanted."""
        apart = tuple(kind for kind in KINDS if kind in self.kinds)
        return apart or KINDS, self.count if apart else 0, PROGRESSIVE in self.kinds


class ExercisePart(Part):
    """A part whose `entities` are questions."""

    __slots__ = ()

    def counts(self) -> dict[str, int]:
        """Return what the journal adds up."""
        return {
            "read": self.read,
            "documents": len(self.documents),
            "entities": sum(len(sheet_of(document).all) for document in self.documents),
            "errors": len(self.bad),
            "blank": 0,
        }


def exercise_files(
    inputs: Sequence[str | Path],
    out: Path | None,
    model: Path | str | None = None,
    options: ExerciseOptions | None = None,
    stream: TextIO | None = None,
    on_progress: Callable[[int], None] | None = None,
    on_error: Callable[[BadDocument], None] | None = None,
) -> Report:
    """Write questions on every report of the inputs; one on which there is nothing to ask is set aside.

    Args:
        inputs: Files, folders, or `-`.
        out: Output file; None writes to `stream` as it goes.
        model: A student's folder, the name of a shipped one, or its name once pulled; None for the shipped default.
        options: What is asked, and how.
        stream: Where questions go when there is no output file.
        on_progress: Called with the number of reports done, after each part.
        on_error: Called with each report set aside, for a run without an errors file.

    Returns:
        The report; its `entities` are questions.

    Raises:
        InputError: an input cannot be read at all.
        OutputError: the output's form is unknown, or the output is one of the inputs.
        ModelError: the student cannot be run, or writes no exercises.
        JournalError: the run to resume is not this one.
    """
    options = options or ExerciseOptions()
    names = [str(name) for name in inputs]
    check_inputs(names, options.reading)
    writer = SheetWriter(choose_form(out, options.to))
    if out is None and options.resume:
        raise OutputError("--resume needs an output file (-o): standard output cannot be taken up again")
    errors_path = errors_place(out, options.errors)
    check_places(names, out, errors_path, writer, options.reading)
    student = load_student(model, options.engine, options.threads)
    if student.book is None:
        raise ModelError(f"{student.name}: a student without exercises.json writes no exercises; name another, --model")
    job = Job(
        partial(map, partial(_make_part, PartMaker(partial(_ask, student, options), writer.refuses))),
        writer,
        provenance_of(student),
        _plan(writer, options),
        options.reading,
        options.resume,
        part_documents=PART_DOCUMENTS,
        line=writer.line(),
    )
    framed = stream if out is None else None
    if framed:
        framed.write(writer.form.head)
    report = job.run(names, out, errors_path, stream, on_progress, on_error)
    if framed:
        framed.write(writer.form.foot)
    return report


def _make_part(maker: PartMaker, items: Sequence[Item]) -> ExercisePart:
    part = maker(items)
    return ExercisePart(part.read, part.documents, part.bad)


def _ask(student: Student, options: ExerciseOptions, documents: Sequence[Document]) -> Iterator[Item]:
    """Yield the reports, each with the questions on it, or why there are none."""
    kinds, count, progressive = options.asked
    told = [document for document in documents if document.text.strip()]
    found = student.exercises(told, kinds, count, progressive, batch=PART_DOCUMENTS)
    for document in documents:
        questions = next(found) if document.text.strip() else QuestionSet(document.id, ())
        if questions.questions or questions.progressive:
            yield carry(document, show(questions, document, options.seed))
        else:
            yield BadDocument(f"id {document.id}", _nothing_to_ask(document), document.id)


def _nothing_to_ask(document: Document) -> str:
    if not document.text.strip():
        return "blank: there is nothing to ask"
    return "nothing in it of which this student can ask; try other --kinds"


def _plan(writer: SheetWriter, options: ExerciseOptions) -> dict[str, object]:
    """Return what decides the bytes of the output beside what every job knows."""
    kinds, count, progressive = options.asked
    return {
        "to": writer.name,
        "kinds": list(kinds),
        "count": count,
        "progressive": progressive,
        "seed": options.seed,
    }
