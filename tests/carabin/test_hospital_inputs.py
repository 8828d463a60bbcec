"""What a hospital's tables, folders and pipes do to a run; each was met by typing the commands."""

import datetime
import os
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from carabin.formats import InputError, OutputError, ReadOptions, read_inputs
from carabin.formats.base import WriteOptions
from carabin.formats.reading import check_inputs
from carabin.formats.writing import output_writer
from carabin.pseudonyms.names import name_spans
from carabin.pseudonyms.pseudonymiser import Policy
from carabin.pseudonyms.run import PseudonymOptions, pseudonymise_files


def read(path, **options):
    return list(read_inputs([path], ReadOptions(**options)))


@pytest.mark.parametrize("header", ["id_doc;texte", "IDENTIFIANT;CONTENU", "ID_DOC;TEXTE"])
def test_french_columns_are_found_whatever_their_case(header, tmp_path):
    # Without its id column a row is called by its place: nobody could join the result again.
    (tmp_path / "notes.csv").write_text(f"{header}\nA7;toux\n", encoding="utf-8")
    assert [(document.id, document.text) for document in read(tmp_path / "notes.csv")] == [("A7", "toux")]


def test_a_column_may_be_named_in_either_case(tmp_path):
    (tmp_path / "notes.csv").write_text("NUMERO;CRH\n7;toux\n", encoding="utf-8")
    (document,) = read(tmp_path / "notes.csv", text_column="crh", id_column="numero")
    assert (document.id, document.text) == ("7", "toux")


@pytest.mark.parametrize("values", [pa.array([7.0, None]), pa.array([Decimal("7.00"), None])])
def test_whole_ids_stay_whole(values, tmp_path):
    """Pandas makes 7.0 of 7 where an id is missing: OMOP would then refuse every note."""
    pq.write_table(pa.table({"note_id": values, "note_text": ["toux", "toux"]}), tmp_path / "note.parquet")
    assert [document.id for document in read(tmp_path / "note.parquet")][0] == "7"


def test_note_nlp_is_no_table_of_notes(tmp_path):
    pq.write_table(pa.table({"note_id": [1], "offset": ["0"], "lexical_variant": ["toux"]}), tmp_path / "nlp.parquet")
    with pytest.raises(InputError, match="table of entities"):
        check_inputs([tmp_path / "nlp.parquet"], ReadOptions())


def test_a_linked_folder_is_read_once_and_a_loop_ends(tmp_path):
    """Folders by year are often links: not followed, their notes would be lost without a word."""
    (tmp_path / "2023").mkdir()
    (tmp_path / "2023" / "a.txt").write_text("toux", encoding="utf-8")
    (tmp_path / "notes").mkdir()
    for link, target in (("2023", tmp_path / "2023"), ("again", tmp_path / "2023"), ("loop", tmp_path / "notes")):
        (tmp_path / "notes" / link).symlink_to(target, target_is_directory=True)
    assert [document.text for document in read(tmp_path / "notes")] == ["toux"]


def test_a_folder_that_cannot_be_listed_stops_the_run(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("toux", encoding="utf-8")
    (tmp_path / "shut").mkdir()
    listing = os.scandir

    def refuse(path):
        if os.fspath(path).endswith("shut"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(InputError, match="shut: Permission denied"):
        check_inputs([tmp_path], ReadOptions())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on Windows")
def test_a_pipe_is_neither_read_twice_nor_replaced(tmp_path):
    """Renaming an output to its place puts a file where /dev/null was, for the whole machine."""
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="standard input"):
        check_inputs([pipe], ReadOptions())
    for device in (pipe, os.devnull):
        with pytest.raises(OutputError, match="redirect standard output"):
            output_writer(type(tmp_path)(device), "jsonl", WriteOptions())


def test_a_patient_is_told_by_a_column_of_a_table(tmp_path):
    """One patient, one family name over all notes; a field that only JSONL carried set every row aside."""
    text = "Mme DUPONT, vue le 3 mars 2024."
    when = datetime.date(2024, 3, 3)
    table = pa.table({"note_id": [1, 2], "PERSON_ID": [7, 7], "note_date": [when] * 2, "note_text": [text] * 2})
    pq.write_table(table, tmp_path / "note.parquet")
    (tmp_path / "note.csv").write_text(f"note_id;person_id;note_date;note_text\n1;7;2024-03-03;{text}\n")
    policy = Policy(consistent="patient", patient_field="person_id", keep_fields=("note_date",))
    for name, count in (("note.parquet", 2), ("note.csv", 1)):
        out = tmp_path / f"{name}.jsonl"
        report = pseudonymise_files([tmp_path / name], out, options=PseudonymOptions(policy, rules_only=True))
        assert (report.documents, report.errors) == (count, 0)
        documents = read(out)
        assert len({document.text for document in documents}) == 1
        assert documents[0].attributes["note_date"] == "2024-03-03"
    with pytest.raises(InputError, match="no column 'patient'"):
        policy = Policy(consistent="patient", patient_field="patient")
        pseudonymise_files([tmp_path / name], out, options=PseudonymOptions(policy, rules_only=True))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("M. Jean Dupont, né le 12/03/1954", {"Jean", "Dupont"}),
        ("Dr A. Dupont", {"A.", "Dupont"}),
        ("Jean M. Dupont, né le 12/03/1954", {"Jean M.", "Dupont"}),
    ],
)
def test_a_title_is_no_initial_and_an_initial_ends_no_name(text, names):
    assert {text[span.start : span.end] for span in name_spans(text)} == names
