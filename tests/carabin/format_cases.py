"""One file or folder of notes in each form that is read, and the entities in each form that is written."""

import csv
import json
import os
import random
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from carabin import Document
from carabin.documents import read_jsonl
from carabin.formats import ReadOptions, read_inputs

SYNTHETIC = [
    "Compte rendu d'hospitalisation.\r\nMotif : fièvre aiguë depuis deux jours.\r\n\r\nPas de dyspnée.",
    "😀 Traitement : paracétamol 1 g ; amoxicilline 500 mg.\nBonne évolution\u00a0: plus de fièvre.",
    "Patiente de 38 ans, « e\u0301tat ge\u0301ne\u0301ral » conservé & fièvre < 38 °C, 𝛼-bloquant, dyspnée.",
    "",
]
OUTPUTS = {
    "jsonl": "out.jsonl",
    "csv": "out.csv",
    "parquet": "out.parquet",
    "parquet-documents": "out.parquet",
    "omop": "out.parquet",
    "brat": "out",
    "cas": "out",
    "xmi": "out",
    "label-studio": "out.json",
    "html": "out.html",
}


def real_documents() -> list[Document]:
    """Return a few documents of QUAERO where the data are, and synthetic ones; ids are numbers, as OMOP's are."""
    data = os.environ.get("CARABIN_DATA")
    texts = SYNTHETIC
    if data:
        corpora = [Path(data) / "quaero-medline" / "test.jsonl", Path(data) / "quaero-emea" / "test.jsonl"]
        texts = [document.text[:800] for path in corpora for document in list(read_jsonl(path))[:3]] + SYNTHETIC
    return [Document(str(101 + number), text) for number, text in enumerate(texts)]


BAD_LINES = [b'{"id": "9001", "text": "fi\xe8vre"}', b'{"id": "9002", "text": "\\u0000"}', b'{"id": "9003"}']
WORDS = ["fièvre", "aiguë", "dyspnée", "paracétamol", "le", "patient", "38", "😀", "e\u0301té", "\r\n", "שלום"]


def write_notes(path, count, seed=1):
    """Write JSONL of random notes, every fiftieth followed by one that cannot be read."""
    choose = random.Random(seed)
    lines = []
    for number in range(count):
        text = " ".join(choose.choices(WORDS, k=choose.randint(0, 60)))
        lines.append(json.dumps({"id": str(number), "text": text, "ward": "ORL"}, ensure_ascii=False).encode())
        if number % 50 == 3:
            lines.append(BAD_LINES[number % 3])
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def write_text(documents, folder):
    for document in documents:
        (folder / f"{document.id}.txt").write_bytes(document.text.encode())
    return folder


def write_brat(documents, folder):
    for document in documents:
        (folder / f"{document.id}.ann").write_text("")
    return write_text(documents, folder)


def write_jsonl(documents, folder):
    path = folder / "notes.jsonl"
    path.write_text("".join(json.dumps({"id": d.id, "text": d.text}) + "\n" for d in documents))
    return path


def write_csv(documents, folder, delimiter=","):
    path = folder / "notes.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter=delimiter)
        rows.writerow(["id", "text"])
        rows.writerows((document.id, document.text) for document in documents)
    return path


def write_french_csv(documents, folder):
    return write_csv(documents, folder, ";")


def write_omop_note(documents, folder):
    """Write the NOTE table as Spark does: a folder of parts."""
    table = pa.table({"note_id": [int(d.id) for d in documents], "note_text": [d.text for d in documents]})
    for number, start in enumerate(range(0, len(documents), 3)):
        pq.write_table(table.slice(start, 3), folder / f"part-{number:05d}.snappy.parquet")
    (folder / "_SUCCESS").touch()
    return folder


def write_parquet(documents, folder):
    path = folder / "notes.parquet"
    pq.write_table(pa.table({"id": [d.id for d in documents], "text": [d.text for d in documents]}), path)
    return path


def make_cas(document):
    """Return a CAS as another tool would make it, with an annotation of its own."""
    from cassis import Cas, TypeSystem

    typesystem = TypeSystem()
    kind = typesystem.create_type("org.example.Sentence")
    typesystem.create_feature(kind, "value", "uima.cas.String")
    cas = Cas(typesystem=typesystem)
    cas.sofa_string = document.text
    cas.add(kind(begin=0, end=len(document.text), value="first"))
    return cas


def write_cas(documents, folder):
    for document in documents:
        make_cas(document).to_json(folder / f"{document.id}.json")
    return folder


def write_xmi(documents, folder):
    for document in documents:
        make_cas(document).to_xmi(folder / f"{document.id}.xmi")
    return folder


def write_label_studio(documents, folder):
    path = folder / "export.json"
    tasks = [{"id": int(d.id), "data": {"text": d.text}, "annotations": []} for d in documents]
    path.write_text(json.dumps(tasks))
    return path


INPUTS = {
    "text": write_text,
    "jsonl": write_jsonl,
    "csv": write_csv,
    "csv;": write_french_csv,
    "parquet": write_parquet,
    "omop": write_omop_note,
    "brat": write_brat,
    "cas": write_cas,
    "xmi": write_xmi,
    "label-studio": write_label_studio,
}


def found_in(form, out):
    """Return the entities of an output as (document id, start, end, label, surface, score)."""
    parsers = {"csv": _of_csv, "parquet": _of_parquet, "omop": _of_omop, "html": _of_html, "label-studio": _of_tasks}
    return parsers.get(form, _read_back)(out)


def _read_back(out):
    found = []
    for document in read_inputs([out], ReadOptions(), entities=True):
        assert isinstance(document, Document), document.cause
        found += [(document.id, *_fields(document.text, e)) for e in document.entities]
    return found


def _fields(text, entity):
    return entity.start, entity.end, entity.label, text[entity.start : entity.end], entity.score


def _of_csv(out):
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert all("@" in row["model"] for row in rows)
    return [(r["document_id"], int(r["start"]), int(r["end"]), r["label"], r["text"], float(r["score"])) for r in rows]


def _of_parquet(out):
    rows = pq.read_table(out).to_pylist()
    assert all("@" in row["model"] for row in rows)
    return [tuple(row[name] for name in ("document_id", "start", "end", "label", "text", "score")) for row in rows]


def _of_omop(out):
    found = []
    for row in pq.read_table(out).to_pylist():
        assert "@" in row["nlp_system"]
        facts = dict(fact.split("=") for fact in row["term_modifiers"].split(";"))
        start, surface = int(row["offset"]), row["lexical_variant"]
        assert surface in row["snippet"]
        found.append((str(row["note_id"]), start, start + len(surface), facts["label"], surface, float(facts["score"])))
    return found


def _of_tasks(out):
    found = []
    for task in json.loads(out.read_text(encoding="utf-8")):
        (prediction,) = task["predictions"]
        assert "@" in prediction["model_version"]
        for result in prediction["result"]:
            value = result["value"]
            (label,) = value["labels"]
            found.append((task["data"]["id"], value["start"], value["end"], label, value["text"], result["score"]))
    return found


class _Page(HTMLParser):
    """The text and the marks of a page, as a browser would see them."""

    def __init__(self):
        super().__init__()
        self.found, self.texts, self.id, self.inside = [], {}, None, None

    def handle_starttag(self, tag, attributes):
        assert tag not in ("script", "link", "img", "iframe")
        if tag == "p":
            self.texts[self.id] = ""
        if tag == "mark":
            self.found.append([self.id, dict(attributes), ""])
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = "p" if tag == "mark" else None

    def handle_data(self, data):
        if self.inside == "h2":
            self.id = data.strip()
        if self.inside in ("p", "mark"):
            self.texts[self.id] += data
        if self.inside == "mark":
            self.found[-1][2] += data


def _of_html(out):
    page = _Page()
    page.feed(out.read_bytes().decode())
    found = []
    for identifier, facts, surface in page.found:
        start, end = int(facts["data-start"]), int(facts["data-end"])
        assert page.texts[identifier][start:end] == surface
        assert "@" in facts["data-model"]
        found.append((identifier, start, end, facts["data-label"], surface, float(facts["data-score"])))
    return found
