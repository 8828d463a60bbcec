"""The job `carabin annotate`, as a typed call.

1. check the inputs, the output form and the student before anything is written;
2. read the inputs as a stream, in parts of bounded size;
3. annotate each part, setting aside what cannot be annotated, and write it (`job`);
4. join the parts into the output and the errors file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from carabin.calibration import above_thresholds
from carabin.documents import Document
from carabin.formats.base import (
    BadDocument,
    InputError,
    Item,
    OutputError,
    Provenance,
    ReadOptions,
    WriteOptions,
    Writer,
)
from carabin.formats.reading import check_inputs, holds_one_document
from carabin.formats.writing import check_places, output_writer
from carabin.jobs.job import PART_DOCUMENTS, Job, Report, errors_place, kept_engine
from carabin.jobs.parts import Part, PartMaker, Transform

if TYPE_CHECKING:
    from carabin.annotator import Annotator


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How a job is run."""

    to: str | None = None
    """Form of the output; None goes by its suffix."""
    engine: str | None = None
    """`int8`, `fp32`, `openvino`, or `auto`: the fastest here, or for a run that is resumed the one it began with. None
    takes INT8 where the student was published with it, else fp32."""
    threads: int | None = None
    """None for all cores. Changes no answer."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Least score of an entity, by label; `*` stands for every label not named."""
    resume: bool = False
    errors: Path | None = None
    """None puts it beside the output, as `OUT.errors.jsonl`. Written only if there are errors."""
    reading: ReadOptions = field(default_factory=ReadOptions)
    writing: WriteOptions = field(default_factory=WriteOptions)
    calibrated: bool = False
    """Apply the thresholds that were fitted with the student; `thresholds` go before them."""
    names: Path | None = None
    """CSV file of the hospital's own names (`carabin.names.name_list`)."""


def annotate_files(
    inputs: Sequence[str | Path],
    out: Path | None,
    model: Path | str | None = None,
    options: JobOptions | None = None,
    stream: TextIO | None = None,
    on_progress: Callable[[int], None] | None = None,
    on_error: Callable[[BadDocument], None] | None = None,
) -> Report:
    """Annotate every document of the inputs.

    Args:
        inputs: Files, folders, or `-`.
        out: Output file or folder; None writes JSONL to `stream` as it goes.
        model: A student's folder or the name of a shipped one; None for the shipped default.
        options: How.
        stream: Where JSONL goes when there is no output file.
        on_progress: Called with the number of documents done, after each part.
        on_error: Called with each document set aside, for a run without an errors file.

    Raises:
        InputError: an input cannot be read at all.
        OutputError: the output's form is unknown, or the output is one of the inputs.
        ModelError: the student cannot be run.
        NamesError: the list of names cannot be used.
        JournalError: the run to resume is not this one.
    """
    options = options or JobOptions()
    names = [str(name) for name in inputs]
    check_inputs(names, options.reading)
    one_document = holds_one_document(names, options.reading)
    form = output_writer(out, options.to, options.writing, one_document)
    if out is None and options.resume:
        raise OutputError("--resume needs an output file (-o): standard output cannot be taken up again")
    errors_path = errors_place(out, options.errors)
    check_places(names, out, errors_path, form, options.reading)
    from carabin.annotator import Annotator
    from carabin.student_folder import find_student

    annotator = Annotator.load(
        find_student(model), threads=options.threads, engine=kept_engine(options.engine, options.resume, out),
        names=options.names,
    )  # fmt: skip
    check_thresholds(options.thresholds, annotator.labels)
    if options.calibrated:
        options = replace(options, thresholds={**fitted_thresholds(annotator), **options.thresholds})
    job = Job(
        _make_parts(annotator, options.thresholds, form),
        form,
        provenance_of(annotator),
        _plan(annotator, options),
        options.reading,
        options.resume,
        part_documents=PART_DOCUMENTS,
    )
    return job.run(names, out, errors_path, stream, on_progress, on_error)


def check_thresholds(thresholds: Mapping[str, float], labels: Sequence[str]) -> None:
    """Raise InputError if a threshold is for no label of the student, or is not a probability."""
    for label, value in thresholds.items():
        if label != "*" and label not in labels:
            raise InputError(f"--threshold {label}: not a label of this student, which has {', '.join(labels)}")
        if not 0 <= value <= 1:
            raise InputError(f"--threshold {label}={value}: a score lies between 0 and 1")


def fitted_thresholds(annotator: Annotator) -> dict[str, float]:
    """Return the thresholds of the student's calibration.json. Raises InputError: it was published without one."""
    if not annotator.thresholds:
        raise InputError(
            f"--threshold calibrated: '{annotator.model_id}' was published without fitted thresholds; say LABEL=0.5"
        )
    return annotator.thresholds


def annotates(annotator: Annotator, thresholds: Mapping[str, float]) -> Transform:
    """Return the transform that gives documents the annotator's entities, those above the thresholds."""

    def annotated(documents: Sequence[Document]) -> Iterator[Document]:
        for document in annotator.annotate(documents):
            if thresholds:
                document = replace(document, entities=above_thresholds(document.entities, thresholds))
            yield document

    return annotated


def _make_parts(
    annotator: Annotator, thresholds: Mapping[str, float], form: Writer
) -> Callable[[Iterable[list[Item]]], Iterator[Part]]:
    maker = PartMaker(annotates(annotator, thresholds), form.refuses)

    def annotated(groups: Iterable[Sequence[Document]]) -> Iterator[list[Document] | Exception]:
        for outcome in annotator.annotate_groups(groups):
            if thresholds and not isinstance(outcome, Exception):
                outcome = [replace(d, entities=above_thresholds(d.entities, thresholds)) for d in outcome]
            yield outcome

    return lambda batches: maker.stream(batches, annotated)


def _plan(annotator: Annotator, options: JobOptions) -> dict[str, Any]:
    """Return what decides the bytes of the output beside what every job knows."""
    from carabin.engines.engine_choice import runtime_of

    return {
        "engine": annotator.engine_name,
        "runtime": runtime_of(annotator.engine_name),
        "temperature": annotator.temperature,
        "thresholds": dict(options.thresholds),
        "names": annotator.names and annotator.names.digest,
    }


def provenance_of(annotator: Annotator) -> Provenance:
    """Return who annotates, and that it is today."""
    from datetime import UTC, datetime

    from carabin import __version__

    model = f"{annotator.model_id}@{annotator.model_version}" if annotator.model_version else annotator.model_id
    return Provenance(model, f"carabin {__version__}", datetime.now(UTC).date().isoformat())
