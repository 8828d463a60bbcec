"""A run over documents, whatever it does with them: read as a stream, transformed and written in parts, resumed.

A part is transformed by itself, never beside documents of another: dynamic INT8 scales its activations over the batch,
so a document's last decimals depend on its neighbours, and a resumed run must have the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from carabin.documents import Document
from carabin.formats.base import STDIN, BadDocument, Item, Provenance, ReadOptions, Writer
from carabin.formats.json_lines import concatenate, json_line, write_json_lines
from carabin.formats.reading import ERRORS_BESIDE, find_sources, read_inputs
from carabin.jobs.journal import COUNTS, Journal, recorded_plan
from carabin.jobs.parts import Part, cut_parts
from carabin.outputs import is_device

PART_DOCUMENTS = 512
PART_CHARACTERS = 4_000_000
STREAMED_DOCUMENTS = 32
"""Documents of a part on standard output, where someone may be waiting for the first; the next part is read before."""


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


def errors_place(out: Path | None, asked: Path | None) -> Path | None:
    """Return where documents set aside are listed: where it was asked for, else beside the output, if there is one."""
    return asked or (out and out.with_name(out.name + ERRORS_BESIDE))


@dataclass(frozen=True, slots=True)
class Job:
    """One run."""

    make_parts: Callable[[Iterable[list[Item]]], Iterator[Part]]
    """Yields a part for each run of items; a part must not depend on the run before, which a resumed run has not."""
    form: Writer
    provenance: Provenance
    plan: Mapping[str, Any]
    """What decides the bytes of the output beside the form, the reading and the inputs."""
    reading: ReadOptions
    resume: bool = False
    entities: bool = False
    """Read the entities that the inputs hold."""
    part_documents: int = PART_DOCUMENTS
    part_characters: int = PART_CHARACTERS
    line: Callable[[Document, Provenance], str] = json_line
    """What is written of each document to a stream."""

    def run(
        self,
        names: Sequence[str],
        out: Path | None,
        errors_path: Path | None,
        stream: TextIO | None,
        on_progress: Callable[[int], None] | None,
        on_error: Callable[[BadDocument], None] | None,
    ) -> Report:
        """Run into the output, or without one into the stream. Raises JournalError: not the run to resume."""
        if out is None or errors_path is None:
            return self.to_stream(names, stream, errors_path, on_progress, on_error)
        return self.to_output(names, out, errors_path, on_progress)

    def to_output(
        self, names: Sequence[str], out: Path, errors_path: Path, on_progress: Callable[[int], None] | None
    ) -> Report:
        """Run into a file or folder, in parts that outlive a kill. Raises JournalError: not the run to resume."""
        journal = Journal(out, self.form.suffix, self._whole_plan(names), self.resume)
        if not journal.complete:
            # A resumed run keeps the first run's date.
            provenance = replace(self.provenance, date=journal.plan["date"])
            items = islice(read_inputs(names, self.reading, self.entities), journal.read, None)
            for part in self.make_parts(cut_parts(items, self.part_documents, self.part_characters)):
                self._write_part(part, journal, provenance)
                if on_progress:
                    on_progress(journal.read)
            journal.finish(self.form.join, concatenate, errors_path)
        totals = journal.totals()
        return Report(**totals, errors_path=errors_path if totals["errors"] else None)

    def to_stream(
        self,
        names: Sequence[str],
        stream: TextIO | None,
        errors_path: Path | None,
        on_progress: Callable[[int], None] | None,
        on_error: Callable[[BadDocument], None] | None,
    ) -> Report:
        """Run into a stream, as it goes."""
        totals = dict.fromkeys(COUNTS, 0)
        items = read_inputs(names, self.reading, self.entities)
        if errors_path is not None and not is_device(errors_path):
            errors_path.unlink(missing_ok=True)
        for part in self.make_parts(
            cut_parts(items, min(STREAMED_DOCUMENTS, self.part_documents), self.part_characters)
        ):
            if stream:
                stream.writelines(self.line(document, self.provenance) for document in part.documents)
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

    def _whole_plan(self, names: Sequence[str]) -> dict[str, Any]:
        """Return all that decides the bytes of the output."""
        return {
            "software": self.provenance.software,
            "model": self.provenance.model,
            **self.plan,
            "form": type(self.form).__name__,
            "writing": [asdict(self.form.options), file_signature(self.form.options.typesystem)],
            # JSON has no tuples: a plan is compared with what was read back of it.
            "reading": {**asdict(self.reading), "other_columns": list(self.reading.other_columns)},
            "inputs": [input_signature(name, self.reading) for name in names],
            "part": [self.part_documents, self.part_characters],
            "date": self.provenance.date,
        }


def kept_engine(engine: str | None, resume: bool, out: Path | None) -> str | None:
    """Return the engine asked for; a resumed run keeps the one it began with, whichever is the fastest today."""
    from carabin.engines.engine_choice import AUTO

    if engine == AUTO and resume and out is not None:
        return recorded_plan(out).get("engine") or AUTO
    return engine


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
