"""What each form promises by itself, and how a form is chosen."""

import json
import sys
import zipfile

import pytest
from cassis import Cas, TypeSystem, load_cas_from_json

from carabin import Document, Entity
from carabin.annotate import JobOptions, annotate_files
from carabin.formats import (
    InputError,
    OutputError,
    Provenance,
    ReadOptions,
    WriteOptions,
    check_inputs,
    read_inputs,
)
from carabin.formats.html_page import covered_pieces
from carabin.formats.registry import WRITABLE
from carabin.formats.writing import output_writer
from carabin.jobs.journal import JournalError
from tests.carabin.format_cases import INPUTS

PROVENANCE = Provenance("tiny@0123", "carabin 0", "2026-01-31")
NOTE = "😀 Une fièvre aiguë,\r\npas de dyspnée."


def gold(path, **options):
    check_inputs([path], ReadOptions(**options), entities=True)
    return [
        (d.id, [(e.start, e.end, e.label) for e in d.entities])
        for d in read_inputs([path], ReadOptions(**options), True)
    ]


@pytest.fixture
def note(tmp_path):
    path = tmp_path / "note.txt"
    path.write_bytes(NOTE.encode())
    return path


# BRAT


def test_discontinuous_spans_are_read_as_their_hull_and_nested_ones_kept(tmp_path):
    (tmp_path / "a.txt").write_text("douleur du bras et de la jambe gauche")
    lines = [
        "T1\tDISO 0 7;22 37\tdouleur la jambe gauche", "T2\tANAT 11 15\tbras", "R1\tIn Arg1:T1 Arg2:T2",
        "A1\tNegated T1", "E1\tDISO:T1", "N1\tReference T1 UMLS:C0030193\tdouleur", "T3\tANAT 11 15\tbras",
        "#1\tNote T1\thm", "*\tEquiv T1 T2", "",
    ]  # fmt: skip
    (tmp_path / "a.ann").write_text("\n".join(lines))
    assert gold(tmp_path) == [("a", [(0, 37, "DISO"), (11, 15, "ANAT"), (11, 15, "ANAT")])]


def test_brat_breaks_a_span_at_the_ends_of_lines(tmp_path, student, note):
    annotate_files([note], tmp_path / "out", student, JobOptions(to="brat"))
    lines = (tmp_path / "out" / "note.ann").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "T1\tDISO 6 18\tfièvre aiguë"
    document = Document("1", "fièvre\r\n\r\naiguë", (Entity(0, 15, "DISO", 0.5),))
    assert WRITABLE["brat"].writer(WriteOptions()).files(document, PROVENANCE)[".ann"].decode().splitlines() == [
        "T1\tDISO 0 6;10 15\tfièvre aiguë", "#1\tAnnotatorNotes T1\tscore=0.5000 model=tiny@0123",
    ]  # fmt: skip


# UIMA CAS


def hospital_typesystem():
    """The layer of the PARTAGES hospitals, as INCEpTION exports it."""
    typesystem = TypeSystem()
    kind = typesystem.create_type("webanno.custom.EntiteAnonymisation")
    for feature in ("Categorie", "CodeType", "RolePER"):
        typesystem.create_feature(kind, feature, "uima.cas.String")
    other = typesystem.create_type("org.example.Finding")
    typesystem.create_feature(other, "kind", "uima.cas.String")
    typesystem.create_feature(other, "confidence", "uima.cas.String")
    return typesystem


@pytest.mark.parametrize("form", ["cas", "xmi"])
@pytest.mark.parametrize("kept_as", ["TypeSystem.xml", "export.json"])
@pytest.mark.parametrize(("kind", "label"), [(None, "Categorie"), ("org.example.Finding", "kind"), ("Finding", "kind")])
def test_entities_go_into_a_type_system_that_is_given(tmp_path, student, note, form, kept_as, kind, label):
    given = tmp_path / kept_as
    typesystem = hospital_typesystem()
    if given.suffix == ".xml":
        typesystem.to_xml(given)
    else:
        Cas(typesystem=typesystem).to_json(given)
    names = {"typesystem": str(given), "cas_type": kind, "cas_label": None if label == "Categorie" else label}
    annotate_files([note], tmp_path / "out", student, JobOptions(to=form, writing=WriteOptions(**names)))
    assert gold(tmp_path / "out", cas_type=kind, cas_label=names["cas_label"]) == [
        ("note", [(6, 18, "DISO"), (28, 35, "DISO")])
    ]
    if form == "cas":
        cas = load_cas_from_json((tmp_path / "out" / "note.json").read_text(encoding="utf-8"))
        (first, _) = cas.select(kind or "EntiteAnonymisation")
        assert first.get_covered_text() == "fièvre aiguë"
        assert label == "Categorie" or 0 < float(first.confidence) <= 1


@pytest.mark.parametrize(
    ("names", "cause"),
    [
        (
            {"cas_type": "Maladie"},
            "no type 'Maladie' in the type system; name one with --cas-type: org.example.Finding",
        ),
        ({"cas_type": "Finding"}, "no feature 'value' for the label; name one with --cas-label: kind, confidence"),
        ({"cas_label": "Nom"}, "no feature 'Nom'"),
        ({"typesystem": "gone.xml"}, "gone.xml: No such file"),
        ({"typesystem": "note.txt"}, "note.txt: not a UIMA type system"),
    ],
)
def test_a_type_system_without_a_place_for_entities_is_told_before_the_run(tmp_path, student, note, names, cause):
    given = tmp_path / "TypeSystem.xml"
    hospital_typesystem().to_xml(given)
    names = {"typesystem": str(given), **names}
    names["typesystem"] = str(tmp_path / names["typesystem"])
    with pytest.raises(OutputError, match=cause):
        annotate_files([note], tmp_path / "out", student, JobOptions(to="cas", writing=WriteOptions(**names)))
    assert not (tmp_path / "out.parts").exists()


def test_gold_of_a_type_that_was_not_asked_for_is_not_no_gold(tmp_path):
    typesystem = hospital_typesystem()
    for name in ("webanno.custom.Maladie", "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"):
        typesystem.create_feature(typesystem.create_type(name), "value", "uima.cas.String")
    cas = Cas(typesystem=typesystem)
    cas.sofa_string = "😀 fièvre"
    cas.add(typesystem.get_type("webanno.custom.Maladie")(begin=2, end=8, value="DISO"))
    cas.to_json(tmp_path / "note.json")
    (bad,) = read_inputs([tmp_path], ReadOptions(), entities=True)
    assert "say which with --cas-type: webanno.custom.Maladie" in bad.cause
    assert gold(tmp_path, cas_type="Maladie") == [("note", [(2, 8, "DISO")])]
    cas.add(typesystem.get_type("webanno.custom.EntiteAnonymisation")(begin=2, end=8, Categorie="Nom"))
    cas.to_json(tmp_path / "note.json")
    assert gold(tmp_path) == [("note", [(2, 8, "Nom")])]


def test_a_note_that_cas_cannot_hold_is_set_aside(tmp_path, student, monkeypatch):
    monkeypatch.setattr("carabin.formats.cas.MAX_CHARACTERS", 2000)
    path = tmp_path / "notes.jsonl"
    records = [{"id": "page", "text": "a\f"}, {"id": "long", "text": "a" * 2001}, {"id": "fit", "text": "fièvre"}]
    path.write_text("\n".join(map(json.dumps, records)))
    report = annotate_files([path], tmp_path / "out", student, JobOptions(to="xmi"))
    causes = report.errors_path.read_text()
    assert (report.documents, report.errors) == (1, 2)
    assert "U+000C, which XML cannot hold" in causes
    assert "over the 2,000 that are handled as UIMA CAS" in causes
    for form in ("cas", "xmi"):
        (tmp_path / form).mkdir()
        INPUTS[form]([Document("long", "a" * 2001)], tmp_path / form)
        (bad,) = read_inputs([tmp_path / form], ReadOptions())
        assert "over the 2,000" in bad.cause


# Label Studio


def test_label_studio_exports_give_what_people_annotated_not_the_predictions(tmp_path):
    task = {"data": {"id": "a", "text": "fièvre aiguë"}}

    def result(start, end, label):
        return {"type": "labels", "value": {"start": start, "end": end, "labels": [label]}}

    task["predictions"] = [{"result": [result(0, 6, "WRONG")]}]
    task["annotations"] = [
        {"was_cancelled": True, "result": [result(0, 1, "SKIPPED")]},
        {"result": [result(0, 12, "DISO"), {"type": "choices", "value": {"choices": ["urgent"]}}]},
    ]
    path = tmp_path / "export.json"
    path.write_text(json.dumps([task]))
    assert gold(path) == [("a", [(0, 12, "DISO")])]
    task["annotations"].append({"ground_truth": True, "result": [result(0, 6, "DISO")]})
    path.write_text(json.dumps([task]))
    assert gold(path) == [("a", [(0, 6, "DISO")])]


def test_predictions_are_read_where_they_are_asked_for(tmp_path, student, note):
    """Tasks that we wrote and nobody has opened yet were set aside without a way out."""
    annotate_files([note], tmp_path / "tasks.json", student, JobOptions(to="label-studio"))
    (bad,) = read_inputs([tmp_path / "tasks.json"], ReadOptions(), entities=True)
    assert bad.cause == "nobody has annotated it; --predictions reads its predictions in their place"
    assert gold(tmp_path / "tasks.json", predictions=True) == [("note", [(6, 18, "DISO"), (28, 35, "DISO")])]
    task = {"data": {"id": "a", "text": "fièvre aiguë"}, "predictions": []}
    (tmp_path / "none.json").write_text(json.dumps([task, {**task, "predictions": None}]), encoding="utf-8")
    causes = [bad.cause for bad in read_inputs([tmp_path / "none.json"], ReadOptions(predictions=True), entities=True)]
    assert ["no prediction in it" in cause for cause in causes] == [True, True]


# HTML


def test_a_page_escapes_what_it_shows(tmp_path, student):
    path = tmp_path / "notes.jsonl"
    path.write_text(json.dumps({"id": "<script>", "text": "<script>alert('fièvre')</script>"}))
    annotate_files([path], tmp_path / "out.html", student)
    page = (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert "&lt;script&gt;alert(&#x27;<mark" in page


def test_a_page_shows_nested_and_crossing_spans():
    document = Document("1", "abcdefgh", (Entity(0, 6, "A"), Entity(1, 3, "B"), Entity(4, 8, "C")))
    pieces = [(start, end, "".join(e.label for e in covering)) for start, end, covering in covered_pieces(document)]
    assert pieces == [(0, 1, "A"), (1, 3, "AB"), (3, 4, "A"), (4, 6, "AC"), (6, 8, "C")]


# Folders


def test_no_document_takes_the_place_of_another(tmp_path, student):
    path = tmp_path / "notes.jsonl"
    ids = ["a", "a", "a~2", "a/b", "a.txt/b", "a.txt", "../a", "é" * 300]
    path.write_text("\n".join(json.dumps({"id": name, "text": f"fièvre {n}"}) for n, name in enumerate(ids)))
    report = annotate_files([path], tmp_path / "out", student, JobOptions(to="brat"))
    texts = sorted(file.read_text(encoding="utf-8") for file in (tmp_path / "out").rglob("*.txt"))
    assert texts == [f"fièvre {number}" for number in range(len(ids))]
    assert report.documents == len(list((tmp_path / "out").rglob("*.ann"))) == len(ids)
    assert {file.name for file in tmp_path.iterdir()} == {"notes.jsonl", "out", "out.run.json"}


def test_annotations_that_someone_corrected_are_never_written_over(tmp_path, student, note):
    out = tmp_path / "out"
    annotate_files([note], out, student, JobOptions(to="brat"))
    annotate_files([note], out, student, JobOptions(to="brat"))
    (out / "note.ann").write_text("T1\tDISO 6 12\tfièvre\n", encoding="utf-8")
    for resume in (False, True):
        with pytest.raises(JournalError, match="changed since; name another folder"):
            annotate_files([note], out, student, JobOptions(to="brat", resume=resume))
    assert (out / "note.ann").read_text(encoding="utf-8") == "T1\tDISO 6 12\tfièvre\n"


def test_the_same_documents_make_the_same_parts(tmp_path):
    writer = WRITABLE["brat"].writer(WriteOptions())
    for name in ("a", "b"):
        writer.write_part([Document("1", "x")], tmp_path / name, PROVENANCE)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert zipfile.ZipFile(tmp_path / "a").namelist() == ["0/1/.txt", "0/1/.ann"]


# How a form is chosen


@pytest.mark.parametrize(
    ("name", "to", "expected"),
    [
        ("o.jsonl", None, "JsonLinesWriter"), ("o.ndjson", None, "JsonLinesWriter"), ("o.CSV", None, "EntityCsvWriter"),
        ("o.parquet", None, "EntityParquetWriter"), ("o.parquet", "omop", "NoteNlpWriter"),
        ("o.htm", None, "HtmlWriter"),
        ("o", "xmi", "XmiWriter"), ("o.json", "label-studio", "LabelStudioWriter"), (None, None, "JsonLinesWriter"),
    ],
)  # fmt: skip
def test_the_suffix_or_to_names_the_form(tmp_path, name, to, expected):
    writer = output_writer(name and tmp_path / name, to, WriteOptions())
    assert type(writer).__name__ == expected
    assert not writer.options.single_file


@pytest.mark.parametrize(
    ("name", "to", "cause"),
    [
        ("o", None, "no suffix to tell the form by"),
        ("o.docx", None, "output form 'docx' is unknown"),
        ("o.json", None, "say --to label-studio or --to cas"),
        ("o.xmi", None, "one file a document; name a folder for many: --to xmi -o "),
        ("o", "text", "output form 'text' is unknown"),
        (None, "html", "standard output carries JSONL only"),
    ],
)
def test_a_form_that_is_not_clear_is_refused_with_the_ways_out(tmp_path, name, to, cause):
    with pytest.raises(OutputError, match=cause):
        output_writer(name and tmp_path / name, to, WriteOptions())


@pytest.mark.parametrize("name", ["note.ann", "note.xmi", "note.json"])
def test_one_document_may_be_one_file(tmp_path, student, note, name):
    options = JobOptions(to="cas") if name == "note.json" else JobOptions()
    annotate_files([note], tmp_path / name, student, options)
    assert (tmp_path / name).is_file()
    assert gold(tmp_path / name) == [("note", [(6, 18, "DISO"), (28, 35, "DISO")])]
    note.write_bytes(b"\xff")
    report = annotate_files([note], tmp_path / name, student, options)
    assert (report.documents, report.errors) == (0, 1)
    if name != "note.ann":
        assert [len(d.text) for d in read_inputs([tmp_path / name], ReadOptions())] == [0]


def test_an_output_is_not_written_where_it_would_be_read_or_over_something_else(tmp_path, student, note):
    (tmp_path / "folder").mkdir()
    for out, to, cause in (
        (tmp_path / "out", "brat", "lies in a folder that is read"),
        (tmp_path / "folder", "jsonl", "is a folder; name a file"),
        (note, "brat", "is a file, where a folder"),
        (tmp_path, "brat", "read and written at once"),
    ):
        with pytest.raises(OutputError, match=cause):
            annotate_files([tmp_path], out, student, JobOptions(to=to))
    assert annotate_files([tmp_path], tmp_path / "out.jsonl", student).documents == 1
    assert annotate_files([tmp_path], tmp_path / "out.jsonl", student).documents == 1


def test_a_table_of_entities_is_not_taken_for_notes(tmp_path, student, note):
    for suffix in ("csv", "parquet"):
        annotate_files([note], tmp_path / f"out.{suffix}", student)
        with pytest.raises(InputError, match="is a table of entities"):
            check_inputs([tmp_path / f"out.{suffix}"], ReadOptions())


def test_a_form_without_gold_is_refused_where_gold_is_asked_for(tmp_path, note):
    with pytest.raises(InputError, match="text carries no annotations; give one of jsonl, parquet, brat"):
        check_inputs([note], ReadOptions(), entities=True)
    with pytest.raises(InputError, match="several forms"):
        (tmp_path / "mixed").mkdir()
        (tmp_path / "mixed" / "a.csv").touch()
        (tmp_path / "mixed" / "a.jsonl").touch()
        check_inputs([tmp_path / "mixed"], ReadOptions())
    check_inputs([tmp_path / "mixed"], ReadOptions(form="jsonl"))
    with pytest.raises(InputError, match="--from"):
        check_inputs([tmp_path / "mixed"], ReadOptions(form="word"))


def test_what_a_run_leaves_beside_its_output_is_not_read_as_notes(tmp_path, student, note):
    folder = tmp_path / "cas"
    folder.mkdir()
    annotate_files([note], folder / "note.json", student, JobOptions(to="cas"))
    assert (folder / "note.json.run.json").exists()
    assert [document.id for document in read_inputs([folder], ReadOptions())] == ["note"]


def test_a_folder_called_as_a_file_is_not_one(tmp_path):
    INPUTS["text"]([Document("1", "x")], tmp_path)
    (tmp_path / "old.txt").mkdir()
    assert [document.id for document in read_inputs([tmp_path], ReadOptions())] == ["1"]


def test_without_the_extra_the_way_out_is_told(tmp_path, student, note, monkeypatch):
    INPUTS["cas"]([Document("1", "x")], tmp_path)
    monkeypatch.setitem(sys.modules, "cassis", None)
    note.unlink()
    with pytest.raises(InputError, match=r"pip install 'carabin\[cas\]'"):
        check_inputs([tmp_path], ReadOptions())
    with pytest.raises(OutputError, match=r"pip install 'carabin\[cas\]'"):
        output_writer(tmp_path / "out", "xmi", WriteOptions(typesystem="TypeSystem.xml"))
