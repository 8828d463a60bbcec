"""Gold exercises: what is wrong in them, a student learns, and a carer is taught."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carabin.documents import Document
from carabin.exercises.form import BLANK, Draft, check_draft, read_form, write_form
from carabin.exercises.wording import fold, mentions
from carabin.generation.tasks import ANSWER_TYPES
from zoo.synthesis import generate_report
from zoo.synthesis.exercises import exercise_words, hash_exercises, make_drafts
from zoo.synthesis.exercises.distractors import read_number
from zoo.synthesis.exercises.drafts import STEPS, read_stems
from zoo.synthesis.exercises.reading import split_lab
from zoo.synthesis.exercises.synonyms import fold_siblings, list_siblings
from zoo.synthesis.exercises.terms import list_terms, read_dose
from zoo.synthesis.knowledge import SPLITS, load_knowledge

REPORTS = 300


def read(split: str, number: int) -> Document:
    return Document.from_dict(generate_report(split, 7, number), "here")


@cache
def walk(split: str, start: int = 0) -> list[tuple[Document, list[list[Draft]]]]:
    documents = [read(split, number) for number in range(start, start + REPORTS)]
    return [(document, make_drafts(document, split, 1)) for document in documents]


def check(document: Document, exercises: list[list[Draft]]) -> None:
    """Hold all the rules against one report's exercises."""
    text, folded = document.text, fold(document.text)
    for exercise in exercises:
        assert read_form(write_form(exercise), text) == exercise
        for draft in exercise:
            question = draft.question
            check_draft(draft, folded)
            assert text[question.start : question.end] == question.quote
            assert all(answer in question.quote for answer in question.right)
            assert draft.hole in question.quote
            assert BLANK not in question.stem
            options = (*question.right, *question.wrong)
            assert len({fold(option) for option in options}) == len(options)
            for wrong in question.wrong:
                assert not mentions(folded, fold(wrong))
                assert not mentions(fold(question.stem), fold(wrong))


@pytest.mark.parametrize("split", SPLITS)
def test_every_exercise_is_valid(split: str) -> None:
    """The rules that the constraint enforces hold of what the student learns from."""
    for document, exercises in walk(split):
        check(document, exercises)


@pytest.mark.slow
@pytest.mark.parametrize("split", SPLITS)
def test_every_exercise_of_many_more_is_valid(split: str) -> None:
    for start in range(1000, 2000, REPORTS):
        for document, exercises in walk(split, start):
            check(document, exercises)


@pytest.mark.parametrize("split", SPLITS)
def test_no_wrong_answer_is_right_by_another_name(split: str) -> None:
    """The generic name of a prescribed brand, the long form of the retained acronym: both are right."""
    for document, exercises in walk(split):
        folded = fold(document.text)
        for draft in (draft for exercise in exercises for draft in exercise):
            options = (*draft.question.right, *draft.question.wrong)
            for number, option in enumerate(options):
                others = {fold(other) for other in options[:number] + options[number + 1 :]}
                assert not others & fold_siblings(option)
            for wrong in draft.question.wrong:
                names = (name for name in list_siblings(wrong) if len(name) > 4)
                assert not any(mentions(folded, fold(name)) for name in names), wrong


@pytest.mark.parametrize("split", SPLITS)
def test_a_number_is_asked_for_where_it_is_the_only_one(split: str) -> None:
    """A drug in two doses, or two drugs in one, leave two right answers."""
    asked = 0
    for document, exercises in walk(split):
        facts = document.attributes["facts"]
        drugs = [fact for fact in facts if fact["type"] in ("treatment", "entry-treatment")]
        lines = [(drug, dose) for drug in drugs for dose in facts if is_dose_of(dose, drug)]
        for draft in (draft for exercise in exercises for draft in exercise):
            question = draft.question
            if question.asks == "dose":
                own = [dose["value"] for drug, dose in lines if fold(drug["value"]) in fold_siblings(draft.hole)]
                assert set(own) == {question.right[0]}
                asked += 1
            elif question.asks in ("treatment", "entry-treatment") and "dos" in draft.template and draft.hole:
                section = [dose for drug, dose in lines if drug["type"] == question.asks]
                assert [dose["value"] for dose in section].count(draft.hole) == 1
                asked += 1
    assert asked > REPORTS


def is_dose_of(fact: dict, drug: dict) -> bool:
    kind = {"treatment": "dose", "entry-treatment": "entry-dose"}[drug["type"]]
    return fact["type"] == kind and fact["supports"] == drug["supports"]


@pytest.mark.parametrize("split", SPLITS)
def test_wrong_numbers_are_of_the_same_unit_and_size(split: str) -> None:
    """A gram among milligrams is no distractor."""
    for _, exercises in walk(split):
        for question in (draft.question for exercise in exercises for draft in exercise):
            if question.asks == "dose":
                assert {read_dose(dose)[0] for dose in question.wrong} <= {read_dose(question.right[0])[0]}
            if question.asks == "lab" and question.wrong:
                unit = question.right[0].partition(" ")[2]
                assert {value.partition(" ")[2] for value in question.wrong} == {unit}
                right = read_number(question.right[0])
                assert all(0.04 * right <= read_number(value) <= 25 * right + 1 for value in question.wrong)


@pytest.mark.parametrize("split", SPLITS)
def test_progressive_files_unfold(split: str) -> None:
    """Three steps in clinical order; nobody has read the answer before being asked."""
    linked = [
        (document, exercise) for document, exercises in walk(split) for exercise in exercises if len(exercise) == 3
    ]
    assert len(linked) > REPORTS / 3
    for document, exercise in linked:
        ends = 0
        for number, draft in enumerate(exercise):
            assert draft.question.asks in STEPS[number]
            assert draft.question.start >= ends
            ends = draft.question.end
            if number:
                read_so_far = fold(document.text[: draft.question.start])
                stems = [fold(before.question.stem) for before in exercise[:number]]
                for answer in map(fold, draft.question.right):
                    assert not mentions(read_so_far, answer) and not any(mentions(stem, answer) for stem in stems)


@pytest.mark.parametrize("split", SPLITS)
def test_kinds_and_types_are_all_there(split: str) -> None:
    """A type that never comes up is never learned."""
    counts = Counter(
        (draft.question.kind, draft.question.asks)
        for _, exercises in walk(split)
        for exercise in exercises
        if len(exercise) == 1
        for draft in exercise
    )
    for kind in ("qru", "qroc"):
        total = sum(count for (one, _), count in counts.items() if one == kind)
        for asks in ("diagnosis", "treatment", "dose", "procedure", "lab", "antecedent", "entry-treatment"):
            assert 0.02 < counts[kind, asks] / total < 0.3, (kind, asks)
    assert {asks for kind, asks in counts if kind == "qrm"} == {
        "treatment", "entry-treatment", "antecedent", "procedure",
    }  # fmt: skip
    assert all(counts["qru", asks] for asks in ("allergy", "germ", "follow-up", "stopped"))
    rights = Counter(
        len(draft.question.right)
        for _, exercises in walk(split)
        for exercise in exercises
        for draft in exercise
        if draft.question.kind == "qrm"
    )
    assert set(rights) == {2, 3, 4}


@settings(max_examples=25, deadline=None)
@given(split=st.sampled_from(SPLITS), number=st.integers(0, 10_000), seed=st.integers(0, 5))
def test_the_same_id_and_seed_give_the_same_exercises(split: str, number: int, seed: int) -> None:
    """Another order of documents, another process: the same training set."""
    document = read(split, number)
    first = make_drafts(document, split, seed)
    make_drafts(read(split, number + 1), split, seed)
    assert make_drafts(document, split, seed) == first
    check(document, first)


def test_seeds_differ() -> None:
    document = next(document for document, exercises in walk("train") if len(exercises) > 10)
    assert len({str(make_drafts(document, "train", seed)) for seed in range(4)}) == 4


def test_an_ordonnance_and_a_consultation_are_not_asked_of_a_stay() -> None:
    """Asking what is taken "à la sortie" of a consultation would teach to say what the report does not."""
    stay = {text for (*_, setting), texts in read_stems().items() if setting == "stay" for text in texts}
    other = {text for (*_, setting), texts in read_stems().items() if setting != "stay" for text in texts}
    seen = 0
    for document, exercises in walk("train"):
        if document.attributes["kind"] in ("consultation", "ordonnance"):
            templates = {draft.template for exercise in exercises for draft in exercise}
            assert not templates & (stay - other)
            seen += len(templates)
    assert seen > 100


def test_stems_are_for_every_type_and_fit_in_french() -> None:
    stems = read_stems()
    assert {asks for _, asks, _, _ in stems} == set(ANSWER_TYPES)
    elided = [f"{word} {BLANK}" for word in ("de", "le", "du", "que")]
    for key, texts in stems.items():
        assert len(set(texts)) == len(texts)
        for text in texts:
            assert text[0].isupper() and text[-1] in "?." and "  " not in text, key
            # Before a name, "de" and "le" would have to elide; before a number they never do.
            assert key[2] in ("dose", "since") or not any(words in text for words in elided), text
            assert (" ?" in text) == text.endswith("?")


def test_exercise_words_hold_enough_of_each_type() -> None:
    """Under ten terms, a constrained student could not finish a question on a report that names some of them."""
    drafts = [draft for _, exercises in walk("train") for exercise in exercises for draft in exercise]
    words = exercise_words(drafts)
    assert set(words) == {"stems", "terms"}
    assert set(words["stems"]) == {"qru", "qrm", "qroc"}
    for draft in drafts:
        assert draft.template in words["stems"][draft.question.kind][draft.question.asks]
        assert set(draft.question.wrong) <= set(words["terms"][draft.question.asks])
    assert set(words["terms"]) == set(ANSWER_TYPES)
    assert all(len({fold(term) for term in terms}) >= 10 for terms in words["terms"].values())
    assert words == exercise_words(reversed(drafts))


def test_terms_of_train_hold_nothing_of_test() -> None:
    """A diagnosis that only test reports retain must not be ruled out by having been a wrong answer."""
    test_only = {fold(term.surface) for term in list_terms("test")["diagnosis"]}
    test_only -= {fold(term.surface) for term in list_terms("train")["diagnosis"]}
    scenarios = [scenario for scenario in load_knowledge().scenarios if scenario.split == "test"]
    assert len(test_only) > len(scenarios)
    train = {fold(term) for term in exercise_words([], "train")["terms"]["diagnosis"]}
    assert not train & test_only


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        ("CRP : 95 mg/L", ("CRP", "95 mg/L")),
        ("CRP 95 mg/L", ("CRP", "95 mg/L")),
        ("CRP (95 mg/L)", ("CRP", "95 mg/L")),
        ("CRP -> 95 mg/L", ("CRP", "95 mg/L")),
        ("Protéine C réactive = 62 mg/L", ("Protéine C réactive", "62 mg/L")),
        ("glucose : 5", ("", "")),
    ],
)
def test_an_analyte_and_its_value_are_told_apart(fact: str, expected: tuple[str, str]) -> None:
    scenario = next(one for one in load_knowledge().scenarios if one.id == "maladie-de-horton")
    assert split_lab(fact, scenario) == expected


def test_brand_and_substance_are_one() -> None:
    assert {"Doliprane", "Dafalgan", "paracétamol"} <= list_siblings("DOLIPRANE")
    assert "Kardégic" in list_siblings("aspirine")
    assert "bisoprolol" not in list_siblings("ramipril")


def test_the_hash_tells_versions_apart() -> None:
    assert len(hash_exercises()) == 64
