import subprocess
import sys
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carabin import Annotator, Document, DocumentError, ModelError
from carabin.tokens.batches import bounded_batches, token_batches
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


def test_documents_are_read_one_buffer_ahead(annotator):
    taken = []

    def stream():
        for number in range(10):
            taken.append(threading.current_thread())
            yield Document(str(number), "fièvre")

    next(annotator.annotate(stream(), buffer=2))
    assert len(taken) == 4
    # A database cursor or a generator of the caller's may be used from no other thread.
    assert set(taken) == {threading.current_thread()}


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


def batch_sensitive(annotator):
    """Return an engine whose scores depend, as those of dynamic INT8 do, on what else is in the batch."""

    def engine(ids, mask):
        logits = annotator.engine(ids, mask)
        return logits + np.float32(1e-2 * (int(ids.sum()) % 97)) * np.sin(np.arange(logits.shape[-1], dtype=np.float32))

    return engine


GROUPS = [["fièvre aiguë", "paracétamol", ""], [], ["dyspnée " * 90, "asthme, fièvre"], ["fièvre"] * 5]


def documents_of(groups):
    return [[Document(f"{g}.{n}", text) for n, text in enumerate(group)] for g, group in enumerate(groups)]


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("ahead", [0, 1, 4])
def test_a_group_is_scored_as_if_it_were_alone(lively, monkeypatch, workers, ahead):
    # A resumed run begins in the middle: it must give the last decimals that the whole run gave.
    monkeypatch.setattr("carabin.tokens.batches.BUFFER_DOCUMENTS", 2)
    engine = batch_sensitive(lively)
    one = Annotator(lively.reader, lively.tags, engine, batch_tokens=60)
    many = Annotator(lively.reader, lively.tags, engine, batch_tokens=60, workers=workers)
    alone = [next(one.annotate_groups([group])) for group in documents_of(GROUPS)]
    assert list(many.annotate_groups(iter(documents_of(GROUPS)), ahead)) == alone
    assert sum(len(document.entities) for group in alone for document in group) > 10


def test_a_group_that_fails_takes_no_other_with_it(annotator):
    groups = documents_of(GROUPS)
    groups[2][1] = Document("2.1", "fièvre \ud800")
    found = list(annotator.annotate_groups(groups))
    assert isinstance(found[2], DocumentError)
    assert [[d.id for d in group] for n, group in enumerate(found) if n != 2] == [["0.0", "0.1", "0.2"], [], [
        f"3.{n}" for n in range(5)]]  # fmt: skip


def test_an_engine_that_fails_fails_its_own_group_only(annotator):
    poison = annotator.reader.tokenizer.token_to_id("asthme") or annotator.reader.read(["asthme"])[0].ids[0][1]

    def engine(ids, mask):
        if (ids == poison).any():
            raise RuntimeError("no more memory")
        return annotator.engine(ids, mask)

    fragile = Annotator(annotator.reader, annotator.tags, engine, workers=2)
    found = list(fragile.annotate_groups(documents_of(GROUPS)))
    assert [isinstance(group, RuntimeError) for group in found] == [False, False, True, False]
    with pytest.raises(RuntimeError, match="no more memory"):
        list(fragile.annotate(documents_of(GROUPS)[2]))


def test_what_was_read_before_a_broken_file_is_still_given(annotator):
    def broken():
        yield documents_of(GROUPS)[0]
        raise OSError("disk gone")

    stream = annotator.annotate_groups(broken())
    assert len(next(stream)) == 3
    with pytest.raises(OSError, match="disk gone"):
        next(stream)


def test_a_stream_closed_early_leaves_no_thread(annotator):
    many = Annotator(annotator.reader, annotator.tags, annotator.engine, workers=3)
    stream = many.annotate((Document(str(n), "fièvre " * 60) for n in range(1000)), buffer=8)
    next(stream)
    stream.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("carabin")]


def test_batches_are_scored_side_by_side_and_reading_goes_on_meanwhile(annotator):
    both, read = threading.Barrier(2), threading.Event()

    def engine(ids, mask):
        # Each call waits for another one, and for the next group to be read: one at a time would never end.
        both.wait(30)
        assert read.wait(30)
        return annotator.engine(ids, mask)

    def groups():
        yield documents_of([["fièvre", "fièvre"]])[0]
        read.set()
        yield documents_of([["dyspnée", "dyspnée"]])[0]

    pair = Annotator(annotator.reader, annotator.tags, engine, batch_tokens=1, workers=2)
    assert [[surfaces(d.text, d.entities) for d in group] for group in pair.annotate_groups(groups())] == [
        [[("DISO", "fièvre")]] * 2, [[("DISO", "dyspnée")]] * 2]  # fmt: skip
    pair.word_probabilities(["fièvre", "fièvre"])
