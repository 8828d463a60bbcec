"""Corpora: the text of another revision, a wrong offset or a silent fallback would all look like a result."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from carabin.documents import DocumentError
from zoo.corpora import CorpusError, read_documents, resolve_file, revision_of
from zoo.registry import REPOSITORY, Registry
from zoo.registry.recipes import CorpusUse
from zoo.runs import hash_file

REAL = os.environ.get("CARABIN_DATA")
CARD = """---
language: fr
license: cc0-1.0
carabin:
  id: toy
  summary: A toy.
  task: ner
  source: local
  licence: {{spdx: CC0-1.0, clause: "waived", read_at: here, read_on: 2026-11-24}}
  splits: {{train: train.jsonl}}
  sha256: {{train: "{sha256}"}}
  labels: umls
  relabel: {{DISSO: DISO}}
  uses: [gold]
---

# Toy
"""


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """Return a function that makes a corpus of these lines and reads it."""
    monkeypatch.setenv("CARABIN_DATA", str(tmp_path / "data"))

    def make(*lines: bytes | dict, sha256: str | None = None):
        file = tmp_path / "data" / "toy" / "train.jsonl"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"\n".join(x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines))
        (tmp_path / "datasets_cards").mkdir(exist_ok=True)
        card = tmp_path / "datasets_cards" / "toy.md"
        card.write_text(CARD.format(sha256=sha256 or hash_file(file)))
        return list(read_documents(Registry(tmp_path), CorpusUse("toy", "train"), "umls"))

    return make


def test_a_label_that_the_file_misspells_is_read_as_the_card_says(toy):
    (document,) = toy({"id": 1, "text": "abc", "entities": [{"start": 0, "end": 3, "label": "DISSO"}]})
    assert [entity.label for entity in document.entities] == ["DISO"]
    with pytest.raises(DocumentError, match="DIISO"):
        toy({"id": 1, "text": "abc", "entities": [{"start": 0, "end": 3, "label": "DIISO"}]})


def test_nested_and_crossing_gold_is_flattened_and_counted(toy):
    spans = [(0, 9, "DISO"), (4, 9, "ANAT"), (7, 12, "DISO"), (12, 15, "CHEM")]
    entities = [{"start": start, "end": end, "label": label} for start, end, label in spans]
    (document,) = toy({"id": 1, "text": "abc def ghi jkl mno", "entities": entities})
    assert [(e.start, e.end, e.label) for e in document.entities] == [(0, 9, "DISO"), (12, 15, "CHEM")]
    assert document.attributes["nested_dropped"] == 2


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ({"id": 1, "text": "abc", "entities": [{"start": 0, "end": 4, "label": "DISO"}]}, "outside the text"),
        ({"id": 1, "text": "abc", "entities": [{"start": 2, "end": 2, "label": "DISO"}]}, "outside the text"),
        ({"id": 1, "text": "abc", "entities": [{"start": 0, "end": 1, "label": "MALADIE"}]}, "MALADIE"),
        ({"id": 1}, "'text' is missing"),
        ({"text": 3, "id": 1}, "'text' is missing or is not a string"),
        (b'{"id": 1, "text": "\xff"}', "not UTF-8"),
        (b'{"id": 1, "text": "abc"', "not JSON"),
        (b'{"id": 1, "text": "\\ud800"}', "surrogate"),
        (b'{"id": 1, "text": "a\\u0000b"}', "NUL at code point 1"),
    ],
)
def test_a_bad_record_names_file_line_and_cause(toy, line, cause):
    with pytest.raises(DocumentError, match=cause) as error:
        toy({"id": 0, "text": "bon"}, line)
    assert "\n" not in str(error.value)
    assert "train.jsonl:2" in str(error.value) or "toy" in str(error.value)


def test_empty_texts_are_documents(toy):
    documents = toy({"id": 1, "text": ""}, {"id": 3, "text": " \n"})
    assert [document.text for document in documents] == ["", " \n"]


def test_a_changed_file_is_not_the_pinned_one(toy):
    with pytest.raises(CorpusError, match="is not the card's"):
        toy({"id": 1, "text": "abc"}, sha256="0" * 64)


def test_a_corpus_that_is_nowhere_says_both_ways_to_get_it(monkeypatch):
    monkeypatch.delenv("CARABIN_DATA", raising=False)
    with pytest.raises(CorpusError, match=r"'quaero-emea' is not at hand: set CARABIN_DATA to a folder that holds"):
        list(read_documents(Registry(), CorpusUse("quaero-emea", "train"), "umls"))


def test_an_incomplete_folder_does_not_fall_back_to_the_hub(monkeypatch, tmp_path):
    (tmp_path / "quaero-emea").mkdir()
    monkeypatch.setenv("CARABIN_DATA", str(tmp_path))
    with pytest.raises(CorpusError, match="is missing though its folder is there"):
        resolve_file(Registry().corpus("quaero-emea"), "train")


def test_an_unknown_split_lists_those_there_are():
    with pytest.raises(CorpusError, match="has no split 'validation'; it has: train"):
        list(read_documents(Registry(), CorpusUse("quaero-emea", "validation"), "umls"))


def test_the_synthetic_revision_changes_with_the_generator(tmp_path, monkeypatch):
    """The generator's code is the data: a run made by another version must not be reused."""
    import zoo.synthesis

    corpus = Registry().corpus("synthetic-reports")
    before = revision_of(corpus, "train")
    copy = tmp_path / "synthesis"
    shutil.copytree(REPOSITORY / "zoo" / "synthesis", copy)
    monkeypatch.setattr(zoo.synthesis, "__file__", str(copy / "__init__.py"))
    assert revision_of(corpus, "train") == before
    scenario = sorted((copy / "scenarios").glob("*.toml"))[0]
    scenario.write_text(scenario.read_text() + "\n# one more word\n")
    assert revision_of(corpus, "train") != before


def test_an_endless_corpus_wants_a_number_of_documents():
    with pytest.raises(CorpusError, match="is endless"):
        list(read_documents(Registry(), CorpusUse("synthetic-reports", "train"), "umls"))


@pytest.mark.skipif(not REAL, reason="CARABIN_DATA is not set: the real corpora are not at hand")
@pytest.mark.parametrize("corpus_id", ["quaero-emea", "quaero-medline"])
def test_quaero_reads_with_exact_offsets(corpus_id):
    assert REAL is not None and Path(REAL).is_dir()
    documents = [
        document
        for split in ("train", "dev", "test")
        for document in read_documents(Registry(), CorpusUse(corpus_id, split), "umls")
    ]
    surfaces = [document.text[e.start : e.end] for document in documents for e in document.entities]
    assert len(surfaces) > 4000
    assert sum(surface == surface.strip() for surface in surfaces) / len(surfaces) > 0.999
    assert sum(document.attributes["nested_dropped"] for document in documents) > 500
