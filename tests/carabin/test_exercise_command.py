import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from xml.etree import ElementTree

import pytest

from carabin import exercise
from carabin.documents import Document
from carabin.errors import ModelError
from carabin.exercise import ExerciseOptions, exercise_files
from carabin.exercises.exercise import QuestionSet
from carabin.formats.base import InputError, OutputError
from carabin.jobs.journal import JournalError
from carabin.student_folder import SHIPPED, find_student
from tests.carabin.exercise_cases import REPORT
from tests.carabin.exercise_sets import make_set
from tests.carabin.tiny_model import write_student
from tests.carabin.tiny_seq2seq import write_writing_student

BARE = "Bonjour."


@dataclass
class FakeStudent:
    """Asks the same of each report, nothing of a report without the words."""

    name: str = "tiny-t5"
    version: str = "0123"
    book: object = "words"
    stop_at: str = ""

    def __post_init__(self):
        self.asked = []

    def exercises(self, documents, kinds, count, progressive, batch):
        for document in documents:
            if document.id == self.stop_at:
                raise KeyboardInterrupt
            self.asked.append((document.id, kinds, count, progressive))
            found = make_set(document.id, progressive)
            whole = document.text == REPORT
            yield QuestionSet(document.id, found.questions[:count] if whole else (), found.progressive if whole else ())


@pytest.fixture
def student(monkeypatch):
    fake = FakeStudent()
    monkeypatch.setattr(exercise, "load_student", lambda model, engine, threads: fake)
    return fake


@pytest.fixture(scope="session")
def writing_student(tmp_path_factory):
    return write_writing_student(tmp_path_factory.mktemp("students") / "tiny-t5", window=2000, max_written=300)


def write_reports(path, count=20):
    records = [{"id": str(number), "text": REPORT} for number in range(count)]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def run(*arguments, data=None):
    command = [sys.executable, "-m", "carabin", *map(str, arguments)]
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"}
    return subprocess.run(command, input=data, capture_output=True, env=environment, timeout=120)


def test_every_report_comes_out_once_in_order_or_is_set_aside(student, tmp_path):
    path = tmp_path / "reports.jsonl"
    records = [{"id": "a", "text": REPORT}, {"id": "b", "text": BARE}, {"id": "c", "text": " \n"}, {"id": "d"}]
    records += [{"id": str(number), "text": REPORT} for number in range(12)]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    out = tmp_path / "new" / "questions.jsonl"
    report = exercise_files([path], out)
    assert [record["id"] for record in read_lines(out)] == ["a", *map(str, range(12))]
    assert (report.read, report.documents, report.errors, report.entities) == (16, 13, 3, 13 * 7)
    bad = {record["id"]: record["cause"] for record in read_lines(report.errors_path)}
    assert list(bad) == ["b", "c", "d"]
    assert "--kinds" in bad["b"] and "blank" in bad["c"]
    assert not list(out.parent.glob("*.parts*"))


def test_the_whole_record_is_what_the_student_wrote(student, tmp_path):
    path = tmp_path / "Compte rendu é.txt"
    path.write_text(REPORT, encoding="utf-8")
    exercise_files([path], tmp_path / "q.json")
    (record,) = json.loads((tmp_path / "q.json").read_text(encoding="utf-8"))
    assert record["id"] == "Compte rendu é" and record["model"] == "tiny-t5@0123" and record["text"] == REPORT
    asked = [question["stem"] for question in record["questions"] + record["progressive"]]
    assert asked == [question.stem for question in (*make_set().questions, *make_set().progressive)]


@pytest.mark.parametrize(("kinds", "asked"), [
    (("qru", "qrm", "qroc", "dp"), (("qru", "qrm", "qroc"), 3, True)),
    (("dp",), (("qru", "qrm", "qroc"), 0, True)),
    (("qroc", "qru"), (("qru", "qroc"), 3, False)),
    (("dp", "qrm"), (("qrm",), 3, True)),
])  # fmt: skip
def test_the_student_is_asked_for_the_kinds_that_are_wanted(student, tmp_path, kinds, asked):
    exercise_files(
        [write_reports(tmp_path / "r.jsonl", 1)], tmp_path / "q.txt", None, ExerciseOptions(kinds=kinds, count=3)
    )
    assert student.asked == [("0", *asked)]


def test_what_makes_no_sense_is_refused_before_anything_is_written(student, tmp_path):
    reports = write_reports(tmp_path / "r.jsonl", 1)
    for wrong in ({"kinds": ("qcm",)}, {"kinds": ()}, {"kinds": ("",)}, {"count": 0}, {"count": 51}):
        with pytest.raises(InputError, match="--(kinds|count)"):
            ExerciseOptions(**wrong)
    for out, options in (
        (tmp_path / "q.docx", ExerciseOptions()), (tmp_path / "q.txt", ExerciseOptions(to="gift")),
        (reports, ExerciseOptions(to="jsonl")), (None, ExerciseOptions(resume=True)),
    ):  # fmt: skip
        with pytest.raises(OutputError):
            exercise_files([reports], out, None, options)
    student.book = None
    with pytest.raises(ModelError, match=r"exercises\.json"):
        exercise_files([reports], tmp_path / "q.txt")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.jsonl"]


@pytest.mark.parametrize("name", ["q.xml", "q.json", "q.html", "q.txt"])
def test_a_killed_run_goes_on_to_the_same_bytes(student, tmp_path, name):
    reports = write_reports(tmp_path / "r.jsonl")
    exercise_files([reports], tmp_path / "whole" / name)
    out = tmp_path / "cut" / name
    student.stop_at = "13"
    with pytest.raises(KeyboardInterrupt):
        exercise_files([reports], out)
    assert not out.exists(), "an output is whole or not there"
    student.stop_at, student.asked = "", []
    with pytest.raises(JournalError, match="seed"):
        exercise_files([reports], out, None, ExerciseOptions(seed=1, resume=True))
    exercise_files([reports], out, None, ExerciseOptions(resume=True))
    assert student.asked[0][0] == "8", "what was done is not done again"
    assert out.read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_stream_is_the_same_as_a_file_in_every_form(student, tmp_path):
    import io

    reports = write_reports(tmp_path / "r.jsonl")
    for form in ("text", "json", "jsonl", "html", "moodle-xml"):
        options, stream = ExerciseOptions(to=form), io.StringIO()
        exercise_files([reports], None, None, options, stream)
        exercise_files([reports], tmp_path / "q", None, options)
        assert stream.getvalue() == (tmp_path / "q").read_text(encoding="utf-8")


def test_a_student_that_fails_on_a_report_takes_no_other_with_it(student, tmp_path, monkeypatch):
    sound = FakeStudent.exercises

    def fragile(self, documents, *arguments, **options):
        if any(document.id == "3" for document in documents):
            raise RuntimeError(f"cannot read {documents[0].text}")
        return sound(self, documents, *arguments, **options)

    monkeypatch.setattr(FakeStudent, "exercises", fragile)
    report = exercise_files([write_reports(tmp_path / "r.jsonl")], tmp_path / "q.xml")
    assert (report.documents, report.errors) == (19, 1)
    assert "DALMAYRAC" not in report.errors_path.read_text(encoding="utf-8")


def test_a_student_prints_questions_from_the_command_line(writing_student, tmp_path):
    note = tmp_path / "report.txt"
    note.write_text(REPORT, encoding="utf-8")
    result = run("exercise", note, "--model", writing_student, "--count", 3)
    assert (result.returncode, result.stderr) == (0, b"")
    text = result.stdout.decode("utf-8")
    assert text.splitlines()[1] == "report" and "À relire par un formateur" in text
    numbers = re.findall(r"^(\d)\. .*\((?:QRU|QRM|QROC), ", text, re.M)
    assert numbers and numbers == re.findall(r"^(\d)\. ", text.split("\nRéponses\n")[1], re.M)
    assert run("exercise", note, "--model", writing_student, "--count", 3).stdout == result.stdout
    for quote in re.findall("« (.*?) »\n", text.split("\nRéponses\n")[1], re.S):
        assert all(line.strip() in REPORT for line in quote.splitlines())


def test_the_command_line_writes_what_moodle_imports(writing_student, tmp_path):
    out = tmp_path / "quiz.xml"
    data = json.dumps({"id": "d/1", "text": REPORT}).encode() + b'\n{"id": "vide", "text": ""}\n'
    result = run("exercise", "-", "-o", out, "--model", writing_student, "--kinds", "qru, QRM", data=data)
    assert result.returncode == 3
    line = result.stderr.decode()
    assert re.match(r"\d+ questions on 1 reports, .* 1 set aside, see .*errors\.jsonl -> ", line)
    assert line.endswith(f" -> {out}\n")
    kinds = {question.get("type") for question in ElementTree.parse(out).getroot()}
    assert kinds == {"category", "description", "multichoice"}
    result = run("exercise", "-", "--to", "moodle-xml", "--model", writing_student, data=data)
    assert ElementTree.fromstring(result.stdout).tag == "quiz"
    assert result.stderr.decode().startswith("carabin: id vide: blank")


@pytest.mark.parametrize("command", ["annotate", "exercise", "summarise"])
def test_a_student_of_the_other_family_is_refused_in_one_line(writing_student, tmp_path, command):
    model = writing_student if command == "annotate" else write_student(tmp_path / "tagger")
    result = run(command, "-", "--model", model, data=REPORT.encode())
    assert (result.returncode, result.stdout) == (1, b"")
    line = result.stderr.decode()
    assert line.count("\n") == 1 and line.startswith(f"carabin: {model}")
    assert ("summarise" in line) == (command == "annotate") and ("annotate" in line) == (command != "annotate")


def test_the_shipped_default_is_of_the_family_that_is_asked_for(writing_student, tmp_path, monkeypatch):
    monkeypatch.setattr("carabin.student_folder.SHIPPED", tmp_path)
    assert SHIPPED != tmp_path
    shutil.copytree(writing_student, tmp_path / "a-writer")
    with pytest.raises(ModelError, match="no student is shipped"):
        find_student(None)
    write_student(tmp_path / "b-tagger")
    assert find_student(None).name == "b-tagger" and find_student(None, writes=True).name == "a-writer"
    shutil.rmtree(tmp_path / "a-writer")
    with pytest.raises(ModelError, match="no student that writes"):
        find_student(None, writes=True)


def test_a_document_carries_its_questions_and_nothing_else(student, tmp_path):
    """What a record holds beside its text may name the patient, and has no place in a quiz."""
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps({"id": "1", "text": REPORT, "patient": "DUPOND"}) + "\n", encoding="utf-8")
    for name in ("q.json", "q.xml", "q.html", "q.txt"):
        exercise_files([path], tmp_path / name)
        assert "DUPOND" not in (tmp_path / name).read_text(encoding="utf-8")
    assert Document("1", REPORT).attributes == {}
