"""The knowledge base loads strictly, and a document agrees with itself."""

from __future__ import annotations

import random
from datetime import date
from pathlib import Path

import pytest

from zoo.synthesis.case import Case
from zoo.synthesis.french import article
from zoo.synthesis.generator import generate_report
from zoo.synthesis.knowledge import (
    HERE,
    SPLITS,
    KnowledgeError,
    load_antecedents,
    load_knowledge,
    load_phrases,
    load_scenarios,
    read_toml,
)
from zoo.synthesis.markup import MarkupError, parse, slot_names
from zoo.synthesis.patient import age_words, months_between, years_between

MINIMAL = (HERE / "scenarios" / "geriatrie.toml").read_text(encoding="utf-8")


def test_base_is_rich_enough() -> None:
    """Forty scenarios over twelve specialties is the least that was promised."""
    scenarios = load_knowledge().scenarios
    assert len(scenarios) >= 48 and len({item.specialty for item in scenarios}) >= 14
    for split in SPLITS:
        assert len({item.specialty for item in load_knowledge().for_split(split)}) >= 5
    for item in scenarios:
        assert len(item.symptoms) >= 4 and len(item.signs) >= 2 and len(item.negatives) >= 4, item.id
        assert len(item.labs) >= 3 and len(item.exams) >= 2 and item.stay[0] <= item.stay[1], item.id
        assert 0 <= item.age[0] < item.age[1] <= 100, item.id


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('split = "train"', 'split = "train"\ncolour = "red"', "unknown key colour"),
        ('sex = "FFM"', 'sex = "X"', "sex = 'X'; choose one of"),
        ('split = "train"\n', "", "missing key split"),
        ('state = ["hypothermia"]', 'state = ["tired"]', "choose among"),
        ("[chute](PHEN)", "[chute](PHENO)", "unknown label"),
        ("{#6-14} heures", "{#6-14 heures", "expected|neither"),
        ("1 ampoule par mois | 3 mois", "", "prescription"),
        ('specialty = "gériatrie"', 'specialties = "gériatrie"', "give spared, specialist"),
        ("confusion-fecalome", "chute-rhabdomyolyse", "named twice"),
        ("[[scenario]]", "[[scenario", "correct the file"),
        ("{#6-14} heures", "{@demain}", "neither a slot"),
    ],
)
def test_faulty_file_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    """A key that no code reads, or a label that no set knows, must stop the load with file and cause."""
    assert old in MINIMAL
    (tmp_path / "faulty.toml").write_text(MINIMAL.replace(old, new), encoding="utf-8")
    with pytest.raises(KnowledgeError, match=message):
        load_scenarios(tmp_path)


def test_phrases_need_seen_templates(tmp_path: Path) -> None:
    """A purpose with no template for train would fail in the middle of a corpus."""
    path = tmp_path / "phrases.toml"
    path.write_text("[x]\nheld = ['a']\n", encoding="utf-8")
    with pytest.raises(KnowledgeError, match="needs a list `seen`"):
        load_phrases(path)


def test_a_faulty_past_history_is_named(tmp_path: Path) -> None:
    """The template alone does not say in which file to look."""
    path = tmp_path / "antecedents.toml"
    path.write_text("[[antecedent]]\nkey = 'hta'\nname = '[HTA](MALADIE)'\n", encoding="utf-8")
    with pytest.raises(KnowledgeError, match="antecedents.toml: hta: .*unknown label"):
        load_antecedents(path)


def test_a_third_of_the_phrases_is_kept_for_test() -> None:
    """Test wording must differ from training wording."""
    raw = read_toml(HERE / "phrases.toml")
    for key, entry in raw.items():
        assert not set(entry["seen"]) & set(entry.get("held", [])), key
    seen = {text for entry in raw.values() for text in entry["seen"]}
    held = {text for entry in raw.values() for text in entry.get("held", [])}
    assert 0.3 < len(held) / len(seen) < 0.7


def draw_case(number: int, split: str = "train") -> Case:
    """Return a case with its draws, without its text."""
    rng = random.Random(f"{split}|case|{number}")
    knowledge = load_knowledge()
    return Case(rng, rng.choice(knowledge.for_split(split)), split, knowledge)


def test_ages_dates_and_stays_agree() -> None:
    """Age is birth against admission, and the stay lies in the scenario's range."""
    for split in SPLITS:
        for number in range(300):
            case = draw_case(number, split)
            low, high = case.scenario.age
            days = (case.stay.admission - case.patient.birth).days
            assert low * 365.25 - 1 <= days <= high * 365.25 + 3
            assert case.scenario.stay[0] <= case.stay.days <= case.scenario.stay[1]
            assert case.patient.female or "M" in case.scenario.sex
            assert not case.patient.female or "F" in case.scenario.sex
            assert case.patient.nir.replace(" ", "")[0] == ("2" if case.patient.female else "1")
            assert all(item.min_age <= case.years for item in case.antecedents)


def test_treatments_belong_to_scenario_or_history() -> None:
    """A discharge drug that fits neither the diagnosis nor the past would teach nonsense."""
    knowledge = load_knowledge()
    by_id = {item.id: item for item in knowledge.scenarios}
    every = [form for item in knowledge.antecedents.values() for line in item.treatments for form in line.drug.forms]
    usual = {form.node.first_word().casefold() for form in every}
    for number in range(400):
        document = generate_report("train", 11, number)
        scenario = by_id[document["scenario"]]
        own = {form.node.first_word().casefold() for line in scenario.discharge for form in line.drug.forms}
        given = {fact["value"].casefold() for fact in document["facts"] if fact["type"] == "treatment"}
        assert given <= own | usual, document["id"]
        stopped = {item.prescription.name.casefold() for item in scenario.stops}
        assert not given & stopped, document["id"]


def test_no_drug_is_prescribed_twice() -> None:
    """What goes on must not repeat what is new."""
    for number in range(400):
        case = draw_case(number)
        names = [line.name for line in case.entry + case.scenario.discharge]
        assert len(names) == len(set(names)), (case.scenario.id, names)


def test_no_contradiction_in_the_data() -> None:
    """A symptom that is also denied, or a fever denied at 39 °C, is what a physician sees first."""
    for item in load_knowledge().scenarios:
        said = {form.node.first_word().casefold() for concept in item.symptoms + item.signs for form in concept.forms}
        denied = {form.node.first_word().casefold() for concept in item.negatives for form in concept.forms}
        said |= {form.node.first_word().casefold() for concept in item.motif for form in concept.forms}
        said |= {"fever": {"fièvre"}, "hypotension": {"signes de choc"}}.get((item.state or ("",))[0], set())
        assert not said & denied, (item.id, said & denied)


@pytest.mark.parametrize(
    ("kind", "gender", "word", "expected"),
    [
        ("de", "f", "hypertension", "d'"), ("du", "m", "hématome", "de l'"), ("du", "f", "hernie", "de la "),
        ("un", "fp", "douleurs", "des "), ("de_un", "fp", "œdèmes", "d'"), ("de_un", "m", "AVC", "d'un "),
        ("le", "m", "ECG", "l'"), ("au", "m", "scanner", "au "), ("le", "fp", "hémocultures", "les "),
        ("que_un", "f", "toux", "qu'une "), ("du", "mp", "tophus", "des "),
    ],
)  # fmt: skip
def test_articles(kind: str, gender: str, word: str, expected: str) -> None:
    """French grammar in one table."""
    assert article(kind, gender, word) == expected


def test_ages_are_counted_as_people_do() -> None:
    """The day before a birthday is still the year before."""
    birth = date(1950, 6, 15)
    assert years_between(birth, date(2020, 6, 14)) == 69 and years_between(birth, date(2020, 6, 15)) == 70
    assert months_between(date(2020, 1, 31), date(2020, 3, 1)) == 1
    assert age_words(date(2020, 1, 1), date(2020, 8, 1)) == "7 mois" and age_words(birth, date(2020, 7, 1)) == "70 ans"


@pytest.mark.parametrize("source", ["[a](DISO", "[a](XX)", "{a|b}", "<a>", "]", "{zz:x}", "[a]", "{?a|b"])
def test_malformed_markup_is_refused(source: str) -> None:
    """A template that is half markup would print its brackets in a report."""
    with pytest.raises(MarkupError):
        parse(source)


def test_every_slot_of_the_phrases_is_filled_somewhere() -> None:
    """A template drawn once in a thousand must not be the one that fails."""
    phrases = load_knowledge().phrases
    names = set()
    for nodes in (*phrases.seen.values(), *phrases.held.values()):
        for node in nodes:
            names |= slot_names(node)
    late = "motif antec an s1 s2 n1 n2 sign exam finding analyte value unit raison drug dose form poso pendant duree"
    late += " one one_dose two two_dose"
    vitals = "ta fc temp sat fr air poids"
    assert names <= set(draw_case(1).writer.slots) | set(late.split()) | set(vitals.split())
