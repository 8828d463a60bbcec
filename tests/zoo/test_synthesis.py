"""Fictitious reports: exact offsets, determinism, disjoint splits, identities that cannot exist."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.synthesis import generate_report, generate_reports, measure_novelty
from zoo.synthesis.__main__ import main, show_report
from zoo.synthesis.knowledge import SPLITS, load_knowledge
from zoo.synthesis.markup import PII, UMLS
from zoo.synthesis.patient import nir_key

LABELS = {"umls": UMLS, "pii": PII}
numbers = st.integers(min_value=0, max_value=50_000)


@settings(max_examples=150, deadline=None)
@given(split=st.sampled_from(SPLITS), seed=st.integers(0, 9), number=numbers, labels=st.sampled_from(sorted(LABELS)))
def test_offsets_are_exact_and_apart(split: str, seed: int, number: int, labels: str) -> None:
    """A span that is empty, padded, outside or overlapping would poison training without a word."""
    document = generate_report(split, seed, number, labels)
    text = document["text"]
    for item in document["entities"]:
        surface = text[item["start"] : item["end"]]
        assert 0 <= item["start"] < item["end"] <= len(text)
        assert surface == surface.strip() and surface
        assert item["label"] in LABELS[labels]
    for before, after in pairwise(document["entities"]):
        assert before["end"] <= after["start"]
    # A word is never cut: an offset inside a word means that the markup and the text disagree.
    for item in document["entities"]:
        assert item["start"] == 0 or not (text[item["start"] - 1].isalnum() and text[item["start"]].isalnum())
        assert item["end"] == len(text) or not (text[item["end"] - 1].isalnum() and text[item["end"]].isalnum())


@settings(max_examples=150, deadline=None)
@given(split=st.sampled_from(SPLITS), number=numbers)
def test_facts_and_conclusion_stand_where_they_say(split: str, number: int) -> None:
    """Exercises and summaries are cut from these offsets."""
    document = generate_report(split, 3, number)
    text = document["text"]
    for fact in document["facts"]:
        assert text[fact["start"] : fact["end"]] == fact["value"]
        assert fact["supports"]["start"] <= fact["start"] < fact["end"] <= fact["supports"]["end"]
    conclusion = document["conclusion"]
    if document["kind"] in ("CRH", "lettre de liaison"):
        body = text[conclusion["start"] : conclusion["end"]]
        assert body[0].isupper() or body[0].isdigit()
        assert len(body) >= 40
        assert text[: conclusion["start"]][-1] in " \n"


@settings(max_examples=150, deadline=None)
@given(split=st.sampled_from(SPLITS), number=numbers)
def test_no_template_mark_is_left(split: str, number: int) -> None:
    """A brace or a double space in the text is a template that was not filled."""
    text = generate_report(split, 4, number)["text"]
    assert not re.search(r"[\[\]{}<]", text)
    for line in text.split("\n"):
        if "IPP" not in line and "Nom" not in line and "Date" not in line:
            assert "  " not in line.strip(), line
        assert " ." not in line and "..," not in line, line


@settings(max_examples=100, deadline=None)
@given(split=st.sampled_from(SPLITS), number=numbers)
def test_french_contractions(split: str, number: int) -> None:
    """Missed contractions ("de le") and elisions ("la hypertension") are the marks of a machine."""
    text = generate_report(split, 5, number)["text"]
    fault = re.search(r"\b(de le|de les|à le|à les|si il|de un|de une|que un|que une)\b", text)
    assert fault is None, text[max(0, fault.start() - 40) : fault.end() + 40]
    fault = re.search(r"\b(?:[Ll]e|[Ll]a|[Dd]e) (?=[aeiouéèêâîôûœ](?!n?ze|ui))(?!EVA|un\b)", text)
    assert fault is None, text[max(0, fault.start() - 40) : fault.end() + 40]


def test_number_depends_on_nothing_else() -> None:
    """Shards made apart must equal one stream, in any order and any process."""
    stream = list(generate_reports("train", 30, 7))
    assert list(generate_reports("train", 10, 7, start=20)) == stream[20:]
    assert [generate_report("train", 7, number) for number in (29, 3)] == [stream[29], stream[3]]
    assert stream[4]["id"] == "synthetic-train-7-000004"
    assert stream[0]["text"] != next(iter(generate_reports("train", 1, 8)))["text"]


def test_both_label_sets_share_the_text() -> None:
    """A corpus annotated twice must be the same corpus."""
    for umls, pii in zip(generate_reports("dev", 20, 1), generate_reports("dev", 20, 1, "pii"), strict=True):
        assert umls["text"] == pii["text"] and umls["entities"] != pii["entities"]


def test_no_family_name_can_be_learned_by_heart() -> None:
    """A student of identities that knows a hundred names by heart leaves every other one in the letter."""
    seen: dict[str, set[str]] = {}
    for document in generate_reports("train", 200, 1, "pii"):
        for entity in document["entities"]:
            if entity["label"] in ("NOM", "VILLE", "HOPITAL"):
                surface = document["text"][entity["start"] : entity["end"]].upper()
                seen.setdefault(surface, set()).add(document["id"])
    assert len(seen) > 800 and max(map(len, seen.values())) <= 4


def test_who_invents_names_changes_nothing_else() -> None:
    """Scenarios, dates and numbers of a report must not depend on who is named in it."""
    for umls, pii in zip(generate_reports("train", 20, 1), generate_reports("train", 20, 1, "pii"), strict=True):
        assert umls["text"] != pii["text"]
        assert (umls["kind"], umls["scenario"]) == (pii["kind"], pii["scenario"])
        assert [fact["value"] for fact in umls["facts"]] == [fact["value"] for fact in pii["facts"]]


def test_every_label_and_kind_occurs() -> None:
    """A label that is never generated would be learnt by nobody."""
    for labels, names in LABELS.items():
        found = {item["label"] for doc in generate_reports("train", 300, 1, labels) for item in doc["entities"]}
        assert found == set(names)
    kinds = {document["kind"] for document in generate_reports("train", 200, 1)}
    assert kinds == {"CRH", "consultation", "lettre de liaison", "ordonnance"}


def test_lengths_by_kind() -> None:
    """Reports as short as captions, or as long as books, would not look like reports."""
    bounds = {"CRH": (200, 800), "lettre de liaison": (110, 560), "consultation": (50, 420), "ordonnance": (30, 220)}
    for document in generate_reports("train", 300, 2):
        low, high = bounds[document["kind"]]
        assert low <= len(document["text"].split()) <= high, document["id"]


def test_scenarios_never_cross_splits() -> None:
    """Test diseases must be new, or the score measures memory."""
    knowledge = load_knowledge()
    sets = {split: {scenario.id for scenario in knowledge.for_split(split)} for split in SPLITS}
    assert not sets["test"] & (sets["train"] | sets["dev"] | sets["transfer"])
    assert not sets["dev"] & (sets["train"] | sets["transfer"])
    assert sets["train"] < sets["transfer"]
    assert len(sets["train"]) >= 24 and len(sets["test"]) >= 10 and len(sets["dev"]) >= 6
    main_forms = {
        split: {
            form.node.first_word().casefold() for item in knowledge.for_split(split) for form in item.diagnosis.forms
        }
        for split in ("train", "test")
    }
    assert not main_forms["train"] & main_forms["test"]


def test_novelty_is_measured_and_real() -> None:
    """The share of new surfaces is what makes the test honest."""
    table = measure_novelty(generate_reports("train", 300, 1), generate_reports("test", 150, 1))
    assert table["scenarios_shared"] == []
    assert 0.3 < table["mentions"]["DISO"] < 1
    assert 0.2 < table["mentions"]["CHEM"] < 1
    assert 0.3 < table["sentences"] < 1 and table["four_grams"] > 0.3
    same = measure_novelty(generate_reports("train", 50, 1), generate_reports("train", 50, 1))
    assert same["mentions"]["all"] == 0 and same["sentences"] == 0


def test_social_security_numbers_cannot_exist() -> None:
    """The key is right, so that a detector learns the form; the department and order number exist nowhere."""
    seen = 0
    for document in generate_reports("train", 200, 5, "pii"):
        for item in document["entities"]:
            if item["label"] == "SECU":
                digits = document["text"][item["start"] : item["end"]].replace(" ", "")
                assert len(digits) == 15 and digits[5:7] == "00" and digits[10:13] == "000"
                assert int(digits[13:]) == nir_key(digits[:13])
                seen += 1
    assert seen > 20
    assert nir_key("2550867999003") == 97 - 2550867999003 % 97


def test_unknown_names_are_refused() -> None:
    """A mistyped split must not yield an empty corpus."""
    with pytest.raises(ValueError, match="split 'tset'"):
        generate_reports("tset", 1, 1)
    with pytest.raises(ValueError, match="label set"):
        generate_reports("test", 1, 1, "ner")
    with pytest.raises(ValueError, match="negative"):
        generate_reports("test", -1, 1)


def test_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """The command that a reader types first."""
    assert main(["--split", "test", "--count", "2", "--seed", "1"]) == 0
    assert capsys.readouterr().out == "".join(show_report(item) + "\n" for item in generate_reports("test", 2, 1))
    assert main(["--count", "2", "--jsonl"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(["--novelty"]) == 0
    assert "new sentences" in capsys.readouterr().out
