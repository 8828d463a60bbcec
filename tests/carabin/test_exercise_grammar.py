import json
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carabin.errors import ModelError
from carabin.exercises.exercise import OPTIONS, ExerciseError
from carabin.exercises.form import read_form, write_form
from carabin.exercises.grammar import Ended, Grammar
from carabin.exercises.material import Material, ReportText, Scope
from carabin.exercises.targets import encode_form
from carabin.exercises.wording import fold, mentions
from carabin.exercises.words import ExerciseWords, Phrasebook
from carabin.generation.decoding import Limits, generate
from carabin.generation.source import read_source
from carabin.generation.spelling import walk
from carabin.generation.tasks import EXERCISES
from tests.carabin.exercise_cases import DIAGNOSIS, PROGRESSIVE, QRM, QROC, REPORT, REPORTS, WORDS, make_draft
from tests.carabin.tiny_writer import Dice, make_tokenizer, write_at_random

KINDS = ("qru", "qrm", "qroc")


@cache
def tokenizer_of(trim, regex):
    return make_tokenizer(trim, regex)


@cache
def book_of(trim=False, regex=True):
    return Phrasebook(tokenizer_of(trim, regex), ExerciseWords.from_dict(WORDS))


def material_of(text, book, window=None):
    start, end = window or (0, len(text))
    return Material(ReportText(text), read_source(book.tokenizer, EXERCISES, text[start:end], start), book)


def check_sound(drafts, report):
    for draft in drafts:
        question = draft.question
        assert report[question.start : question.end] == question.quote
        options = [fold(option) for option in (*question.right, *question.wrong)]
        assert len(set(options)) == len(options) == (1 if question.kind == "qroc" else OPTIONS)
        assert len(question.right) in {"qru": (1,), "qrm": (2, 3, 4), "qroc": (1,)}[question.kind]
        assert all(answer in question.quote for answer in question.right)
        assert not any(mentions(fold(report), fold(term)) for term in question.wrong)
        assert not any(mentions(fold(question.stem), fold(answer)) for answer in question.right)


@settings(deadline=None, max_examples=150)
@given(REPORTS, st.booleans(), st.booleans(), st.integers(0, 2**32), st.sampled_from([*KINDS, "dp"]))
def test_whatever_the_scores_are_a_sound_exercise_comes_of_it(report, trim, regex, seed, kind):
    """The heart of it: a model that knows nothing must still write what a trainer can use."""
    book = book_of(trim, regex)
    material = material_of(report, book)
    grammar = Grammar(material, KINDS if kind == "dp" else (kind,))
    place = grammar.progressive() if kind == "dp" else grammar.exercise()
    if place is None:
        return
    tokens, ended = write_at_random(place, np.random.default_rng(seed), 3 * material.longest_text)
    assert isinstance(ended, Ended) and len(ended.drafts) == (3 if kind == "dp" else 1)
    check_sound(ended.drafts, report)
    text = book.tokenizer.decode(tokens, skip_special_tokens=False)
    # What the form says is what the places say, but for a quote that stands twice in the report.
    read = read_form(text, report) if kind != "dp" else []
    assert [write_form([draft]) for draft in read] == [write_form([draft]) for draft in ended.drafts[: len(read)]]
    assert walk(place, [*tokens, 1]) is not None


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 2**32), st.integers(1, 3))
def test_the_decoding_loop_writes_within_the_grammar(seed, beams):
    book = book_of()
    material = material_of(REPORT, book)
    places = [Grammar(material, (kind,)).exercise() for kind in KINDS] + [Grammar(material, KINDS).progressive()]
    sources = Dice(book.tokenizer.get_vocab_size(), seed).read(np.zeros((1, 3)), np.ones((1, 3)))
    limits = Limits(3 * material.longest_text, beams=beams)
    for text, place in zip(
        generate(sources, np.zeros(4, np.int64), [], limits, constraints=places), places, strict=True
    ):
        assert text.finished
        check_sound(walk(place, [*text.tokens.tolist(), 1]).drafts, REPORT)


def test_a_report_offers_every_kind_and_a_blank_one_none():
    book = book_of()
    assert Grammar(material_of(REPORT, book), KINDS).progressive() is not None
    assert set(Grammar(material_of(REPORT, book), KINDS).exercise().ways) == set(book.kinds.values())
    for nothing in ("", " \n", "...", "le de la"):
        assert Grammar(material_of(nothing, book), KINDS).exercise() is None
        assert Grammar(material_of(nothing, book), KINDS).progressive() is None


@pytest.mark.parametrize("trim", [False, True])
@pytest.mark.parametrize("drafts", [[make_draft()], [QRM], [QROC], [DIAGNOSIS], PROGRESSIVE])
def test_what_training_teaches_is_what_the_grammar_spells(drafts, trim):
    """Were a target cut otherwise than the grammar cuts it, a student could never write what it learned."""
    book = book_of(trim)
    material = material_of(REPORT, book)
    grammar = Grammar(material, KINDS)
    ids = encode_form(book.tokenizer, drafts, material.source)
    ended = walk(grammar.progressive() if len(drafts) == 3 else grammar.exercise(), [*ids, 1])
    assert ended is not None
    assert list(ended.drafts) == drafts
    assert read_form(book.tokenizer.decode(ids, skip_special_tokens=False), REPORT) == drafts


def test_a_window_of_a_report_gives_the_places_of_the_report():
    start = REPORT.index("Examens")
    book = book_of()
    material = material_of(REPORT, book, (start, len(REPORT)))
    ids = encode_form(book.tokenizer, [QRM], material.source)
    assert walk(Grammar(material, KINDS).exercise(), [*ids, 1]).drafts == (QRM,)
    with pytest.raises(ExerciseError, match="outside the window"):
        encode_form(
            book.tokenizer, [make_draft(quote="Bilan de douleur pelvienne.", right=("Bilan",))], material.source
        )


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 2**32))
def test_what_was_asked_is_not_asked_again(seed):
    book = book_of()
    material = material_of(REPORT, book)
    random = np.random.default_rng(seed)
    avoid = ()
    while place := Grammar(material, ("qru",), Scope(avoid=avoid)).exercise():
        (draft,) = write_at_random(place, random, material.longest_text)[1].drafts
        question = draft.question
        assert not any(
            question.asks == asks and question.start < end and start < question.end for asks, start, end in avoid
        )
        avoid += ((question.asks, question.start, question.end),)
        assert len(avoid) < 200
    assert len(avoid) > 5


def test_a_type_asked_often_is_asked_again_only_where_no_other_can_be():
    book = book_of()
    material = material_of(REPORT, book)
    types = {name: token for name, token in book.types.items()}
    offered = Grammar(material, ("qru",)).exercise().advance(book.kinds["qru"]).allowed()
    assert {types["dose"], types["diagnosis"]} < set(offered.tolist())
    fresh = (
        Grammar(material, ("qru",), Scope(tired=frozenset({"dose"}))).exercise().advance(book.kinds["qru"]).allowed()
    )
    assert set(offered.tolist()) - set(fresh.tolist()) == {types["dose"]}
    everything = Scope(tired=frozenset(types))
    assert (
        Grammar(material, ("qru",), everything).exercise().advance(book.kinds["qru"]).allowed().tolist()
        == offered.tolist()
    )


def test_what_cannot_be_asked_is_not_looked_for_everywhere(monkeypatch):
    """A kind without stems for a type, or stems that no words of the report can fill, once took minutes to rule out."""
    asked = []
    sound = Material.can_finish
    monkeypatch.setattr(Material, "can_finish", lambda *facts: asked.append(1) or sound(*facts))
    stems = {kind: {"lab": ["{} ?"], "treatment": ["Combien de Doliprane, de {} ?"]} for kind in KINDS}
    book = Phrasebook(make_tokenizer(), ExerciseWords.from_dict({**WORDS, "stems": stems}))
    material = material_of("Doliprane Doliprane\n" * 40 + "12 g 12 g\n" * 40, book)
    for kind in KINDS:
        Grammar(material, (kind,)).exercise()
    Grammar(material, KINDS).progressive()
    assert len(asked) < 60_000


def test_marks_that_a_report_holds_are_never_copied():
    """A report may say `<wrong>`: as a token of the form it would end a quote in its middle."""
    book = book_of()
    report = "Dose de Kardégic <wrong> 75 mg par jour.\n- Tahor 80 mg le soir\n"
    material = material_of(report, book)
    place = Grammar(material, ("qru",)).exercise()
    for seed in range(20):
        tokens, ended = write_at_random(place, np.random.default_rng(seed), material.longest_text)
        assert ended.drafts[0].question.quote == "- Tahor 80 mg le soir"


@pytest.mark.parametrize(
    ("record", "cause"),
    [
        ([], "not a JSON object"),
        ({"stems": {}}, "not stems and terms"),
        ({"stems": {"qru": {"dose": [""]}}, "terms": {}}, "not stems and terms"),
        ({"stems": {"kfp": {}}, "terms": {}}, "'kfp' is no kind"),
        ({"stems": {}, "terms": {"colour": ["bleu"]}}, "'colour' is no kind"),
        ({"stems": {"qru": {"dose": ["{} et {} ?"]}}, "terms": {}}, "names two things"),
    ],
)
def test_words_that_are_not_of_the_form_are_refused_in_one_line(record, cause, tmp_path):
    (tmp_path / "exercises.json").write_text(json.dumps(record))
    with pytest.raises(ModelError, match=cause):
        ExerciseWords.load(tmp_path)


def test_a_student_without_marks_writes_no_exercises(student):
    from tokenizers import Tokenizer

    with pytest.raises(ModelError, match="no token <quote>"):
        Phrasebook(Tokenizer.from_file(str(student / "tokenizer.json")), ExerciseWords.from_dict(WORDS))
