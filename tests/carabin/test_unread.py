"""What is left out of a run unseen: files of a folder in another form, and the names of a table's rows."""

import subprocess
import sys
import warnings

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from carabin.formats import InputWarning, ReadOptions, check_inputs, read_inputs


def warned(*paths, **options):
    """Return what is warned of while inputs are checked and read."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("default", InputWarning)
        check_inputs(paths, ReadOptions(**options))
        list(read_inputs(paths, ReadOptions(**options)))
    return list(dict.fromkeys(str(warning.message) for warning in found))


def fill(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"id": "1", "text": "toux"}\n', encoding="utf-8")
    return folder


def test_files_of_another_form_are_named_with_the_way_to_read_them(tmp_path):
    (line,) = warned(fill(tmp_path, "a.txt", "b.jsonl", "sub/c.docx"))
    assert line.startswith(f"{tmp_path}: read as text, not read: b.jsonl, sub/c.docx; ")
    assert "--from: jsonl" in line
    (line,) = warned(tmp_path, form="jsonl")
    assert "read as jsonl, not read: a.txt, sub/c.docx; name them as inputs too" in line
    assert len(list(read_inputs([tmp_path, tmp_path / "b.jsonl"], ReadOptions()))) == 2


def test_in_a_brat_folder_what_is_no_pair_is_named(tmp_path):
    (line,) = warned(fill(tmp_path, "a.txt", "a.ann", "b.ann", "annotation.conf", "c.jsonl", "d.txt.gz", "E.TXT"))
    assert "read as brat, not read: E.TXT, c.jsonl, d.txt.gz; " in line
    assert "--from: text, jsonl" in line


def test_many_files_make_one_line(tmp_path):
    (line,) = warned(fill(tmp_path, "a.txt", *(f"{number}.pdf" for number in range(2000))))
    assert "0.pdf, 1.pdf, 10.pdf and 1,997 more; convert" in line


@pytest.mark.parametrize("names", [("a.txt", ".DS_Store", "_SUCCESS", "o.jsonl.run.json", "o.jsonl.errors.jsonl"),
                                   ("a.txt", "sub/b.TXT", "c.txt.gz")])  # fmt: skip
def test_a_folder_of_notes_is_read_without_a_word(names, tmp_path):
    assert warned(fill(tmp_path, *names)) == []


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_table_without_ids_is_told_once(tmp_path, suffix):
    """Rows called by their number cannot be joined to anything once the table is sorted anew."""
    for number in range(3):
        path = tmp_path / f"part-{number}.{suffix}"
        if suffix == "csv":
            path.write_text("patient;text\n7;toux\n", encoding="utf-8")
        else:
            pq.write_table(pa.table({"patient": [7], "text": ["toux"]}), path)
    (line,) = warned(tmp_path)
    assert line == (
        f"{tmp_path}: no column of ids, so that notes are called by their file and row; "
        "name one of 'patient', 'text' with --id-column"
    )
    assert warned(path)[0].startswith(f"{path}: no column of ids")
    assert warned(tmp_path, id_column="patient") == []


def test_only_a_later_table_without_ids_is_told(tmp_path):
    (tmp_path / "a.csv").write_text("id;text\n7;toux\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text("patient;text\n7;toux\n", encoding="utf-8")
    assert ["no column of ids" in line for line in warned(tmp_path)] == [True]


def test_the_command_says_each_on_one_line(student, tmp_path):
    fill(tmp_path / "notes", "a.csv", "b\x1b[2J.docx")
    (tmp_path / "notes" / "a.csv").write_text("patient;text\n7;toux\n", encoding="utf-8")
    command = [sys.executable, "-m", "carabin", "annotate", tmp_path / "notes", "--model", student]
    result = subprocess.run(command, capture_output=True, timeout=60, check=True)
    lines = result.stderr.decode().splitlines()
    assert [line.startswith(f"carabin: {tmp_path / 'notes'}: ") for line in lines] == [True, True]
    assert "\x1b" not in result.stderr.decode()
