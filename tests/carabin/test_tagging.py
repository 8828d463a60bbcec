from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carabin.documents import Entity
from carabin.tokens.tagging import _viterbi, bio_tags, constrained_tags, decode_spans, encode_spans, labels_of

LABELS = ("A", "B")
N_TAGS = 5


def is_valid(tags):
    return all(t == 0 or t % 2 or p in (t, t - 1) for p, t in zip((0, *tags[:-1]), tags, strict=True))


def value(scores, tags):
    return scores[np.arange(len(tags)), list(tags)].sum()


def distributions(n, seed, sharpness):
    logits = np.random.default_rng(seed).normal(size=(n, N_TAGS)) * sharpness
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


@given(st.integers(1, 6), st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 2, 8]))
def test_the_best_valid_tags_are_found_as_by_trying_all(n, seed, sharpness):
    scores = np.log(np.maximum(distributions(n, seed, sharpness), 1e-12))
    best = max(value(scores, tags) for tags in product(range(N_TAGS), repeat=n) if is_valid(tags))
    for tags in (constrained_tags(scores).tolist(), _viterbi(scores).tolist()):
        assert is_valid(tags)
        assert value(scores, tags) == pytest.approx(best)


@given(st.integers(1, 300), st.integers(0, 10_000), st.sampled_from([0.5, 2, 8]))
def test_searching_only_the_doubtful_words_loses_nothing(n, seed, sharpness):
    # Long texts: the shortcut leaves out the words whose argmax is certain, and must reach the same optimum.
    scores = np.log(np.maximum(distributions(n, seed, sharpness), 1e-12))
    tags = constrained_tags(scores)
    assert is_valid(tags.tolist())
    assert value(scores, tags) == pytest.approx(value(scores, _viterbi(scores)))


@st.composite
def words_and_entities(draw):
    words, entities, position = [], [], 0
    for gap, length in draw(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 3)), max_size=20)):
        words.append((position + gap, position + gap + length))
        position += gap + length
    first = 0
    while first < len(words):
        last = min(first + draw(st.integers(1, 4)), len(words))
        if draw(st.booleans()):
            entities.append(Entity(words[first][0], words[last - 1][1], draw(st.sampled_from(LABELS))))
        first = last
    return np.asarray(words, dtype=np.int64).reshape(-1, 2), entities


@given(words_and_entities())
def test_entities_on_word_borders_come_back_as_they_were(pair):
    words, entities = pair
    certain = np.eye(N_TAGS, dtype=np.float32)[encode_spans(words, entities, LABELS)]
    found = decode_spans(words, certain, LABELS)
    assert [(e.start, e.end, e.label, e.score) for e in found] == [(e.start, e.end, e.label, 1.0) for e in entities]


@given(st.integers(0, 60), st.integers(0, 10_000))
def test_decoded_entities_are_in_order_disjoint_and_scored(n, seed):
    words = np.stack((np.arange(n) * 3, np.arange(n) * 3 + 2), axis=1).astype(np.int64)
    found = decode_spans(words, distributions(n, seed, 1).astype(np.float32), LABELS)
    assert all(a.end <= b.start for a, b in zip(found, found[1:], strict=False))
    assert all(e.start < e.end and 0 <= e.score <= 1 for e in found)


def test_a_label_begun_twice_is_two_entities():
    words = np.asarray([(0, 2), (3, 5)])
    tags = encode_spans(words, [Entity(0, 2, "A"), Entity(3, 5, "A")], LABELS)
    assert tags.tolist() == [1, 1]


@pytest.mark.parametrize("entities", [[Entity(0, 2, "Z")], [Entity(0, 4, "A"), Entity(3, 5, "B")]])
def test_spans_that_tags_cannot_say_are_refused(entities):
    with pytest.raises(ValueError, match=r"label 'Z'|overlaps"):
        encode_spans(np.asarray([(0, 2), (3, 5)]), entities, LABELS)


@pytest.mark.parametrize("tags", [(), ("B-A", "I-A"), ("O", "I-A", "B-A"), ("O", "B-A"), ("O", "B-A", "I-B")])
def test_tags_in_another_order_are_no_label_set(tags):
    assert labels_of(bio_tags(LABELS)) == LABELS
    with pytest.raises(ValueError, match="not a Carabin model"):
        labels_of(tags)
