"""A hospital's own names: what would be found where it does not stand, or lost without a word."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from carabin.annotator import Annotator
from carabin.cli import app
from carabin.documents import Entity
from carabin.names.name_list import NameList, NamesError
from carabin.tokens.words import find_words

LABELS = ("CHEM", "DISO", "PROC")
TEXT = "Sous KARDÉGIC 75 mg ; ETT prévue. Carence en vitamine D, pas d'ett."


def listed(tmp_path: Path, content: str) -> NameList:
    path = tmp_path / "names.csv"
    path.write_text(content, encoding="utf-8")
    return NameList.read(path, LABELS)


def found(names: NameList, text: str, entities: tuple[Entity, ...] = ()) -> list[tuple[str, str, float | None]]:
    return [(text[e.start : e.end], e.label, e.score) for e in names.add_to(text, find_words(text), entities)]


@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_names_are_found_whatever_their_case_and_accents(tmp_path, separator):
    names = listed(tmp_path, "Name;Label;Score\nKardegic;CHEM;0.9\nett;PROC;\n".replace(";", separator))
    assert found(names, TEXT) == [("KARDÉGIC", "CHEM", 0.9), ("ETT", "PROC", 1.0), ("ett", "PROC", 1.0)]


def test_inside_a_longer_entity_a_name_says_nothing_and_else_it_goes_before(tmp_path):
    names = listed(tmp_path, "name,label\nvitamine D,CHEM\nKardégic 75,CHEM\n")
    disease = Entity(TEXT.index("Carence"), TEXT.index(", pas"), "DISO", 0.7)
    wrong = Entity(TEXT.index("KARDÉGIC"), TEXT.index(" 75"), "DISO", 0.6)
    assert found(names, TEXT, (wrong, disease)) == [
        ("KARDÉGIC 75", "CHEM", 1.0), ("Carence en vitamine D", "DISO", 0.7)
    ]  # fmt: skip


def test_the_longest_name_counts(tmp_path):
    names = listed(tmp_path, "name,label\nacide,CHEM\nacide folique,CHEM\ncarence en acide,DISO\n")
    assert found(names, "carence en acide folique") == [("carence en acide", "DISO", 1.0)]


@given(st.text(alphabet="abé D-'5\n\u0301", max_size=40), st.data())
def test_nothing_overlaps_and_every_span_is_a_listed_name_or_the_students(text, data):
    names = NameList.read(NAMES, LABELS)
    words = find_words(text)
    own = []
    if len(words):
        first = data.draw(st.integers(0, len(words) - 1))
        last = data.draw(st.integers(first, len(words) - 1))
        own = [Entity(int(words[first, 0]), int(words[last, 1]), "DISO", 0.5)]
    merged = names.add_to(text, words, own)
    assert all(one.end <= other.start for one, other in zip(merged, merged[1:], strict=False))
    alone = names.add_to(text, words, [])
    assert {*merged} <= {*own, *alone}


NAMES = Path(__file__).parent / "names.csv"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("nom;label\nKardégic;CHEM\n", "must name the columns"),
        ("name;label\nKardégic;DRUG\n", ":2: label 'DRUG' is not one of this student"),
        ("name;label;score\nKardégic;CHEM;haut\n", ":2: score 'haut' is no number"),
        ("name;label;score\nKardégic;CHEM;1,5\n", ":2: score '1,5' is no number from 0 to 1"),
        ("name;label\n;CHEM\n", ":2: a name needs a word"),
        ("name;label\n\n", "lists no name"),
        ("", "must name the columns"),
    ],
)
def test_a_bad_list_is_one_line_that_says_where(tmp_path, content, said):
    with pytest.raises(NamesError) as error:
        listed(tmp_path, content)
    assert said in str(error.value) and "names.csv" in str(error.value) and "\n" not in str(error.value)


def test_a_list_that_is_not_utf_8_or_not_there(tmp_path):
    (tmp_path / "latin.csv").write_bytes("name;label\nKardégic;CHEM\n".encode("cp1252"))
    with pytest.raises(NamesError, match="is not UTF-8"):
        NameList.read(tmp_path / "latin.csv", LABELS)
    with pytest.raises(NamesError, match="none.csv"):
        NameList.read(tmp_path / "none.csv", LABELS)


def test_annotate_finds_what_is_listed(student, tmp_path):
    label = Annotator.load(student).labels[0]
    names, text = tmp_path / "names.csv", tmp_path / "note.txt"
    names.write_text(f"name;label\nzorgolène;{label}\n", encoding="utf-8")
    text.write_text("Traité par Zorgolene ce jour.", encoding="utf-8")
    out = tmp_path / "out.jsonl"
    result = CliRunner().invoke(
        app, ["annotate", str(text), "-o", str(out), "--model", str(student), "--names", str(names)]
    )
    assert result.exit_code == 0, result.output
    assert '"Zorgolene"' in out.read_text(encoding="utf-8")
