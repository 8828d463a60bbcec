import io
import json
import sys

import pytest

from carabin import summarise
from carabin.errors import ModelError
from carabin.formats import InputError, OutputError, ReadOptions
from carabin.generation.writer import Writer
from carabin.jobs.journal import Journal
from carabin.summarise import SummariseOptions, summarise_files
from tests.carabin.exercise_cases import REPORT
from tests.carabin.tiny_seq2seq import write_writing_student

MADE = ("model", "software", "date")


@pytest.fixture(scope="module")
def writing_student(tmp_path_factory):
    return write_writing_student(tmp_path_factory.mktemp("writers") / "tiny", window=64, max_written=12)


@pytest.fixture
def reports(tmp_path):
    path = tmp_path / "reports.jsonl"
    records = [{"id": str(number), "text": f"{REPORT} Jour {number}."} for number in range(6)]
    records[3]["text"], records[4] = " \n", {"id": "bad"}
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_report_has_its_conclusion_once_in_order(reports, writing_student, tmp_path):
    out = tmp_path / "out.jsonl"
    report = summarise_files([reports], out, writing_student)
    found = read_lines(out)
    assert [record["id"] for record in found] == ["0", "1", "2", "3", "5"]
    assert (report.read, report.documents, report.errors, report.blank) == (6, 5, 1, 1)
    assert [record["id"] for record in read_lines(report.errors_path)] == ["bad"]
    for record in found:
        assert set(record) == {"id", "summary", "windows", "finished", "unsupported", "quotes", *MADE}
        assert record["quotes"] is None  # words of its own
        assert record["model"].startswith("tiny@")
        # Longer than a window: read whole, and it is said in how many parts.
        assert record["windows"] > 1 or record["id"] == "3"
    assert (found[3]["summary"], found[3]["windows"], found[3]["unsupported"]) == ("", 0, [])


def test_what_the_report_does_not_say_stands_beside_its_conclusion(reports, writing_student, tmp_path, monkeypatch):
    """A conclusion with a dose of its own reads as well as a true one."""
    sound = Writer.decode
    monkeypatch.setattr(
        Writer, "decode", lambda *facts, **options: sound(*facts, **options)[:0] + "Kardégic 75 mg, 33 mg."
    )
    summarise_files([reports], tmp_path / "out.jsonl", writing_student)
    assert read_lines(tmp_path / "out.jsonl")[0]["unsupported"] == ["33 mg"]
    summarise_files([reports], tmp_path / "out.txt", writing_student)
    text = (tmp_path / "out.txt").read_text(encoding="utf-8")
    assert text.count("Absent du compte rendu, à vérifier : 33 mg\n") == 4
    assert text.count("à relire)") == 5 and "Rien à conclure." in text


def test_a_killed_run_goes_on_to_the_same_bytes(reports, writing_student, tmp_path, monkeypatch):
    monkeypatch.setattr(summarise, "PART_DOCUMENTS", 2)
    summarise_files([reports], tmp_path / "whole.jsonl", writing_student)
    commit, done = Journal.commit, []

    def stop(self, *arguments):
        if done:
            raise KeyboardInterrupt
        done.append(commit(self, *arguments))

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Journal, "commit", stop)
        summarise_files([reports], tmp_path / "out.jsonl", writing_student)
    progress = []
    options = SummariseOptions(resume=True)
    summarise_files([reports], tmp_path / "out.jsonl", writing_student, options, on_progress=progress.append)
    assert progress[0] == 4
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_report_on_standard_input_is_one_report_and_jsonl_is_many(writing_student, monkeypatch):
    def written(data):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        stream = io.StringIO()
        options = SummariseOptions(to="jsonl", reading=ReadOptions(whole_stdin=True))
        report = summarise_files(["-"], None, writing_student, options, stream=stream)
        return report.documents, [json.loads(line)["id"] for line in stream.getvalue().splitlines()]

    assert written(f"\n\n{REPORT}".encode()) == (1, ["stdin"])
    assert written(b'\n{"id": "a", "text": "x"}\n{"id": "b", "text": "y"}\n') == (2, ["a", "b"])
    assert written(b"") == (0, [])


def test_one_engine_or_the_other_and_no_third(reports, writing_student, tmp_path):
    models = set()
    for engine in ("int8", "fp32"):
        summarise_files([reports], tmp_path / "out.jsonl", writing_student, SummariseOptions(engine=engine))
        models.add(read_lines(tmp_path / "out.jsonl")[0]["model"])
    assert len(models) == 2
    with pytest.raises(InputError, match="int8 or fp32"):
        summarise_files([reports], tmp_path / "out.jsonl", writing_student, SummariseOptions(engine="openvino"))


def test_a_tagger_does_not_write_and_a_writer_does_not_tag(reports, writing_student, student, tmp_path):
    from carabin.annotate import annotate_files

    with pytest.raises(ModelError, match="one that tags; use it with 'carabin annotate'"):
        summarise_files([reports], tmp_path / "out.jsonl", student)
    with pytest.raises(ModelError, match="a student that writes, .* 'carabin summarise'"):
        annotate_files([reports], tmp_path / "out.jsonl", writing_student)


def test_what_cannot_be_written_is_said_before_anything_is_run(reports, writing_student, tmp_path):
    for out, options, cause in (
        (tmp_path / "out.csv", SummariseOptions(), "'csv' is unknown"),
        (tmp_path / "out.jsonl", SummariseOptions(to="docx"), "'docx' is unknown"),
        (None, SummariseOptions(resume=True), "--resume needs"),
        (reports, SummariseOptions(), "read and written at once"),
    ):
        with pytest.raises(OutputError, match=cause):
            summarise_files([reports], out, writing_student, options)
    with pytest.raises(InputError, match="--beams"):
        SummariseOptions(beams=0)


def test_what_a_terminal_obeys_is_not_written_as_it_is(writing_student, tmp_path):
    note = tmp_path / "note.txt"
    note.write_text(REPORT, encoding="utf-8")
    stream = io.StringIO()
    summarise_files([note], None, writing_student, stream=stream)
    assert all(character.isprintable() or character == "\n" for character in stream.getvalue())


def test_quotes_come_with_their_places_in_the_report(reports, tmp_path):
    """Places of the window, or of the trimmed text, would show a carer the wrong sentence."""
    student = write_writing_student(tmp_path / "quotes", window=150, max_written=64, conclusion="quoted")
    summarise_files([reports], tmp_path / "out.jsonl", student)
    texts = {record["id"]: record.get("text") for record in read_lines(reports)}
    found = read_lines(tmp_path / "out.jsonl")
    assert [record["id"] for record in found] == ["0", "1", "2", "3", "5"]
    for record in found:
        lines = [texts[record["id"]][quote["start"] : quote["end"]] for quote in record["quotes"] or ()]
        assert "\n".join(lines) == record["summary"]
        assert bool(lines) == (record["id"] != "3") and not record["unsupported"]


def test_what_is_read_says_that_it_is_quoted_and_when_there_is_nothing_to_quote(tmp_path):
    student = write_writing_student(tmp_path / "quotes", window=500, max_written=200, conclusion="quoted")
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "a.txt").write_bytes("Motif :\r\nFièvre aiguë e\u0301puisante.\r\n".encode())
    (notes / "b.txt").write_text("Motif :\n\nExamens :\n-----\n", encoding="utf-8")
    stream = io.StringIO()
    summarise_files([notes], None, student, stream=stream)
    first, second = stream.getvalue().strip().split("\n\n")
    assert first.splitlines()[1:] == ["Fièvre aiguë e\u0301puisante.", "  Phrases du compte rendu, citées mot pour mot"]
    assert second.splitlines()[1:] == ["Rien à citer du compte rendu."]
