import csv
import json

import pyarrow.parquet as pq
import pytest

from carabin import Document, annotate
from carabin.annotate import JobOptions, annotate_files
from carabin.formats import BadDocument, InputError, OutputError, ReadOptions
from carabin.jobs.journal import Journal, JournalError
from carabin.jobs.parts import cut_parts
from tests.carabin.format_cases import write_notes

TABLES = ("jsonl", "parquet", "csv", "omop")
NOTE = "Une fièvre aiguë,\r\npas de dyspnée 😀 : paracétamol."


@pytest.fixture
def notes(tmp_path):
    return write_notes(tmp_path / "notes.jsonl", 120)


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_each_document_comes_out_once_in_order_with_its_surfaces(notes, student, tmp_path):
    out = tmp_path / "new" / "out.jsonl"
    report = annotate_files([notes], out, student)
    found = read_lines(out)
    assert [record["id"] for record in found] == [str(number) for number in range(120)]
    assert (report.read, report.documents, report.errors) == (123, 120, 3)
    assert report.entities == sum(len(record["entities"]) for record in found) > 100
    for record in found:
        assert record["ward"] == "ORL"
        assert record["model"].startswith("tiny@")
        for entity in record["entities"]:
            assert entity["text"] == record["text"][entity["start"] : entity["end"]]
            assert 0 <= entity["score"] <= 1
    bad = read_lines(report.errors_path)
    assert report.errors_path == tmp_path / "new" / "out.jsonl.errors.jsonl"
    assert [record["id"] for record in bad] == ["9001", "9003", "9002"]
    assert not list(out.parent.glob("*.parts*"))


def test_any_form_holds_the_same_entities(notes, student, tmp_path):
    outs = {name: tmp_path / f"out.{name}" for name in TABLES}
    for name, out in outs.items():
        annotate_files([notes], out, student, JobOptions(to=name))
    expected = [
        (record["id"], entity["start"], entity["end"], entity["label"], entity["text"])
        for record in read_lines(outs["jsonl"])
        for entity in record["entities"]
    ]
    rows = pq.read_table(outs["parquet"]).to_pylist()
    assert [(r["document_id"], r["start"], r["end"], r["label"], r["text"]) for r in rows] == expected
    with outs["csv"].open(encoding="utf-8", newline="") as file:
        records = list(csv.DictReader(file))
    found = [(r["document_id"], int(r["start"]), int(r["end"]), r["label"], r["text"]) for r in records]
    assert found == expected
    omop = pq.read_table(outs["omop"]).to_pylist()
    assert [r["note_nlp_id"] for r in omop] == list(range(1, len(expected) + 1))
    assert [(str(r["note_id"]), int(r["offset"]), r["lexical_variant"]) for r in omop] == [
        (identifier, start, text) for identifier, start, _, _, text in expected
    ]
    assert all(r["lexical_variant"] in r["snippet"] and "label=" in r["term_modifiers"] for r in omop)


def test_an_id_that_omop_cannot_hold_is_set_aside(student, tmp_path):
    path = tmp_path / "notes.jsonl"
    path.write_text('{"id": "abc", "text": "fièvre"}\n{"id": 12, "text": "fièvre"}\n', encoding="utf-8")
    report = annotate_files([path], tmp_path / "out.parquet", student, JobOptions(to="omop"))
    assert (report.documents, report.errors) == (1, 1)
    assert "whole number" in read_lines(report.errors_path)[0]["cause"]


def test_nothing_found_is_still_a_table(student, tmp_path):
    path = tmp_path / "note.txt"
    path.write_text("rien")
    for name in TABLES:
        annotate_files([path], tmp_path / name, student, JobOptions(to=name))
    assert pq.read_table(tmp_path / "parquet").num_rows == 0
    assert (tmp_path / "csv").read_text() == '"document_id","start","end","label","text","score","model"\n'


def test_blank_documents_are_written_and_counted(student, tmp_path):
    path = tmp_path / "notes.jsonl"
    path.write_text('{"id": "1", "text": ""}\n{"id": "2", "text": " \\r\\n"}\n')
    report = annotate_files([path], tmp_path / "out.jsonl", student)
    assert (report.documents, report.blank, report.errors) == (2, 2, 0)
    assert [record["entities"] for record in read_lines(tmp_path / "out.jsonl")] == [[], []]


def test_thresholds_hold_by_label(student, tmp_path):
    path = tmp_path / "note.txt"
    path.write_text(NOTE, encoding="utf-8")

    def labels(**thresholds):
        annotate_files([path], tmp_path / "out.jsonl", student, JobOptions(thresholds=thresholds))
        return [entity["label"] for entity in read_lines(tmp_path / "out.jsonl")[0]["entities"]]

    assert labels() == ["DISO", "DISO", "CHEM"]
    assert labels(DISO=1.0) == ["CHEM"]
    assert labels(**{"*": 1.0, "DISO": 0.0}) == ["DISO", "DISO"]
    for thresholds in ({"NOM": 0.5}, {"DISO": 1.5}):
        with pytest.raises(InputError, match="--threshold"):
            labels(**thresholds)


def test_a_document_that_breaks_the_engine_takes_no_other_with_it(notes, student, tmp_path, monkeypatch):
    from carabin.tokens.reader import TextReader

    sound = TextReader.read

    def fragile(self, texts):
        if any("paracétamol 38" in text for text in texts):
            raise RuntimeError(f"cannot read {texts[0]}")
        return sound(self, texts)

    monkeypatch.setattr(TextReader, "read", fragile)
    report = annotate_files([notes], tmp_path / "out.jsonl", student)
    assert report.documents + report.errors == report.read
    assert report.errors > 3
    causes = report.errors_path.read_text(encoding="utf-8")
    assert "the engine failed on it (RuntimeError)" in causes
    assert "paracétamol" not in causes


def test_stale_errors_of_an_earlier_run_do_not_stay(notes, student, tmp_path):
    out = tmp_path / "out.jsonl"
    report = annotate_files([notes], out, student)
    clean = tmp_path / "clean.jsonl"
    clean.write_text('{"id": "1", "text": "fièvre"}\n', encoding="utf-8")
    assert report.errors_path.exists()
    assert annotate_files([clean], out, student).errors_path is None
    assert not report.errors_path.exists()


def test_an_input_is_never_written_over(notes, student, tmp_path):
    before = notes.read_bytes()
    for out, errors in ((notes, None), (tmp_path / "o.jsonl", notes), (tmp_path / "o.jsonl", tmp_path / "o.jsonl")):
        with pytest.raises(OutputError, match="read and written at once"):
            annotate_files([notes], out, student, JobOptions(errors=errors))
    assert notes.read_bytes() == before


def test_parts_are_bounded_by_count_and_length():
    items = [Document(str(n), "x" * 4) for n in range(5)] + [BadDocument("w", "c"), Document("long", "x" * 99)]
    assert [len(part) for part in cut_parts(items, 3, 1000)] == [3, 3, 1]
    assert [len(part) for part in cut_parts(items, 100, 8)] == [2, 2, 3]


def interrupt_after(monkeypatch, parts):
    """Make the job stop after some parts, as a kill would."""
    done = []
    commit = Journal.commit

    def stop(self, *arguments):
        if len(done) == parts:
            raise KeyboardInterrupt
        done.append(1)
        commit(self, *arguments)

    monkeypatch.setattr(Journal, "commit", stop)


@pytest.fixture
def interrupted(notes, lively_student, tmp_path, monkeypatch):
    """A run stopped after three of its parts, and the bytes it should have written."""
    monkeypatch.setattr(annotate, "PART_DOCUMENTS", 10)
    annotate_files([notes], tmp_path / "whole.jsonl", lively_student)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        interrupt_after(patch, 3)
        annotate_files([notes], tmp_path / "out.jsonl", lively_student)
    assert not (tmp_path / "out.jsonl").exists()
    return (tmp_path / "whole.jsonl").read_bytes()


def resume(notes, student, tmp_path, **options):
    report = annotate_files([notes], tmp_path / "out.jsonl", student, JobOptions(resume=True, **options))
    return report, (tmp_path / "out.jsonl").read_bytes()


def test_a_resumed_run_does_not_annotate_again_what_is_done(interrupted, notes, lively_student, tmp_path):
    progress = []
    annotate_files(
        [notes], tmp_path / "out.jsonl", lively_student, JobOptions(resume=True), on_progress=progress.append
    )
    assert progress[0] == 40
    assert (tmp_path / "out.jsonl").read_bytes() == interrupted


@pytest.mark.parametrize("damage", ["torn line", "torn part", "lost part", "noise", "stray files"])
def test_a_damaged_journal_costs_work_not_answers(interrupted, notes, lively_student, tmp_path, damage):
    parts = tmp_path / "out.jsonl.parts"
    journal = parts / "journal.jsonl"
    if damage == "torn line":
        journal.write_bytes(journal.read_bytes()[:-5])
    elif damage == "torn part":
        part = parts / "part-000001.jsonl"
        part.write_bytes(part.read_bytes()[:-5])
    elif damage == "lost part":
        (parts / "part-000000.errors").unlink()
    elif damage == "noise":
        journal.write_bytes(b"\xff\n" + journal.read_bytes())
    else:
        (parts / "part-000003.jsonl.new").write_bytes(b"half")
        (parts / "part-000004.jsonl").write_bytes(b"half")
    assert resume(notes, lively_student, tmp_path)[1] == interrupted


def test_a_run_of_other_options_is_not_resumed(interrupted, notes, lively_student, tmp_path):
    with pytest.raises(JournalError, match="another thresholds"):
        resume(notes, lively_student, tmp_path, thresholds={"DISO": 0.5})
    names = tmp_path / "names.csv"
    names.write_text("name;label\nzorgolène;DISO\n", encoding="utf-8")
    with pytest.raises(JournalError, match="another names"):
        resume(notes, lively_student, tmp_path, names=names)
    with pytest.raises(JournalError, match="another reading"):
        resume(notes, lively_student, tmp_path, reading=ReadOptions(max_characters=5))
    notes.write_bytes(notes.read_bytes() + b"\n")
    with pytest.raises(JournalError, match="another inputs"):
        resume(notes, lively_student, tmp_path)


def test_a_finished_run_is_not_run_again(notes, student, tmp_path):
    first = annotate_files([notes], tmp_path / "out.jsonl", student)
    stamp = (tmp_path / "out.jsonl").stat().st_mtime_ns
    second, _ = resume(notes, student, tmp_path)
    assert second == first
    assert (tmp_path / "out.jsonl").stat().st_mtime_ns == stamp
    (tmp_path / "out.jsonl").write_bytes(b"changed")
    assert resume(notes, student, tmp_path)[1] != b"changed"
