"""One bad document never stops a run: it is listed with its id and cause, the exit code says so, the rest is whole."""

import json

import pytest

from carabin import Document
from carabin.annotate import JobOptions, annotate_files
from carabin.formats import ReadOptions, check_inputs, read_inputs
from tests.carabin.format_cases import INPUTS, OUTPUTS, found_in

# What may be read is annotated, however odd.
ODD = {
    "empty": b"",
    "emoji": "😀👩🏽\u200d⚕️".encode(),
    "combining": "fie\u0300vre aigue\u0308 \u0301\u0301\u0301".encode(),
    "righttoleft": "שלום \u202eفيروس\u202c fièvre".encode(),
    "crlf": b"fi\xc3\xa8vre\r\naigu\xc3\xab\r\n",
    "bom": b"\xef\xbb\xbffi\xc3\xa8vre",
}
BAD = {
    "notutf8": (b"secret fi\xe8vre", "not utf-8 (byte 9)"),
    "nul": (b"secret\x00", "NUL at code point 6"),
    "surrogate": (b"secret \xed\xa0\xbd", "not utf-8"),
    "huge": (b"secret " * 30_000, "over the limit"),
    "utf16": ("secret".encode("utf-16"), "not utf-8 (byte 0)"),
}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    for name, data in {**ODD, **{name: case[0] for name, case in BAD.items()}}.items():
        (folder / f"{name}.txt").write_bytes(data)
    return folder


@pytest.mark.parametrize("form", [form for form in OUTPUTS if form != "omop"])
def test_odd_documents_are_annotated_and_bad_ones_listed(folder, form, student, tmp_path):
    out = tmp_path / OUTPUTS[form]
    report = annotate_files([folder], out, student, JobOptions(to=form, reading=ReadOptions(max_characters=100_000)))
    assert (report.documents, report.errors, report.blank) == (len(ODD), len(BAD), 1)
    records = [json.loads(line) for line in report.errors_path.read_text(encoding="utf-8").splitlines()]
    assert [record["id"] for record in records] == sorted(BAD)
    for record in records:
        assert BAD[record["id"]][1] in record["cause"]
    assert "secret" not in report.errors_path.read_text(encoding="utf-8")
    found = {(entity[0], entity[4]) for entity in found_in(form, out)}
    assert found == {("bom", "fièvre"), ("crlf", "fièvre\r\naiguë"), ("righttoleft", "fièvre")}


CAS = {"%TYPES": {}, "%VIEWS": {"_InitialView": {"%SOFA": 1, "%MEMBERS": [2]}}}
SOFA = {"%ID": 1, "%TYPE": "uima.cas.Sofa", "sofaNum": 1, "sofaID": "_InitialView", "mimeType": "text/plain"}
NAMED_ENTITY = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"


def cas_json(text="secret 😀", begin=0, end=6, value="DISO"):
    entity = {"%ID": 2, "%TYPE": NAMED_ENTITY, "@sofa": 1, "begin": begin, "end": end, "value": value}
    kind = {"%NAME": NAMED_ENTITY, "%SUPER_TYPE": "uima.tcas.Annotation"}
    kind["value"] = {"%NAME": "value", "%RANGE": "uima.cas.String"}
    record = {**CAS, "%TYPES": {NAMED_ENTITY: kind}}
    return json.dumps({**record, "%FEATURE_STRUCTURES": [{**SOFA, "sofaString": text}, entity]}).encode()


@pytest.mark.parametrize("form", INPUTS)
def test_twenty_megabytes_are_set_aside_by_every_reader(form, student, tmp_path):
    (tmp_path / "in").mkdir()
    long = "secret " * 3_000_000
    by_hand = {"cas": {"1.json": cas_json(long)}, "xmi": {"1.xmi": f'{XMI} sofaString="{long}"/></xmi:XMI>'.encode()}}
    path = INPUTS[form]([Document("1", "" if form in by_hand else long), Document("2", "fièvre")], tmp_path / "in")
    for name, data in by_hand.get(form, {}).items():
        (path / name).write_bytes(data)
    report = annotate_files([path], tmp_path / "out.jsonl", student)
    assert (report.documents, report.entities, report.errors) == (1, 1, 1)
    (record,) = [json.loads(line) for line in report.errors_path.read_text().splitlines()]
    assert "over the" in record["cause"]
    assert record["id"] == "1"


XMI = (
    '<xmi:XMI xmlns:xmi="http://www.omg.org/XMI" xmlns:cas="http:///uima/cas.ecore" xmi:version="2.0">'
    '<cas:Sofa xmi:id="1" sofaNum="1" sofaID="_InitialView"'
)


def brat_case(annotation):
    return {"note.txt": b"secret fi\xc3\xa8vre", "note.ann": annotation}


BAD_GOLD = [
    ({"note.json": b"{"}, "damaged"),
    ({"note.json": b'{"%FEATURE_STRUCTURES": 5}'}, "damaged"),
    ({"note.json": b'{"a": "\xe8"}'}, "not UTF-8 (byte 7)"),
    ({"note.json": cas_json("secret \ud83d")}, "lone surrogate"),
    ({"note.json": cas_json("secret\0")}, "NUL at code point 6"),
    ({"note.json": cas_json(end=99)}, "outside the text, or inside a character"),
    ({"note.json": cas_json(end=8)}, "outside the text, or inside a character"),
    ({"note.json": cas_json(begin=6)}, "spans 6..6"),
    ({"note.json": cas_json(value=None)}, "an annotation at 0..6 has no value"),
    ({"note.xmi": b"<xmi"}, "damaged (XMLSyntaxError)"),
    ({"note.xmi": b"<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>"}, "DOCTYPE"),
    ({"note.json": b'[{"data": {"id": "note", "text": "secret"}}]'}, "nobody has annotated it"),
    ({"note.json": b"[5]"}, "not a Label Studio task"),
    (brat_case(b"T1\tDISO 0 7\tsecret\n"), ""),
    (brat_case(b"T1\tDISO 7 13\tautre\n"), "its text is not what the offsets point to"),
    (brat_case(b"T1\tDISO 0 99\tsecret fi\xc3\xa8vre\n"), "spans 0..99"),
    (brat_case(b"T1\tDISO 3 3\t\n"), "spans 3..3"),
    (brat_case(b"T1 DISO 0 6 secret\n"), "not a BRAT line"),
    (brat_case(b"T1\tDISO 0 6\tsecr\xe8t\n"), "not utf-8"),
    ({"note.txt": b"secret", "other.txt": b"", "other.ann": b""}, "No such file"),
    ({"note.ann": b"T1\tDISO 0 6\tsecret\n"}, "No such file"),
    (
        {"note.jsonl": b'{"id": "note", "text": "secret", "entities": [{"start": 0, "end": 9, "label": "A"}]}'},
        "spans 0..9",
    ),
]


@pytest.mark.parametrize(("files", "cause"), BAD_GOLD)
def test_gold_that_is_wrong_is_set_aside(files, cause, tmp_path):
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    check_inputs([tmp_path], ReadOptions(), entities=True)
    first, *_ = read_inputs([tmp_path], ReadOptions(), entities=True)
    if not cause:
        assert isinstance(first, Document)
        return
    assert cause in first.cause
    assert first.id == "note" or "task" in first.where
    assert "secret" not in json.dumps(first.to_dict())


@pytest.mark.parametrize("files", [{"note.json": cas_json(end=99)}, brat_case(b"T1\tDISO 7 13\tautre\n")])
def test_old_annotations_that_are_wrong_do_not_keep_a_note_from_being_annotated(files, tmp_path):
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    (document,) = read_inputs([tmp_path], ReadOptions())
    assert document.text.startswith("secret")
    assert document.entities == ()
