"""A recall that flatters is a leak that nobody looks for."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carabin.documents import Entity
from carabin.formats import BadDocument
from carabin.pseudonyms.detection import Detector
from carabin.pseudonyms.leaks import LeakError, measure_leaks, wilson
from tests.carabin.pseudonym_cases import KnowingStudent, gold

RULES = Detector(None)
# The rules find the telephone and the titled name, and nothing of Zorbec or Palombie.
NOTES = [
    gold("1", "[Zorbec](NOM), tél. [04 72 11 22 33](TEL), Dr [Martin](NOM)"),
    gold("2", "vient de [Palombie](VILLE) et de [Zorbec ville](VILLE)"),
    gold("3", "rien"),
]


def seen(*documents):
    """Return a detector whose student finds one span a document: the first."""
    student = KnowingStudent()
    student.known = {document.text: document.entities[:1] for document in documents}
    return Detector(student)


def test_rules_alone_by_hand():
    record = measure_leaks(NOTES, RULES).to_dict()
    rules = record["systems"]["rules"]
    assert list(record["systems"]) == ["rules"]
    assert (rules["labels"]["NOM"]["spans"], rules["labels"]["NOM"]["found"], rules["labels"]["NOM"]["recall"]) == (
        2,
        1,
        0.5,
    )
    assert rules["labels"]["TEL"]["recall"] == 1
    assert (rules["labels"]["VILLE"]["leaked_characters"], rules["labels"]["VILLE"]["characters"]) == (8 + 11, 8 + 11)
    assert (rules["labels"]["VILLE"]["leaked_tokens"], rules["labels"]["VILLE"]["tokens"]) == (3, 3)
    assert rules["documents"] == {
        "without_leak": 1, "share_without_leak": 0.3333, "leaks_per_document": 1.0, "most": 2,
    }  # fmt: skip
    assert (rules["all"]["spans"], rules["all"]["found"]) == (5, 2)


def test_with_and_without_the_rules():
    systems = measure_leaks(NOTES, seen(*NOTES)).to_dict()["systems"]
    found = {name: system["all"]["found"] for name, system in systems.items()}
    # "Zorbec" is met again in no other document: each is read by itself.
    assert found == {"rules": 2, "student": 2, "student and rules": 4}


def test_one_letter_left_is_a_leak():
    note = gold("1", "vient de [Zorbec](VILLE)")
    student = KnowingStudent()
    student.known = {note.text: (Entity(note.entities[0].start, note.entities[0].end - 1, "VILLE"),)}
    tally = measure_leaks([note], Detector(student)).to_dict()["systems"]["student"]["all"]
    assert (tally["found"], tally["leaked_characters"], tally["leaked_tokens"]) == (0, 1, 1)


def test_another_label_covers_as_well_and_is_told_apart():
    note = gold("1", "vient de [Zorbec](VILLE)")
    student = KnowingStudent()
    student.known = {note.text: (Entity(note.entities[0].start, note.entities[0].end, "NOM"),)}
    tally = measure_leaks([note], Detector(student)).to_dict()["systems"]["student"]["all"]
    assert (tally["found"], tally["named"]) == (1, 0)


def test_what_is_replaced_without_need_is_counted():
    note = gold("1", "[04 72 11 22 33](TEL) Mme Martin")
    system = measure_leaks([note], RULES).to_dict()["systems"]["rules"]
    assert (system["needless_characters"], system["replaced_characters"]) == (6, 16)


def test_the_misspelt_label_of_the_published_templates_is_read():
    note = gold("1", "au [12 rue du Four](ADDRESSE), Lyon")
    assert list(measure_leaks([note], RULES).to_dict()["systems"]["rules"]["labels"]) == ["ADRESSE"]


def test_no_text_of_a_note_unless_asked_for():
    report = measure_leaks(NOTES, RULES)
    shown = json.dumps(report.to_dict()) + "\n".join(report.lines())
    assert "Palombie" not in shown and "Zorbec" not in shown
    leaks = measure_leaks(NOTES, RULES, show_texts=True).to_dict()["leaks"]
    assert [(leak["id"], leak["label"], leak["text"]) for leak in leaks] == [
        ("1", "NOM", "Zorbec"), ("2", "VILLE", "Palombie"), ("2", "VILLE", "Zorbec ville"),
    ]  # fmt: skip


def test_what_cannot_be_measured_is_counted_not_scored():
    student = KnowingStudent(NOTES, breaks_on="Palombie")
    report = measure_leaks([*NOTES, BadDocument("x", "not UTF-8")], Detector(student))
    assert (report.documents, report.set_aside) == (2, 2)
    assert report.to_dict()["systems"]["student"]["all"]["spans"] == 3


def test_gold_without_identities_is_an_error():
    """A recall of nothing over nothing reads as a hundred per cent."""
    with pytest.raises(LeakError):
        measure_leaks([gold("3", "rien")], RULES)


@given(st.integers(0, 500), st.integers(0, 500))
def test_the_interval_holds_the_share(found, missed):
    low, high = wilson(found, found + missed)
    assert 0 <= low <= high <= 1
    if found + missed:
        assert low - 1e-9 <= found / (found + missed) <= high + 1e-9


def test_a_known_interval():
    low, high = wilson(10, 10)
    assert (round(low, 4), high) == (0.7225, 1.0)
