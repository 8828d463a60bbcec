"""Ids as names of files: one that comes back changed joins with no table of the hospital any more."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from carabin import Document
from carabin.formats import Provenance, ReadOptions, WriteOptions, read_inputs
from carabin.formats.file_names import safe_name, told_id
from carabin.formats.registry import WRITABLE

PROVENANCE = Provenance("tiny@0123", "carabin 0", "2026-01-31")
PIECES = [
    "a",
    "CHU",
    "é",
    ":",
    "/",
    "%",
    "%3A",
    "%25",
    ".",
    "..",
    "~2",
    "con",
    "NUL",
    "lpt²",
    " ",
    "\\",
    "\n",
    "😀",
    ".id",
    "x" * 160,
]
IDS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=6).map("".join),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20),
)


def write_folder(ids, out, form="brat"):
    """Write documents of these ids in two parts."""
    writer = WRITABLE[form].writer(WriteOptions())
    documents = [Document(identifier, f"note {number}") for number, identifier in enumerate(ids)]
    parts = [out.with_name(f"{number}.zip") for number in range(2)]
    for part, run in zip(parts, (documents[:1], documents[1:]), strict=True):
        writer.write_part(run, part, PROVENANCE)
    writer.join(parts, out)
    return out


def read_ids(folder, **options):
    return {document.text: document.id for document in read_inputs([folder], ReadOptions(**options), True)}


@pytest.mark.parametrize(
    ("identifier", "name"),
    [
        ("a/b 1.v2", "a/b 1.v2"),
        ("../../etc/passwd", "%2E%2E/%2E%2E/etc/passwd"),
        ("/abs/olute", "abs/olute"),
        ("C:\\notes\\1", "C%3A%5Cnotes%5C1"),
        ("con", "con%"),
        ("NUL.1", "NUL%.1"),
        ("con .1", "con% .1"),
        ("COM¹", "COM¹%"),
        ("conout$", "conout$%"),
        ("con 1", "con 1"),
        ("console", "console"),
        ("fin ", "fin%20"),
        (".caché", "%2Ecaché"),
        ("50%", "50%25"),
        ("a.txt/b", "a%2Etxt/b"),
        ("", "%"),
        ("/", "%"),
    ],
)
def test_an_id_becomes_a_name_that_no_system_refuses_or_leads_elsewhere(identifier, name):
    assert safe_name(identifier) == name


def test_long_ids_are_cut_and_stay_apart():
    names = {safe_name(f"{'é' * 500}{number}") for number in range(3)} | {safe_name("a/" * 500 + "x")}
    assert len(names) == 4
    assert all(len(name.encode()) <= 150 for name in names)


@settings(deadline=None)
@given(st.lists(IDS, min_size=1, max_size=5))
@example(["CHU:2026/0001", "a/b:c"])
@example(["", "/", "//", "%", "/abs/olute", "a//b", "a/"])
@example(["a", "a", "a", "a~2", "A", "a.id", "a.txt", "a.txt/b"])
@example([f"{'é' * 500}{number}" for number in range(3)] + ["a/" * 500 + "x"])
def test_ids_come_back_from_a_folder_as_they_were(ids):
    with tempfile.TemporaryDirectory() as folder:
        out = write_folder(ids, Path(folder) / "out")
        assert read_ids(out) == {f"note {number}": identifier for number, identifier in enumerate(ids)}


def test_a_single_file_of_a_folder_tells_its_id_too(tmp_path):
    write_folder(["CHU:1", "é" * 200, "a", "a"], tmp_path / "out")
    found = {path.name: read_ids(path) for path in (tmp_path / "out").glob("*.ann")}
    assert found["CHU%3A1.ann"] == {"note 0": "CHU:1"}
    assert found["a~2.ann"] == {"note 3": "a"}
    assert {"note 1": "é" * 200} in found.values()


def test_where_capitals_do_not_count_a_folder_of_another_spelling_does_not_change_the_id(tmp_path, monkeypatch):
    """As on NTFS: the second document is written into the folder of the first, and would be read back as `A/2`."""
    there = {}

    def realpath(path, real=os.path.realpath):
        return "/".join(there.setdefault(step.casefold(), step) for step in real(path).split("/"))

    monkeypatch.setattr(os.path, "realpath", realpath)
    out = write_folder(["A/1", "a/2"], tmp_path / "out")
    (out / "a" / "2.ann").rename(out / "A" / "2.ann")
    (out / "a" / "2.txt").rename(out / "A" / "2.txt")
    (out / "a" / "2.id").rename(out / "A" / "2.id")
    assert not (out / "A" / "1.id").exists()
    assert read_ids(out) == {"note 0": "A/1", "note 1": "a/2"}


def test_a_cas_without_a_place_for_the_id_is_called_by_its_name(tmp_path):
    from cassis import Cas, TypeSystem

    cas = Cas(typesystem=TypeSystem())
    cas.sofa_string = "fièvre"
    cas.to_json(tmp_path / "CHU%3A1.json")
    (document,) = read_inputs([tmp_path], ReadOptions())
    assert document.id == "CHU:1"


@pytest.mark.parametrize("name", ["dossier%20A", "50%", "a%41", "a%3a", "con%a", "%", "a~2", "x%ZZ"])
def test_a_name_that_is_not_ours_is_its_own_id(name, tmp_path):
    assert told_id(name) == name
    # Someone else's file of that suffix, which tells nothing of ours.
    (tmp_path / f"{name}.id").write_text("8012345678", encoding="utf-8")
    (tmp_path / f"{name}.txt").write_text("fièvre", encoding="utf-8")
    (tmp_path / f"{name}.ann").touch()
    assert read_ids(tmp_path) == {"fièvre": name}


def test_text_files_are_never_ours(tmp_path):
    (tmp_path / "CHU%3A1.txt").write_text("fièvre", encoding="utf-8")
    assert [document.id for document in read_inputs([tmp_path], ReadOptions())] == ["CHU%3A1"]
