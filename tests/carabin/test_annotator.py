import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carabin import Annotator, Document, ModelError
from carabin.annotator import bounded_batches, token_batches
from tests.carabin.test_words_and_windows import TEXTS


def surfaces(text, entities):
    return [(entity.label, text[entity.start : entity.end]) for entity in entities]


def test_the_known_words_are_found_where_they_stand(annotator):
    text = "😀 Une fièvre aiguë,\r\npas de dyspnée : paracétamol."
    expected = [("DISO", "fièvre aiguë"), ("DISO", "dyspnée"), ("CHEM", "paracétamol")]
    assert surfaces(text, annotator(text)) == expected


@settings(deadline=None)
@given(texts=st.lists(TEXTS, max_size=5))
def test_any_unicode_gives_spans_in_order_that_hold_visible_text(lively, texts):
    documents = [Document(str(number), text) for number, text in enumerate(texts)]
    for before, after in zip(documents, lively.annotate(documents), strict=True):
        assert (after.id, after.text) == (before.id, before.text)
        assert all(after.text[e.start : e.end].strip() == after.text[e.start : e.end] != "" for e in after.entities)
        assert all(a.end <= b.start for a, b in zip(after.entities, after.entities[1:], strict=False))


@settings(deadline=None, max_examples=30)
@given(texts=st.lists(TEXTS, min_size=1, max_size=6), budget=st.sampled_from([1, 40, 4096]))
def test_answers_do_not_depend_on_batches_or_windows(lively, texts, budget):
    # The tiny model looks at one token only, so one window for the whole text is the reference.
    words = [lively.reader.read([text])[0].words for text in texts]
    batched = Annotator(lively.reader, lively.tags, lively.engine, batch_tokens=budget).word_probabilities(texts)
    for text, offsets, (found, probabilities) in zip(texts, words, batched, strict=True):
        encoding = lively.reader.tokenizer.encode(text, add_special_tokens=False)
        assert np.array_equal(found, offsets)
        for (start, _), row in zip(offsets.tolist(), probabilities, strict=True):
            token = next((n for n, (a, b) in enumerate(encoding.offsets) if a <= start < b), None)
            if token is None:
                assert row[0] == 1
                continue
            logits = lively.engine(np.asarray([[encoding.ids[token]]]), np.ones((1, 1), dtype=np.int64))[0, 0]
            expected = np.exp(logits - logits.max())
            assert row == pytest.approx(expected / expected.sum(), abs=1e-6)


@pytest.mark.parametrize(
    "text", ["", " \n", "\x00", "😀😀👩‍⚕️", "\u0301\u0301", "مرحبا שלום", "xxxxxxxx" * 50, "fièvre\x00aiguë", "\ufeff"]
)
def test_odd_texts_are_annotated_like_any_other(lively, text):
    assert all(0 <= e.start < e.end <= len(text) for e in lively(text))


FIVE_MEGABYTES = """
import resource, sys
from carabin import Annotator
annotator = Annotator.load(sys.argv[1], threads=1)
sentence = "Le patient présente une fièvre aiguë depuis deux jours, sans dyspnée. "
text = sentence * (5_000_000 // len(sentence))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
entities = annotator(text)
last = entities[-1]
print(len(entities) == 2 * text.count("fièvre"), text[last.start:last.end])
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_five_megabytes_take_bounded_memory(student):
    # The tokenizer's own records of such a text take over a gigabyte.
    pytest.importorskip("resource")
    command = [sys.executable, "-c", FIVE_MEGABYTES, str(student)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout.splitlines()
    assert lines[0] == "True dyspnée"
    assert int(lines[1]) < 350


def test_documents_are_read_a_buffer_at_a_time(annotator):
    taken = []

    def stream():
        for number in range(10):
            taken.append(number)
            yield Document(str(number), "fièvre")

    next(annotator.annotate(stream(), buffer=2))
    assert len(taken) <= 3


def test_long_documents_are_buffered_by_length():
    documents = [Document("a", "x" * 6), Document("b", "x" * 6), Document("c", "x" * 60), Document("d", "")]
    assert ["".join(d.id for d in batch) for batch in bounded_batches(documents, 3, 10)] == ["a", "b", "c", "d"]
    assert ["".join(d.id for d in batch) for batch in bounded_batches(documents, 3, 100)] == ["abc", "d"]


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 100))
def test_batches_keep_to_the_budget_and_lose_no_window(lengths, budget):
    queue = [(0, number, length) for number, length in enumerate(sorted(lengths))]
    batches = list(token_batches(queue, budget))
    assert [entry for batch in batches for entry in batch] == queue
    assert all(len(batch) == 1 or len(batch) * batch[-1][2] <= budget for batch in batches)


def test_a_score_that_is_no_number_is_an_error_not_an_answer(annotator):
    def engine(ids, mask):
        return np.full((*ids.shape, len(annotator.tags)), np.nan, dtype=np.float32)

    with pytest.raises(ModelError, match="not a number"):
        Annotator(annotator.reader, annotator.tags, engine)("fièvre")


def test_an_engine_that_scores_other_tags_is_refused(annotator):
    def engine(ids, mask):
        return np.zeros((*ids.shape, 3), dtype=np.float32)

    with pytest.raises(ModelError, match="scores 3 tags where 5 are named"):
        Annotator(annotator.reader, annotator.tags, engine)("fièvre")


def test_a_temperature_makes_scores_milder_and_finds_the_same(annotator):
    text = "fièvre aiguë, paracétamol"
    mild = Annotator(annotator.reader, annotator.tags, annotator.engine, temperature=3.0)
    sure, unsure = annotator(text), mild(text)
    assert surfaces(text, unsure) == surfaces(text, sure)
    assert all(b.score < a.score for a, b in zip(sure, unsure, strict=True))


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan"), float("inf")])
def test_a_temperature_that_is_none_is_refused(annotator, temperature):
    with pytest.raises(ValueError, match="positive"):
        Annotator(annotator.reader, annotator.tags, annotator.engine, temperature=temperature)
