"""Noise: what would go wrong silently is a teacher's answer carried to the wrong word."""

import random
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carabin.documents import Entity
from carabin.tokens.tagging import encode_spans
from carabin.tokens.words import find_words
from zoo.noise import (
    KINDS,
    Noised,
    carry_entities,
    carry_probabilities,
    carry_tags,
    carry_word_rows,
    perturb,
)
from zoo.noise.abbreviations import fold, read_lexicon
from zoo.noise.characters import AZERTY_NEIGHBOURS, mistype, strip_accents

VOCABULARY = (
    "Patiente de 67 ans aux antécédents d'hypertension artérielle pulmonaire et de diabète de type 2 admise pour une "
    "embolie pulmonaire bilatérale traitée par apixaban 5 mg matin et soir ECG FA CRP DT2 œdème aigu du poumon "
    "insuffisance rénale chronique affection inflammatoire difficile TA 13/8 , . : ( ) BPCO"
).split()
CLINICAL = st.lists(st.sampled_from(VOCABULARY), max_size=30).map(" ".join)
ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
TEXTS = CLINICAL | ANYTHING | st.tuples(CLINICAL, ANYTHING).map("\n".join)
RATES = st.sampled_from((0.05, 0.3, 1.0))
KIND_NAMES = st.sampled_from(sorted(KINDS))
LABELS = ("DISO", "CHEM")


def entities_of(text: str, edges: list[int]) -> list[Entity]:
    places = sorted({edge for edge in edges if edge <= len(text)})
    pairs = zip(places[::2], places[1::2], strict=False)
    return [Entity(start, end, LABELS[start % 2]) for start, end in pairs]


def word_entities(words: np.ndarray, edges: list[int]) -> list[Entity]:
    places = sorted({edge for edge in edges if edge < len(words)})
    pairs = zip(places[::2], places[1::2], strict=False)
    return [Entity(int(words[a, 0]), int(words[b, 1]), LABELS[a % 2]) for a, b in pairs]


@given(TEXTS, KIND_NAMES, RATES, st.integers(0, 99))
def test_spans_are_sorted_inside_the_text_and_never_overlap(text, kind, rate, seed):
    noised = perturb(text, kind, rate, random.Random(seed))
    assert noised.spans.shape == find_words(text).shape
    flat = noised.spans.ravel()
    assert np.all(np.diff(flat) >= 0)
    assert np.all((flat >= 0) & (flat <= len(noised.text)))
    noised.text.encode("utf-8")


def is_form_of(kind: str, clean: str, now: str) -> bool:
    """Could this kind have made `now` of the word `clean`?"""
    if kind == "typo":
        return abs(len(now) - len(clean)) <= 1 and len(clean) > 2
    if kind == "accent":
        return now == strip_accents(clean)
    if kind == "case":
        return now in (clean.upper(), clean.lower(), clean.capitalize())
    if kind == "ocr":
        return abs(len(now) - len(clean)) <= 1
    if kind == "pdf":
        return unicodedata.normalize("NFKC", now.replace("-\n", "")) == unicodedata.normalize("NFKC", clean)
    lexicon = read_lexicon()
    if kind == "abbreviate":
        return now == "" or now in {**lexicon.clear, **lexicon.ambiguous}
    return kind == "expand" and (now == "" or now in {forms[0] for forms in lexicon.clear.values()})


@given(TEXTS, KIND_NAMES, RATES, st.integers(0, 99))
def test_every_kept_span_reads_the_clean_word_or_its_perturbed_form(text, kind, rate, seed):
    words = find_words(text)
    noised = perturb(text, kind, rate, random.Random(seed), words)
    for (a, b), (start, end) in zip(words.tolist(), noised.spans.tolist(), strict=True):
        clean, now = text[a:b], noised.text[start:end]
        assert now == clean or is_form_of(kind, clean, now), (kind, clean, now)


@given(TEXTS, st.sampled_from(["typo", "accent", "case", "ocr"]), RATES, st.integers(0, 99))
def test_what_stands_between_words_is_untouched_by_noise_of_letters(text, kind, rate, seed):
    words = find_words(text)
    noised = perturb(text, kind, rate, random.Random(seed), words)
    assert gaps(noised.text, noised.spans) == gaps(text, words)


@given(TEXTS, st.sampled_from(["glue", "pdf"]), RATES, st.integers(0, 99))
def test_layout_noise_adds_and_removes_nothing_but_blanks_hyphens_and_ligatures(text, kind, rate, seed):
    def letters(value: str) -> str:
        return "".join(unicodedata.normalize("NFKC", value.replace("-", "")).split())

    assert letters(perturb(text, kind, rate, random.Random(seed)).text) == letters(text)


def gaps(text: str, spans: np.ndarray) -> list[str]:
    edges = [0, *spans.ravel().tolist(), len(text)]
    return [text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]


@given(TEXTS, KIND_NAMES, RATES, st.integers(0, 99))
def test_equal_generators_give_equal_noise(text, kind, rate, seed):
    first, second = (perturb(text, kind, rate, random.Random(seed)) for _ in range(2))
    assert first.text == second.text
    assert np.array_equal(first.spans, second.spans)


@given(TEXTS, KIND_NAMES, st.lists(st.integers(0, 60), max_size=8))
def test_rate_zero_is_identity_down_to_entities_and_rows(text, kind, edges):
    words, entities = find_words(text), entities_of(text, edges)
    noised = perturb(text, kind, 0.0, random.Random(0), words)
    assert noised.text == text
    assert np.array_equal(noised.spans, words)
    assert carry_entities(entities, words, noised) == tuple(entities)
    assert carry_word_rows(words, noised).tolist() == list(range(len(words)))


@given(TEXTS, KIND_NAMES, RATES, st.integers(0, 99), st.lists(st.integers(0, 120), max_size=12))
def test_carried_entities_lie_inside_the_text_and_never_overlap(text, kind, rate, seed, edges):
    words, entities = find_words(text), entities_of(text, edges)
    noised = perturb(text, kind, rate, random.Random(seed), words)
    carried = carry_entities(entities, words, noised)
    if not np.array_equal(words, noised.spans):
        assert all(noised.text[entity.start : entity.end].strip() for entity in carried)
    assert all(0 <= entity.start < entity.end <= len(noised.text) for entity in carried)
    assert all(one.end <= two.start for one, two in zip(carried, carried[1:], strict=False))


@given(CLINICAL, st.sampled_from(["typo", "accent", "case", "abbreviate", "expand"]), RATES, st.integers(0, 99),
       st.lists(st.integers(0, 30), max_size=8))  # fmt: skip
def test_tags_carried_word_by_word_are_those_of_the_carried_entities(text, kind, rate, seed, edges):
    words = find_words(text)
    entities = word_entities(words, edges)
    noised = perturb(text, kind, rate, random.Random(seed), words)
    new_words = find_words(noised.text)
    rows = carry_word_rows(new_words, noised)
    by_rows = carry_tags(encode_spans(words, entities, LABELS), rows)
    by_entities = encode_spans(new_words, carry_entities(entities, words, noised), LABELS)
    assert by_rows.tolist() == by_entities.tolist()


@given(TEXTS, KIND_NAMES, RATES, st.integers(0, 99))
def test_rows_point_at_a_clean_word_that_stands_there(text, kind, rate, seed):
    noised = perturb(text, kind, rate, random.Random(seed))
    new_words = find_words(noised.text)
    rows = carry_word_rows(new_words, noised)
    assert np.all(np.diff(rows[rows >= 0]) >= 0)
    for (start, end), row in zip(new_words.tolist(), rows.tolist(), strict=True):
        if row >= 0:
            assert noised.spans[row, 0] < end and start < noised.spans[row, 1]
        else:
            assert not np.any((noised.spans[:, 0] < end) & (start < noised.spans[:, 1]))


@settings(max_examples=50)
@given(CLINICAL, st.sampled_from(["typo", "accent", "glue", "expand"]), st.integers(0, 99))
def test_half_the_rate_changes_half_the_eligible_words(text, kind, seed):
    def changed(rate: float) -> int:
        noised = perturb(text, kind, rate, random.Random(seed))
        if kind == "glue":
            return len(text) - len(noised.text)
        words = [text[a:b] for a, b in find_words(text)]
        now = [noised.text[a:b] for a, b in noised.spans]
        return sum(one != two and two != "" for one, two in zip(words, now, strict=True))

    eligible = changed(1.0)
    assert abs(changed(0.5) - eligible / 2) <= 0.5


def test_glued_words_keep_their_own_places_and_the_longer_one_gives_the_row():
    noised = perturb("de 5 mg", "glue", 1.0, random.Random(1))
    assert noised.text == "de5mg"
    assert noised.spans.tolist() == [[0, 2], [2, 3], [3, 5]]
    noised = perturb("la toux", "glue", 1.0, random.Random(1))
    assert carry_word_rows(find_words(noised.text), noised).tolist() == [1]


def test_an_abbreviated_phrase_stands_in_its_first_word_and_the_tail_vanishes():
    text = "une hypertension artérielle sévère"
    words = find_words(text)
    noised = perturb(text, "abbreviate", 1.0, random.Random(1), words)
    assert noised.text == "une HTA sévère"
    assert noised.spans.tolist() == [[0, 3], [4, 7], [7, 7], [8, 14]]
    whole, tail = Entity(4, 27, "DISO"), Entity(17, 27, "ANAT")
    assert carry_entities([whole], words, noised) == (Entity(4, 7, "DISO"),)
    assert carry_entities([tail], words, noised) == ()


def test_an_expanded_abbreviation_begins_once():
    noised = perturb("une HTA", "expand", 1.0, random.Random(1))
    assert noised.text == "une hypertension artérielle"
    rows = carry_word_rows(find_words(noised.text), noised)
    assert rows.tolist() == [0, 1, 1]
    teacher = np.asarray([[0.9, 0.1, 0.0], [0.1, 0.7, 0.2]])
    carried = carry_probabilities(teacher, rows)
    assert carried == pytest.approx(np.asarray([[0.9, 0.1, 0.0], [0.1, 0.7, 0.2], [0.1, 0.0, 0.9]]))
    assert carry_tags(np.asarray([0, 1]), rows).tolist() == [0, 1, 2]


def test_long_forms_are_known_whatever_their_case_accents_and_line_breaks():
    for text in ("Insuffisance Rénale aiguë", "INSUFFISANCE RENALE AIGUE", "insuffisance rénale\naiguë"):
        assert perturb(text, "abbreviate", 1.0, random.Random(1)).text == "IRA"


def test_ambiguous_abbreviations_and_small_letters_are_never_expanded():
    text = "EP, FA, IRC, PA, hta, PAS DE FIEVRE"
    assert perturb(text, "expand", 1.0, random.Random(1)).text == text


def test_the_lexicon_is_large_and_says_each_thing_once():
    lexicon = read_lexicon()
    assert len(lexicon.clear) >= 150
    assert not set(lexicon.clear) & set(lexicon.ambiguous)
    for short, forms in {**lexicon.clear, **lexicon.ambiguous}.items():
        assert forms, short
        assert len({fold(form) for form in forms}) == len(forms), short
        assert all(fold(form) != fold(short) for form in forms), short


def test_typos_hit_keys_that_touch_on_a_french_keyboard():
    assert set(AZERTY_NEIGHBOURS["a"]) == set("zq")
    assert set(AZERTY_NEIGHBOURS["s"]) == set("zeqdwx")
    for letter, keys in AZERTY_NEIGHBOURS.items():
        assert all(letter in AZERTY_NEIGHBOURS[key] for key in keys), letter
    rng = random.Random(3)
    assert all(mistype(word, rng) != word for word in ("aa", "été", "œil", "zzz") for _ in range(200))


@pytest.mark.parametrize(
    ("kind", "rate", "says"), [("sms", 0.1, "not one of typo"), ("typo", 1.5, "1.5 is not a share")]
)
def test_unknown_noise_says_what_there_is(kind, rate, says):
    with pytest.raises(ValueError, match=says):
        perturb("toux", kind, rate, random.Random(1))


def test_words_that_all_vanished_give_no_rows():
    noised = Noised("...", np.zeros((2, 2), dtype=np.int64))
    assert carry_word_rows(find_words(noised.text), noised).tolist() == [-1, -1, -1]
    assert carry_word_rows(find_words(""), perturb("", "typo", 1.0, random.Random(1))).tolist() == []
