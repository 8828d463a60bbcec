"""Reading and aligning answers: a wrong offset or a guessed entity would go unnoticed."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carabin.tokens.tagging import encode_spans
from carabin.tokens.words import find_words
from tests.training.endpoint_cases import (
    UMLS,
)
from training.endpoint_teacher_answers import Listed, align, read_answer
from training.endpoint_teacher_prompt import build_messages, cut_text
from zoo.labels import LABEL_SETS
from zoo.runs import RunError


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_surfaces_taken_in_order_are_found_where_they_were_or_where_the_same_stands(data):
    text = data.draw(st.text(st.sampled_from("aAéE\u0301œßİ 0-\n\u00a0'’çÇﬁ😀\u200bТ") | st.characters(), max_size=60))
    words = find_words(text)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(words)), max_size=8, unique=True)))
    spans = [
        (int(words[first, 0]), int(words[last - 1, 1])) for first, last in zip(cuts[::2], cuts[1::2], strict=False)
    ]
    found, counts = align([Listed(text[start:end], "DISO") for start, end in spans], text)
    assert counts["unaligned"] == counts["overlapping"] == counts["inexact"] == counts["out_of_order"] == 0
    assert [text[one.start : one.end] for one in found] == [text[start:end] for start, end in spans]
    assert all(one.start <= start for one, (start, _) in zip(found, spans, strict=True))


@given(st.text(max_size=40), st.lists(st.text(max_size=8), max_size=6))
@settings(max_examples=150, deadline=None)
def test_whatever_is_listed_is_counted_once_and_never_overlaps(text, surfaces):
    found, counts = align([Listed(surface, "DISO") for surface in surfaces], text)
    assert counts["aligned"] + counts["overlapping"] + counts["unaligned"] == len(surfaces)
    encode_spans(find_words(text), found, UMLS)  # raises if two overlap


@pytest.mark.parametrize(
    ("surface", "text", "span"),
    [
        ("oedeme", "un Œdème aigu", (3, 8)),
        ("épaule", "l'e\u0301paule droite", (2, 9)),
        ("embolie pulmonaire", "EMBOLIE\n  PULMONAIRE.", (0, 20)),
        ("metformine 500mg", "Metformine 500 mg", (0, 17)),
        ("signe d'alerte", "signe d’alerte", (0, 14)),
        ("TA", "TABAC, TA 12/8", (7, 9)),
        ("douleur", "douleurs", None),
        ("fièvre", "apyrétique", None),
        ("\ud800", "texte", None),
    ],
)
def test_a_surface_is_mapped_to_exact_code_points_or_not_at_all(surface, text, span):
    found, counts = align([Listed(surface, "DISO")], text)
    assert [(one.start, one.end) for one in found] == ([span] if span else [])
    assert counts["unaligned"] == (span is None)


def test_an_entity_listed_once_too_often_does_not_cost_those_that_follow():
    text = "toux, fièvre, asthénie, toux"
    found, counts = align([Listed(one, "DISO") for one in ("toux", "toux", "fièvre", "asthénie", "toux")], text)
    assert [text[one.start : one.end] for one in found] == ["toux", "fièvre", "asthénie", "toux"]
    assert counts == Counter(aligned=4, out_of_order=3, overlapping=1)


@pytest.mark.parametrize(
    ("content", "reason", "counts"),
    [
        ('[{"surface": "a", "label": "DISO"}]', "stop", {"listed": 1}),
        ('<think>bon [</think>{"entities": []}', "stop", {"listed": 0}),
        ('[{"surface": "a", "label": "X"}, {"surface": 3}, "a", {"surface": " ", "label": "DISO"}]', "stop",
         {"listed": 4, "unknown_labels": 1, "malformed_items": 3}),
        ('{"entities": [{"surface": "a"', "stop", {"malformed": 1}),
        ('{"entities": [{"surface": "a"', "length", {"truncated": 1}),
        ("Je ne peux pas traiter de données médicales.", "stop", {"refused": 1}),
        ("I'm sorry, but no.", "stop", {"refused": 1}),
        (None, "content_filter", {"refused": 1}),
        (None, "stop", {"malformed": 1}),
        ("[" * 100_000, "stop", {"malformed": 1}),
        ('{"entities": "aucune"}', None, {"malformed": 1}),
    ],
)  # fmt: skip
def test_each_way_an_answer_fails_has_its_count(content, reason, counts):
    answer = read_answer(content, reason, UMLS)
    assert answer.counts == Counter(counts)
    assert (answer.entities is None) == ("listed" not in counts)


@given(st.text(st.sampled_from("ab. \n\u0301é;")), st.integers(1, 30))
@settings(deadline=None)
def test_passages_tile_the_text(text, longest):
    spans = list(cut_text(text, longest))
    assert "".join(text[start:end] for start, end in spans) == text
    assert all(0 < end - start <= longest for start, end in spans)


@pytest.mark.parametrize("label_set", ["umls", "pii"])
def test_the_prompts_own_example_is_right(label_set):
    messages = build_messages("x", label_set)
    answer = read_answer(messages[2]["content"], "stop", LABEL_SETS[label_set])
    _, counts = align(answer.entities, messages[1]["content"])
    assert counts == Counter(aligned=answer.counts["listed"])


def test_a_label_set_that_the_prompt_does_not_explain_is_refused():
    with pytest.raises(RunError, match=r"add \[specialty.labels\]"):
        build_messages("x", "specialty")
