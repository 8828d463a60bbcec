"""Annotating a Spark DataFrame: the same entities as `Annotator` gives, from as many workers as the cluster has.

    from carabin import spark as carabin_spark

    notes = session.read.parquet("note")
    annotated = carabin_spark.annotate(notes, "note_text", "note_id", model="/opt/students/bert-small")
    carabin_spark.explode_entities(annotated).write.parquet("entities")

`carabin` and its few dependencies must be importable on the workers: installed there, or in the archive that ships the
job's Python environment (`--archives environment.tar.gz#environment`). `carabin` alone may also come by `--py-files`,
its compiled dependencies may not. The student is a folder that every worker sees under the same path, one that
`--archives student.zip#student` or `SparkContext.addFile(folder, recursive=True)` sent along, or one that is shipped
inside the package.

Each Python worker loads the student once and keeps it from task to task. It reads
`spark.sql.execution.arrow.maxRecordsPerBatch` notes at a time (10,000 unless set): lower it where notes are long.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carabin.documents import Document
from carabin.errors import CarabinError

if TYPE_CHECKING:
    import pandas
    from pyspark.sql import Column, DataFrame
    from pyspark.sql.types import StructType

    from carabin.annotator import Annotator
    from carabin.formats.base import Item, ReadOptions

ENTITY = "struct<start:int, end:int, label:string, text:string, score:double>"
"""One entity: code points `start` to `end` of the note, half-open, and what stands there."""

RESULT_COLUMNS = ("entities", "model", "error")
ROWS = 256
"""Notes annotated together, and returned to Spark together."""

_ID = "id"


class SparkError(CarabinError):
    """A DataFrame that cannot be annotated; the message names the column."""


@dataclass(frozen=True, slots=True)
class WorkerJob:
    """What a worker is told."""

    model: str | None = None
    engine: str | None = None
    threads: int = 1
    thresholds: Mapping[str, float] = field(default_factory=dict)
    max_characters: int = 10_000_000


def annotate(
    df: DataFrame,
    text_col: str = "note_text",
    id_col: str = "note_id",
    model: Path | str | None = None,
    *,
    thresholds: Mapping[str, float] | None = None,
    threads: int = 1,
    engine: str | None = None,
    max_characters: int = 10_000_000,
) -> DataFrame:
    """Return one row a note: its id, its entities, the student, and why it could not be annotated.

    | column | type | |
    |---|---|---|
    | as `id_col` | as in `df` | |
    | entities | array<struct<start:int, end:int, label:string, text:string, score:double>> | null on an error |
    | model | string | `name@version` of the student |
    | error | string | null, or the cause (no text, over the limit, a NUL in it, …), which never quotes the note |

    Like any transformation it is lazy: nothing is read before an action asks for it.

    Args:
        df: Holds the notes.
        text_col: Column of the texts, of type string.
        id_col: Column of the ids, a string or a whole number.
        model: A student's folder as the workers see it, a name that `--archives` or `addFile` gave to one, or the name
            of a shipped student; None for the shipped default.
        thresholds: Least score of an entity, by label; `*` stands for every label not named.
        threads: Of the engine in each worker. Spark runs a worker on each core it has, so one is right unless
            `spark.task.cpus` says otherwise.
        engine: As `Annotator.load` has it, but for `auto`: None takes the INT8 file where there is one, else the fp32.
        max_characters: Longer notes get an error.

    Raises:
        SparkError: a column is missing, or of a type that cannot be used.
        CarabinError: a threshold is none. If the driver sees the student, also for a label that it does not have.
    """
    from pyspark.sql import functions as F

    if engine == "auto":
        raise SparkError("engine 'auto': workers that measure at once mislead each other, and would answer differently")
    if threads < 1:
        raise SparkError(f"threads={threads}: a worker needs at least one")
    _check_columns(df.schema, text_col, id_col)
    job = WorkerJob(None if model is None else str(model), engine, threads, dict(thresholds or {}), max_characters)
    _check_on_driver(job)
    # Bytes are what pandas and Arrow leave alone: of whole numbers with a null among them they make floats, so other
    # ids of long ones, and a string that is no UTF-8, which Spark allows, ends the job.
    identifier, text = (_column(name).cast("string").cast("binary") for name in (id_col, text_col))
    notes = df.select(identifier.alias(_ID), text.alias("text"))

    def work(frames: Iterator[pandas.DataFrame]) -> Iterator[pandas.DataFrame]:
        yield from annotate_frames(frames, job)

    schema = f"{_ID} binary, entities array<{ENTITY}>, model string, error string"
    found = notes.mapInPandas(work, schema)
    return found.select(F.col(_ID).cast("string").cast(df.schema[id_col].dataType).alias(id_col), *RESULT_COLUMNS)


def explode_entities(annotated: DataFrame) -> DataFrame:
    """Return one row an entity: the note's id, start, end, label, text, score, model.

    Notes without an entity have no row, nor have those with an error: keep `annotated.where("error is not null")`.
    """
    from pyspark.sql import functions as F

    (id_col,) = [name for name in annotated.columns if name not in RESULT_COLUMNS]
    return annotated.select(_column(id_col), F.explode("entities").alias("entity"), "model").select(
        _column(id_col), "entity.*", "model"
    )


def annotate_frames(frames: Iterable[pandas.DataFrame], job: WorkerJob) -> Iterator[pandas.DataFrame]:
    """Yield the answers to frames of `id` and `text`, bytes or null, a few notes at a time: what a worker runs.

    Raises:
        ModelError: the student is not on this worker, or cannot be run. That ends the job: it is so for every note.
    """
    import pandas

    from carabin.annotate import check_thresholds

    annotator = _annotator(job.model, job.engine, job.threads)
    check_thresholds(job.thresholds, annotator.labels)
    for frame in frames:
        ids, texts = frame[_ID].tolist(), frame["text"].tolist()
        for first in range(0, len(ids), ROWS):
            rows = _answer(annotator, ids[first : first + ROWS], texts[first : first + ROWS], job)
            yield pandas.DataFrame(rows, columns=[_ID, *RESULT_COLUMNS], dtype=object)


def _answer(annotator: Annotator, ids: Sequence[Any], texts: Sequence[Any], job: WorkerJob) -> list[tuple[Any, ...]]:
    from carabin.calibration import above_thresholds
    from carabin.formats.base import ReadOptions

    options = ReadOptions(max_characters=job.max_characters)
    items = [_read(text, options) for text in texts]
    answers = iter(_annotate(annotator, [item for item in items if isinstance(item, Document)]))
    student = f"{annotator.model_id}@{annotator.model_version}"
    rows: list[tuple[Any, ...]] = []
    for identifier, item in zip(ids, items, strict=True):
        answer = next(answers) if isinstance(item, Document) else item
        if isinstance(answer, Document):
            kept = above_thresholds(answer.entities, job.thresholds)
            rows.append((identifier, [entity.to_dict(answer.text) for entity in kept], student, None))
        else:
            rows.append((identifier, None, student, answer.cause))
    return rows


def _read(text: bytes | None, options: ReadOptions) -> Item:
    from carabin.formats.base import BadDocument
    from carabin.formats.loading import make_document

    try:
        return make_document("", None if text is None else text.decode("utf-8"), "", options)
    except UnicodeDecodeError as error:
        return BadDocument("", f"not UTF-8 (byte {error.start}); convert the column")


def _annotate(annotator: Annotator, documents: Sequence[Document]) -> list[Item]:
    try:
        return list(annotator.annotate(documents))
    except Exception:
        # One of them is the cause: alone, each shows whether it is the one.
        return [_annotate_alone(annotator, document) for document in documents]


def _annotate_alone(annotator: Annotator, document: Document) -> Item:
    from carabin.formats.base import BadDocument

    try:
        return next(annotator.annotate([document]))
    except Exception as error:
        # The error's own message may quote the text; its type cannot.
        return BadDocument("", f"the engine failed on it ({type(error).__name__})", document.id)


@cache
def _annotator(model: str | None, engine: str | None, threads: int) -> Annotator:
    # Spark runs one worker a core: were each to tokenise on all cores, they would stand in each other's way.
    os.environ.setdefault("RAYON_NUM_THREADS", str(threads))
    from carabin.annotator import Annotator

    return Annotator.load(_folder_here(model), threads=threads, engine=engine)


def _folder_here(model: str | None) -> Path:
    """Return the student's folder on this machine. Raises ModelError: there is none."""
    from carabin.student_folder import find_student

    if model is not None and not Path(model).is_dir():
        from pyspark import SparkFiles

        sent = Path(SparkFiles.get(model))
        if sent.is_dir():
            return sent
    return find_student(model)


def _check_columns(schema: StructType, text_col: str, id_col: str) -> None:
    from pyspark.sql.types import DecimalType, IntegralType, StringType

    listed = ", ".join(schema.names[:30])
    for name in (text_col, id_col):
        if schema.names.count(name) != 1:
            cause = "more than one column of that name" if name in schema.names else f"no such column ({listed})"
            raise SparkError(f"column '{name}': {cause}")
    text_type, id_type = schema[text_col].dataType, schema[id_col].dataType
    if not isinstance(text_type, StringType):
        raise SparkError(f"column '{text_col}': is {text_type.simpleString()}, not string; cast it")
    if not isinstance(id_type, StringType | IntegralType | DecimalType):
        raise SparkError(f"column '{id_col}': is {id_type.simpleString()}, not string or whole numbers; cast it")
    if id_col in RESULT_COLUMNS:
        raise SparkError(f"column '{id_col}': is also a column of the result; rename it")


def _check_on_driver(job: WorkerJob) -> None:
    """Raise at once for what would otherwise end the job minutes later, as far as the driver can see."""
    from carabin.annotate import check_thresholds
    from carabin.student_folder import config_tags, find_student, read_config
    from carabin.tokens.tagging import labels_of

    if job.model is None or Path(job.model).is_dir():
        folder = find_student(job.model)
        check_thresholds(job.thresholds, labels_of(config_tags(read_config(folder), folder)))


def _column(name: str) -> Column:
    from pyspark.sql import functions as F

    return F.col("`" + name.replace("`", "``") + "`")
