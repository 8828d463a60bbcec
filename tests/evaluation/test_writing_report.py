"""Each figure of a student that writes falls when, and only when, what it is about goes wrong."""

from dataclasses import replace

import pytest

from carabin.exercises.exercise import QuestionSet
from carabin.exercises.wording import MEASURED
from carabin.exercises.words import ExerciseWords
from carabin.generation.writer import Writer, WriterSettings
from evaluation.chance import Chance
from evaluation.exercise_report import is_of_type, score_exercises
from evaluation.ner_report import Noise, ScoreError
from evaluation.writing_report import Amount, known_terms, score_baselines, score_writer
from tests.carabin.tiny_writer import make_tokenizer
from tests.evaluation.writing_cases import SPLIT, Oracle, make_reports
from zoo.drug_names import list_drugs
from zoo.synthesis.exercises import exercise_words, list_stems

AMOUNT = Amount(exercises=6, entities=6, questions=2)
RULES = (
    "parsed", "right_count", "quote_verbatim", "supported", "distinct", "wrong_absent", "same_type", "not_leaked",
    "gold_agreement",
)  # fmt: skip


@pytest.fixture(scope="module")
def reports():
    return make_reports()


def score(reports, noise=None, **kwargs):
    return score_writer(Oracle(reports, **kwargs), reports, 1, noise, amount=AMOUNT, resamples=50)


def test_who_writes_the_gold_has_all_points(reports):
    record = score(reports)
    conclusion, exercises, entities = (record[part] for part in ("conclusion", "exercises", "entities"))
    assert {conclusion[name]["value"] for name in ("rouge1", "rouge2", "rougeL", "rougeLsum")} == {1.0}
    assert conclusion["key_facts_kept"]["share"] == 1.0
    assert conclusion["key_facts_kept"]["total"] > 0
    assert conclusion["n"] == len(conclusion["scores"]["rougeL"]) <= record["documents"] == len(reports)
    assert {name: exercises[name]["value"] for name in RULES} == dict.fromkeys(RULES, 1.0)
    assert (exercises["n"], exercises["asked"]) == (6, 12)
    assert exercises["parsed_free"]["value"] == exercises["sound_free"]["value"] == 1.0
    assert entities["ner_exact_f1"]["value"] == 1.0
    assert entities["documents"] == 6


def test_an_invented_dose_costs_faithfulness_and_nothing_else(reports):
    clean, spoilt = score(reports), score(reports, tell=lambda text: text + " Sous amoxicilline 987 mg, sans hoquet.")
    for kind, more in (("doses", 1), ("negations", 1), ("numbers", 0)):
        before, after = (record["conclusion"]["faithfulness"][kind] for record in (clean, spoilt))
        assert after["total"] - before["total"] == more * clean["conclusion"]["n"], kind
        assert after["supported"] == before["supported"]
    assert spoilt["conclusion"]["key_facts_kept"] == clean["conclusion"]["key_facts_kept"]
    assert spoilt["exercises"] == clean["exercises"]


def test_nothing_written_is_scored_as_nothing(reports):
    conclusion = score(reports, tell=lambda text: "")["conclusion"]
    assert conclusion["rougeL"]["value"] == conclusion["key_facts_kept"]["share"] == 0.0
    assert conclusion["faithfulness"]["doses"]["share"] is None
    assert conclusion["length"]["words"]["value"] == 0.0


def _other_quote(question, report):
    return replace(question, quote="x" + question.quote[1:])


def _double(question, report):
    return replace(question, wrong=question.wrong[:-1] + (question.right[0].upper(),)) if question.wrong else question


def _leak(question, report):
    return replace(question, stem=f"{question.stem} ({question.right[0]})")


def _another_type(question, report):
    stranger = "9 zg" if question.asks in MEASURED else "zzz"  # of the type's shape, so that it parses
    return replace(question, wrong=question.wrong[:-1] + (stranger,)) if question.wrong else question


def _from_the_report(question, report):
    return replace(question, wrong=question.wrong[:-1] + (report.split()[0],)) if question.wrong else question


def _not_said(question, report):
    return replace(question, right=("9 zg",)) if question.kind != "qrm" else question


@pytest.mark.parametrize(
    ("spoil", "falls"),
    [
        (_other_quote, {"quote_verbatim", "parsed", "supported", "gold_agreement"}),
        (_double, {"distinct", "parsed", "wrong_absent"}),
        (_leak, {"not_leaked", "parsed"}),
        (_another_type, {"same_type"}),
        (_from_the_report, {"wrong_absent", "parsed", "same_type"}),
        (_not_said, {"supported", "parsed", "gold_agreement"}),
    ],
)
def test_each_fault_of_an_exercise_shows_in_its_own_figure(reports, spoil, falls):
    exercises = score(reports, spoil=spoil)["exercises"]
    assert {name for name in RULES if exercises[name]["value"] < 1.0} == falls


def test_free_writing_that_is_no_exercise_does_not_parse(reports):
    exercises = score(reports, free="Quelle est la dose ?")["exercises"]
    assert exercises["parsed_free"]["value"] == exercises["sound_free"]["value"] == 0.0
    assert exercises["parsed"]["value"] == 1.0


def test_free_writing_of_the_form_that_breaks_a_rule_parses_and_is_not_sound(reports):
    free = "<qroc><dose><quote>rien de tel<right>2 mg<ask>Quelle dose ?"
    exercises = score(reports, free=free)["exercises"]
    assert (exercises["parsed_free"]["value"], exercises["sound_free"]["value"]) == (1.0, 0.0)


def test_noise_is_read_and_the_gold_stays_clean(reports):
    oracle = Oracle(reports)
    record = score_writer(oracle, reports, 1, Noise("typo", 0.3), amount=Amount(3, 0), resamples=50)
    assert record["noise"] == {"kind": "typo", "rate": 0.3}
    assert record["conclusion"]["rougeL"]["value"] == 1.0
    texts = {report.text for report in reports}
    assert oracle.read and not texts & set(oracle.read)
    assert "entities" not in record


def test_a_question_asked_twice_costs_diversity(reports):
    """A student that asks the same of every line would keep every other rule."""
    few = reports[:2]
    sets = list(Oracle(few).exercises([replace(r, attributes={}) for r in few], ("qru",), 1, False, 1))
    twice = [QuestionSet(each.document, each.questions * 2) for each in sets]
    found = [score_exercises(few, s, 1, {}, known_terms(), 1, 20)["diversity"]["pairs"]["value"] for s in (sets, twice)]
    assert found == [1.0, 0.5]


def test_the_rules_hold_for_the_gold_itself():
    """A rule that the gold breaks would be no measure of a student."""
    writers = score_baselines(make_reports(25), SPLIT, 1, Amount(exercises=25), resamples=50)
    assert {name: writers["gold"]["exercises"][name]["value"] for name in RULES} == dict.fromkeys(RULES, 1.0)
    assert set(writers) == {"gold", "lead-3", "last-section", "oracle"}
    assert writers["last-section"]["conclusion"]["faithfulness"]["numbers"]["share"] == 1.0


def test_chance_keeps_every_rule_of_the_grammar_and_is_told_apart_from_the_gold():
    """Without it nobody knows whether a student or its grammar wrote a sound question."""
    words = ExerciseWords.from_dict(exercise_words((), SPLIT) | {"stems": list_stems()})
    tokenizer = make_tokenizer()
    chance = Writer(
        tokenizer,
        4096,
        Chance(tokenizer.get_vocab_size(), 1),
        WriterSettings(256, 300, 1000, ("DISO",)),
        "chance",
        words,
    )
    found = score_baselines(make_reports(6), SPLIT, 1, Amount(exercises=6), chance, resamples=50)["chance"]["exercises"]
    rules = [name for name in RULES if name != "gold_agreement"]
    assert {name: found[name]["value"] for name in rules} == dict.fromkeys(rules, 1.0)
    assert 0.3 < found["gold_agreement"]["value"] < 1.0


def test_the_oracle_quotes_and_comes_nearer_than_what_has_not_read_the_conclusion():
    """Below another baseline it would bound nothing."""
    writers = score_baselines(make_reports(25), SPLIT, 1, Amount(exercises=0), resamples=50)
    quoted = writers["oracle"]["conclusion"]
    assert quoted["verbatim"]["share"] == 1.0 and quoted["verbatim"]["total"] > quoted["n"]
    assert quoted["rougeL"]["value"] > 1.5 * max(
        writers[n]["conclusion"]["rougeL"]["value"] for n in ("lead-3", "last-section")
    )


def test_words_of_ones_own_are_not_verbatim(reports):
    own = score(reports, tell=lambda conclusion: "Tout va, dit-on.\nPersonne n'en doute.")["conclusion"]
    assert (own["verbatim"]["verbatim"], own["verbatim"]["total"]) == (0, 2 * own["n"])


def test_no_documents_is_an_error_that_says_so():
    with pytest.raises(ScoreError, match="no documents to score"):
        score_writer(Oracle([]), [], 1)


@pytest.mark.parametrize(
    ("answer", "asks", "verdict"),
    [("5 mg", "dose", True), ("apixaban", "dose", False), ("139 UI/mL", "lab", True), ("5 mg", "treatment", False),
     ("apixaban", "treatment", True), ("embolie pulmonaire", "treatment", False)],
)  # fmt: skip
def test_types_are_told_apart(answer, asks, verdict):
    assert is_of_type(answer, asks, known_terms()) is verdict


def test_the_drugs_of_reports_are_known_by_substance_and_brand():
    names = {name.casefold() for name in list_drugs()}
    assert {"alprazolam", "xanax", "apixaban"} <= names
