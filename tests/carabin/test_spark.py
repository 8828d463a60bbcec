import os
import shutil
import sys
from collections import Counter

import pandas
import pytest
from pyspark.errors import PythonException
from pyspark.sql import SparkSession

from carabin import Annotator
from carabin import spark as carabin_spark
from carabin.formats.base import InputError
from carabin.spark import RESULT_COLUMNS, ROWS, SparkError, WorkerJob, annotate_frames

# A byte order mark is part of a column's text: left out, all that follows would be one to the left.
NOTE = "\ufeff😀 Une fièvre aiguë,\r\npas de dyspnée : paracétamol."


def frame(*rows):
    columns = zip(*([None if cell is None else as_bytes(cell) for cell in row] for row in rows), strict=True)
    return pandas.DataFrame(dict(zip(["id", "text"], columns, strict=True)), dtype=object)


def as_bytes(cell):
    return cell if isinstance(cell, bytes) else cell.encode()


def answers(frames, **options):
    return pandas.concat(list(annotate_frames(frames, WorkerJob(**options)))).to_dict("records")


def expected(annotator, text):
    return [entity.to_dict(text) for entity in annotator(text)]


# What a worker runs, in this process.


def test_bad_notes_are_rows_with_a_cause_between_good_ones(student, annotator):
    rows = answers(
        [frame(("1", NOTE), ("2", None), ("3", "x\0"), ("4", "x" * 101), (None, "fièvre"), ("5", b"\xff"), ("6", ""))],
        model=str(student),
        max_characters=100,
    )
    assert [row["id"] for row in rows] == [b"1", b"2", b"3", b"4", None, b"5", b"6"]
    assert [row["entities"] for row in rows] == [
        expected(annotator, NOTE), None, None, None, expected(annotator, "fièvre"), None, [],
    ]  # fmt: skip
    causes = [row["error"] for row in rows]
    assert [cause is None for cause in causes] == [True, False, False, False, True, False, True]
    for number, part in {1: "null", 2: "NUL", 3: "over the limit", 5: "not UTF-8"}.items():
        assert part in causes[number]
    assert {row["model"] for row in rows} == {f"{annotator.model_id}@{annotator.model_version}"}


def test_a_note_on_which_the_engine_fails_is_one_row_and_is_not_quoted(student, monkeypatch):
    whole = Annotator.annotate

    def fail(self, documents):
        documents = list(documents)
        if any("Dupont" in document.text for document in documents):
            raise KeyError(documents[0].text)
        return whole(self, documents)

    monkeypatch.setattr(Annotator, "annotate", fail)
    good, bad, last = answers([frame(("1", "fièvre"), ("2", "Dupont"), ("3", "fièvre"))], model=str(student))
    assert len(good["entities"]) == len(last["entities"]) == 1
    assert (bad["entities"], bad["error"]) == (None, "the engine failed on it (KeyError)")


def test_notes_are_read_a_frame_at_a_time_and_given_back_in_small_ones(student):
    taken = []

    def stream():
        for number in range(3):
            taken.append(number)
            yield frame(*((str(row), "fièvre") for row in range(2 * ROWS + 1)))

    found = annotate_frames(stream(), WorkerJob(model=str(student)))
    assert [len(next(found)) for _ in range(3)] == [ROWS, ROWS, 1]
    assert taken == [0]


# On a real Spark.


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    # One core, so one worker; Java must be there: without it these tests fail, they are not skipped.
    here = tmp_path_factory.mktemp("spark")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        patch.chdir(here)
        builder = SparkSession.builder.master("local[1]").appName("carabin")
        for key, value in {
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.driver.host": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "1",
            "spark.sql.warehouse.dir": str(here / "warehouse"),
            "spark.sql.execution.arrow.maxRecordsPerBatch": "1000",
        }.items():
            builder = builder.config(key, value)
        spark = builder.getOrCreate()
        yield spark
        spark.stop()


@pytest.fixture
def notes(session):
    # 2^53 + 1 is no float: an id that went through one would come back as another patient's. A string of Spark's may be
    # no UTF-8.
    rows = [(2**53 + 1, NOTE), (None, "fièvre"), (3, None), (4, "x\0"), (5, ""), (6, NOTE * 40), (7, b"\xe9t\xe9")]
    rows = [(name, text.encode() if isinstance(text, str) else text) for name, text in rows]
    frame = session.createDataFrame(rows, "note_id bigint, note_text binary")
    return frame.withColumn("note_text", frame.note_text.cast("string"))


@pytest.mark.slow
def test_a_dataframe_has_the_annotators_entities_and_its_own_ids(notes, student, annotator):
    annotated = carabin_spark.annotate(notes, "note_text", "note_id", student)
    assert annotated.columns == ["note_id", *RESULT_COLUMNS]
    assert dict(annotated.dtypes)["note_id"] == "bigint"
    assert dict(annotated.dtypes)["entities"] == f"array<{carabin_spark.ENTITY}>".replace(", ", ",")
    rows = annotated.collect()
    assert [row.note_id for row in rows] == [2**53 + 1, None, 3, 4, 5, 6, 7]
    found = [None if row.entities is None else [entity.asDict() for entity in row.entities] for row in rows]
    assert found == [
        expected(annotator, NOTE), expected(annotator, "fièvre"), None, None, [], expected(annotator, NOTE * 40), None,
    ]  # fmt: skip
    assert [row.error is None for row in rows] == [True, True, False, False, True, True, False]

    exploded = carabin_spark.explode_entities(annotated)
    assert exploded.columns == ["note_id", "start", "end", "label", "text", "score", "model"]
    assert exploded.count() == sum(len(entities or []) for entities in found)
    kept = carabin_spark.annotate(notes, "note_text", "note_id", student, thresholds={"DISO": 1.0})
    assert {row.label for row in carabin_spark.explode_entities(kept).collect()} == {"CHEM"}


@pytest.mark.slow
def test_ten_thousand_notes_stream_through_one_worker_that_loads_the_student_once(session, student, tmp_path):
    here = shutil.copytree(student, tmp_path / "student")
    texts = session.range(10_000).selectExpr(
        "id", "concat('note ', id, if(id % 2 = 0, ' : dyspnée', '')) as `the text`"
    )

    def count():
        annotated = carabin_spark.annotate(texts.repartition(4), "the text", "id", here)
        return Counter((len(row.entities), row.error) for row in annotated.collect())

    assert count() == {(1, None): 5000, (0, None): 5000}
    # Without its files a worker that has not kept the student could not answer.
    shutil.rmtree(here)
    assert count() == {(1, None): 5000, (0, None): 5000}


@pytest.mark.slow
def test_a_student_may_be_sent_along_with_the_job(session, student, tmp_path):
    shutil.copytree(student, tmp_path / "sent")
    session.sparkContext.addFile(str(tmp_path / "sent"), recursive=True)
    frame = session.createDataFrame([("a", "fièvre")], "id string, text string")
    (row,) = carabin_spark.annotate(frame, "text", "id", "sent").collect()
    assert [entity.text for entity in row.entities] == ["fièvre"]
    assert not os.path.exists("sent")  # noqa: PTH110 - it came from Spark, not from this folder


@pytest.mark.slow
def test_a_student_that_no_worker_has_ends_the_job_and_says_why(notes):
    with pytest.raises(PythonException, match="gone: no such folder"):
        carabin_spark.annotate(notes, model="gone").collect()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "arguments", "error", "cause"),
    [
        ("id int, text string", {"text_col": "note"}, SparkError, "column 'note': no such column (id, text)"),
        ("id int, text binary", {}, SparkError, "column 'text': is binary, not string"),
        ("id double, text string", {}, SparkError, "column 'id': is double"),
        ("error int, text string", {"id_col": "error"}, SparkError, "also a column of the result"),
        ("id int, text string", {"threads": 0}, SparkError, "at least one"),
        ("id int, text string", {"engine": "auto"}, SparkError, "mislead each other"),
        ("id int, text string", {"thresholds": {"DOSE": 0.5}}, InputError, "DOSE: not a label of this student"),
    ],
)
def test_what_cannot_be_annotated_is_said_before_the_job(session, student, columns, arguments, error, cause):
    empty = session.createDataFrame([], columns)
    with pytest.raises(error) as caught:
        carabin_spark.annotate(empty, **{"text_col": "text", "id_col": "id", "model": student, **arguments})
    assert cause in str(caught.value)
