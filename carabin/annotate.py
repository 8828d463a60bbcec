"""The job `carabin annotate`, as a typed call.

1. check the inputs, the output form and the student before anything is written;
2. read the inputs as a stream, in parts of bounded size;
3. annotate each part, setting aside what cannot be annotated, and write it (`journal`);
4. join the parts into the output and the errors file.

A part is annotated by itself, never beside documents of another: dynamic INT8 scales its activations over the batch, so
a document's last decimals depend on its neighbours, and a resumed run must have the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from carabin.annotation_parts import Part, PartAnnotator, cut_parts
from carabin.formats.base import (
    STDIN,
    BadDocument,
    InputError,
    Item,
    OutputError,
    Provenance,
    ReadOptions,
    WriteOptions,
    Writer,
)
from carabin.formats.json_lines import concatenate, json_line, write_json_lines
from carabin.formats.reading import check_inputs, find_sources, holds_one_document, read_inputs
from carabin.formats.writing import check_places, output_writer
from carabin.journal import COUNTS, Journal

if TYPE_CHECKING:
    from carabin.annotator import Annotator

PART_DOCUMENTS = 512
PART_CHARACTERS = 4_000_000
STREAMED_DOCUMENTS = 64
"""Documents of a part on standard output, where someone may be waiting for the first."""


@dataclass(frozen=True, slots=True)
class JobOptions:
    """How a job is run."""

    to: str | None = None
    """Form of the output; None goes by its suffix."""
    fp32: bool = False
    """Run `onnx/model.onnx` even where there is an INT8 file."""
    threads: int | None = None
    """None for all cores."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Least score of an entity, by label; `*` stands for every label not named."""
    resume: bool = False
    errors: Path | None = None
    """None puts it beside the output, as `OUT.errors.jsonl`. Written only if there are errors."""
    reading: ReadOptions = field(default_factory=ReadOptions)
    writing: WriteOptions = field(default_factory=WriteOptions)
    calibrated: bool = False
    """Apply the thresholds that were fitted with the student; `thresholds` go before them."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a job did."""

    documents: int
    """Annotated and written."""
    entities: int
    errors: int
    """Documents set aside, each in the errors file."""
    blank: int
    """Of the documents written, those with nothing but spaces in them."""
    read: int
    """All documents met: `documents + errors`."""
    errors_path: Path | None = None
    """The errors file, if one was written."""


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
        JournalError: the run to resume is not this one.
    """
    options = options or JobOptions()
    names = [str(name) for name in inputs]
    check_inputs(names, options.reading)
    one_document = holds_one_document(names, options.reading)
    form = output_writer(out, options.to, options.writing, one_document)
    if out is None and options.resume:
        raise OutputError("--resume needs an output file (-o): standard output cannot be taken up again")
    errors_path = options.errors or (out and out.with_name(out.name + ".errors.jsonl"))
    check_places(names, out, errors_path, form, options.reading)
    from carabin.annotator import Annotator
    from carabin.student_folder import find_student

    annotator = Annotator.load(find_student(model), quantized=False if options.fp32 else None, threads=options.threads)
    check_thresholds(options.thresholds, annotator.labels)
    if options.calibrated:
        options = replace(options, thresholds={**fitted_thresholds(annotator), **options.thresholds})
    annotate = PartAnnotator(annotator, form.refuses, options.thresholds)
    job = _Job(annotate, options, form, _provenance(annotator))
    if out is None or errors_path is None:
        return job.to_stream(read_inputs(names, options.reading), stream, errors_path, on_progress, on_error)
    return job.to_output(names, out, errors_path, on_progress)


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


@dataclass(frozen=True, slots=True)
class _Job:
    annotate: PartAnnotator
    options: JobOptions
    form: Writer
    provenance: Provenance

    def to_output(
        self, names: Sequence[str], out: Path, errors_path: Path, on_progress: Callable[[int], None] | None
    ) -> Report:
        journal = Journal(out, self.form.suffix, self._plan(names), self.options.resume)
        if not journal.complete:
            # A resumed run keeps the first run's date.
            provenance = replace(self.provenance, date=journal.plan["date"])
            items = islice(read_inputs(names, self.options.reading), journal.read, None)
            for batch in cut_parts(items, PART_DOCUMENTS, PART_CHARACTERS):
                self._write_part(self.annotate(batch), journal, provenance)
                if on_progress:
                    on_progress(journal.read)
            journal.finish(self.form.join, concatenate, errors_path)
        totals = journal.totals()
        return Report(**totals, errors_path=errors_path if totals["errors"] else None)

    def to_stream(
        self,
        items: Iterable[Item],
        stream: TextIO | None,
        errors_path: Path | None,
        on_progress: Callable[[int], None] | None,
        on_error: Callable[[BadDocument], None] | None,
    ) -> Report:
        totals = dict.fromkeys(COUNTS, 0)
        if errors_path is not None:
            errors_path.unlink(missing_ok=True)
        for batch in cut_parts(items, STREAMED_DOCUMENTS, PART_CHARACTERS):
            part = self.annotate(batch)
            if stream:
                stream.writelines(json_line(document, self.provenance) for document in part.documents)
                stream.flush()
            if part.bad and errors_path is not None:
                write_json_lines([problem.to_dict() for problem in part.bad], errors_path, mode="a")
            elif on_error:
                for problem in part.bad:
                    on_error(problem)
            for name, count in part.counts().items():
                totals[name] += count
            if on_progress:
                on_progress(totals["read"])
        return Report(**totals, errors_path=errors_path if totals["errors"] else None)

    def _write_part(self, part: Part, journal: Journal, provenance: Provenance) -> None:
        journal.commit(
            part.counts(),
            lambda path: self.form.write_part(part.documents, path, provenance),
            lambda path: write_json_lines([problem.to_dict() for problem in part.bad], path),
        )

    def _plan(self, names: Sequence[str]) -> dict[str, Any]:
        """Return all that decides the bytes of the output."""
        import onnxruntime

        return {
            "software": f"{self.provenance.software}, onnxruntime {onnxruntime.__version__}",
            "model": self.provenance.model,
            "threads": self.options.threads or os.cpu_count(),
            "form": type(self.form).__name__,
            "writing": [asdict(self.form.options), file_signature(self.form.options.typesystem)],
            "temperature": self.annotate.annotator.temperature,
            "thresholds": dict(self.options.thresholds),
            "reading": asdict(self.options.reading),
            "inputs": [input_signature(name, self.options.reading) for name in names],
            "part": [PART_DOCUMENTS, PART_CHARACTERS],
            "date": self.provenance.date,
        }


def file_signature(name: str | None) -> list[Any]:
    """Return what tells that a file is still the same: its name, size and time of change."""
    if name is None:
        return []
    stat = Path(name).stat()
    return [name, stat.st_size, stat.st_mtime_ns]


def input_signature(name: str, options: ReadOptions) -> list[Any]:
    """Return what tells that an input is still the same: its name, its files, their sizes and times of change."""
    if name == STDIN:
        return [STDIN]
    stats = [source.path.stat() for source in find_sources(name, options)[1] if source.path.exists()]
    sizes, times = [stat.st_size for stat in stats], [stat.st_mtime_ns for stat in stats]
    return [name, len(stats), sum(sizes), max(times, default=0)]


def _provenance(annotator: Annotator) -> Provenance:
    from datetime import UTC, datetime

    from carabin import __version__

    model = f"{annotator.model_id}@{annotator.model_version}" if annotator.model_version else annotator.model_id
    return Provenance(model, f"carabin {__version__}", datetime.now(UTC).date().isoformat())
