"""Lessons: what is taught must be what the source says, at the tokens that the grammar will spell."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from carabin.documents import Document
from carabin.exercises.form import write_form
from carabin.generation.passages import cut_passages
from carabin.generation.quoted_conclusion import join_quotes
from training.batches import Visit
from training.lesson_batches import FEATURES, LessonBatcher, count_written
from training.lesson_encoding import UNMARKED, LessonEncoder
from training.lessons import bare_texts, gold_texts
from training.rows import write_rows
from training.writing_losses import NO_TOKEN
from training.writing_tokenizer import FRAME, train_writing_tokenizer
from training.written_targets import _taught
from zoo.labels import LABEL_SETS
from zoo.registry.recipes import NoiseRecipe, Writing
from zoo.runs import RunError
from zoo.synthesis import generate_reports
from zoo.synthesis.exercises import exercise_words, make_drafts

REPORTS = [Document.from_dict(record, "synthetic") for record in generate_reports("train", 8, 1)]


@pytest.fixture(scope="module")
def tokenizer():
    return train_writing_tokenizer((report.text for report in REPORTS), 900)


@pytest.fixture(scope="module")
def encode(tokenizer):
    drafts = (draft for report in REPORTS for some in make_drafts(report, "train", 1) for draft in some)
    return LessonEncoder(tokenizer, 4000, exercise_words(drafts, "train"), sorted(LABEL_SETS["umls"]), 320).encode


@given(st.text())
def test_whatever_is_read_can_be_written_again(text: str):
    """A tokenizer that normalises would change the quotations a trainer is shown."""
    made = train_writing_tokenizer(["Patiente de 67 ans.\nTA 12/8"], 340)
    assert made.decode(made.encode(text).ids[:-1], skip_special_tokens=False) == text


def test_digits_stand_alone_and_the_frame_has_the_first_ids(tokenizer):
    assert [tokenizer.token_to_id(token) for token in FRAME] == [0, 1, 2]
    pieces = [tokenizer.decode([number]) for number in tokenizer.encode("12,5 mg").ids[:-1]]
    assert pieces[:4] == ["1", "2", ",", "5"]
    with pytest.raises(RunError, match="no room for words"):
        train_writing_tokenizer(["a"], 300)


def test_gold_exercises_are_taught_as_they_are_written(tokenizer, encode):
    """Targets cut otherwise than the grammar cuts them would teach ways that it never offers."""
    texts = [text for text in gold_texts(REPORTS, "train", Writing(tasks=("exercises",)), 1)]
    assert texts
    taught = 0
    for text in texts:
        lesson = encode(text)
        if lesson is None:
            continue
        forms = {write_form(drafts) for drafts in text.drafts}
        for ids in lesson["targets"]:
            written = tokenizer.decode(ids[:-1], skip_special_tokens=False)
            bare = "".join(written.split())
            assert bare in {"".join(form.split()) for form in forms}
            taught += 1
    assert taught >= len(texts)


def test_questions_are_taught_on_windows_that_hold_their_evidence_and_progressive_files_on_whole_reports():
    """A quote outside what is read would teach to write what the source does not say."""
    reports = {report.id: report.text for report in REPORTS}
    writing = Writing(tasks=("exercises",), exercise_characters=600, linked_every=1)
    texts = list(gold_texts(REPORTS, "train", writing, 1))
    linked = [text for text in texts if any(len(drafts) > 1 for drafts in text.drafts)]
    assert linked and len(linked) < len(texts)
    for text in texts:
        whole = reports[text.document]
        assert whole.startswith(text.text, text.place)
        assert text.text == whole if text in linked else len(text.text) < 1200
        for question in (draft.question for drafts in text.drafts for draft in drafts):
            assert text.text[question.start - text.place : question.end - text.place] == question.quote
    rare = list(gold_texts(REPORTS, "train", Writing(tasks=("exercises",), linked_every=1000), 1))
    assert all(len(drafts) == 1 for text in rare for drafts in text.drafts)


def test_entities_are_taught_in_order_with_their_labels(tokenizer, encode):
    texts = [text for text in gold_texts(REPORTS, "train", Writing(tasks=("entities",)), 1)]
    lines = 0
    for text in texts:
        lesson = encode(text)
        if lesson is None:
            continue
        (ids,) = lesson["targets"]
        written = tokenizer.decode(ids[:-1], skip_special_tokens=False).splitlines()
        expected = [(text.text[one.start : one.end], one.label) for one in text.entities]
        assert [tuple(part.strip() for part in line.rsplit(" | ", 1)) for line in written] == expected
        lines += len(written)
    assert lines > 20


def test_what_a_teacher_reads_holds_no_gold(tokenizer):
    for text in bare_texts(REPORTS, Writing(), 1):
        assert text.conclusion is None and text.entities is None and text.drafts == ()
    conclusions = {text.conclusion for text in gold_texts(REPORTS, "train", Writing(tasks=("conclusion",)), 1)}
    read = " ".join(text.text for text in bare_texts(REPORTS, Writing(tasks=("conclusion",)), 1))
    assert not any(conclusion in read for conclusion in conclusions if conclusion)


@given(st.text(alphabet="ab \n.", max_size=200), st.integers(5, 40))
def test_passages_hold_every_word_once(text: str, longest: int):
    passages = cut_passages(text, longest)
    assert "".join("".join(text[start:end].split()) for start, end in passages) == "".join(text.split())
    assert all(before[1] <= after[0] for before, after in zip(passages, passages[1:], strict=False))


def test_what_was_written_is_among_its_choices_and_most_tokens_are_forced(encode):
    """A choice without the token that was written would teach the opposite of what the text says."""
    counts = []
    for text in gold_texts(REPORTS, "train", Writing(tasks=("exercises", "entities")), 1):
        lesson = encode(text)
        for ids, choices in zip(lesson["targets"], lesson["choices"], strict=True) if lesson else ():
            assert all(token in some for token, some in zip(ids, choices, strict=True))
            counts += [len(some) for some in choices]
    assert sum(count == 1 for count in counts) > len(counts) / 2
    assert max(counts) > 20


def test_the_marks_of_what_is_read_are_those_of_its_entities(tokenizer, encode):
    labels, words = sorted(LABEL_SETS["umls"]), 0
    for text in gold_texts(REPORTS, "train", Writing(tasks=("entities",)), 1):
        lesson = encode(text)
        if lesson is None:
            continue
        read = tokenizer.encode(lesson["prefix"] + text.text)
        assert lesson["marks"][0] == lesson["marks"][-1] == UNMARKED
        for mark, (start, end) in zip(lesson["marks"], read.offsets, strict=True):
            place = range(start - len(lesson["prefix"]), end - len(lesson["prefix"]))
            inside = {one.label for one in text.marked if any(one.start <= here < one.end for here in place)}
            assert mark == UNMARKED or inside == ({labels[mark - 1]} if mark else set())
            words += mark > 0
    assert words > 20


def test_every_written_token_weighs_the_same(tokenizer, encode, tmp_path):
    """One conclusion of a long report must not turn the weights as far as a page of entities does."""
    texts = gold_texts(REPORTS, "train", Writing(), 1)
    rows = list(filter(None, map(encode, texts)))
    lessons = write_rows(rows, FEATURES, tmp_path / "lessons")
    plan = [[Visit(0, number)] for number in range(len(rows))]
    usual = count_written(lessons, plan)
    batcher = LessonBatcher(lessons, tokenizer, NoiseRecipe(), 1, 4000, usual)
    batches = [batcher(batch) for batch in plan]
    written = [int((batch["labels"] != NO_TOKEN).sum()) for batch in batches]
    assert usual == pytest.approx(sum(written) / len(plan)) and len(set(written)) > 1
    assert [float(batch["weight"]) for batch in batches] == pytest.approx([count / usual for count in written])


def test_a_source_is_perturbed_and_what_is_written_of_it_is_not(tokenizer, encode, tmp_path):
    texts = list(gold_texts(REPORTS, "train", Writing(tasks=("conclusion", "exercises")), 1))
    rows = filter(None, map(encode, texts))
    lessons = write_rows(rows, FEATURES, tmp_path / "lessons")
    visits = [Visit(0, number) for number in range(4)]
    clean = LessonBatcher(lessons, tokenizer, NoiseRecipe(), 1, 4000, 300.0)(visits)
    noised = LessonBatcher(lessons, tokenizer, NoiseRecipe(share=1.0, rate=0.5), 1, 4000, 300.0, beside=True)(visits)
    assert torch.equal(noised["clean_ids"], clean["input_ids"])
    assert noised["input_ids"].shape != clean["input_ids"].shape or not torch.equal(
        noised["input_ids"], clean["input_ids"]
    )
    for name in ("labels", "decoder_input_ids", "source"):
        assert torch.equal(noised[name], clean[name])
    written = clean["labels"] != NO_TOKEN
    # The decoder is given each token one place late, the pad first: shifted otherwise, it would learn to repeat.
    assert (clean["decoder_input_ids"][:, 0] == 0).all()
    assert torch.equal(
        clean["decoder_input_ids"][:, 1:][written[:, 1:]], clean["labels"].roll(1, 1)[:, 1:][written[:, 1:]]
    )


QUOTED = Writing(tasks=("conclusion",), conclusion="quoted", conclusion_repeats=1)


def test_a_quoted_conclusion_is_taught_as_the_constraint_writes_it(tokenizer, encode):
    """Targets that the constraint would not write teach nothing; choices without the target teach the opposite."""
    taught, open_choices = 0, 0
    for text in gold_texts(REPORTS, "train", QUOTED, 1):
        assert text.conclusion is None
        lesson = encode(text)
        (ids,), (choices,) = lesson["targets"], lesson["choices"]
        lines = tokenizer.decode(ids[:-1], skip_special_tokens=False).split("\n")
        assert [line.strip() for line in lines] == [text.text[start:end] for start, end in text.quotes]
        assert all(token in some for token, some in zip(ids, choices, strict=True))
        open_choices += sum(len(some) > 1 for some in choices)
        taught += 1
    assert taught > 4 and open_choices >= 2 * taught


def test_the_encoder_is_taught_what_the_conclusion_quotes(tokenizer, encode):
    beyond = len(LABEL_SETS["umls"]) + 1
    for text in gold_texts(REPORTS, "train", QUOTED, 1):
        lesson = encode(text)
        read = tokenizer.encode(lesson["prefix"] + text.text)
        marked = [mark == beyond for mark in lesson["marks"]]
        assert set(lesson["marks"]) <= {UNMARKED, 0, beyond} and any(marked)
        for mark, (start, end) in zip(marked[:-1], read.offsets[:-1], strict=True):
            places = range(start - len(lesson["prefix"]), end - len(lesson["prefix"]))
            inside = any(first <= place < last for place in places for first, last in text.quotes)
            assert mark == inside or not text.text[max(places[0], 0) : places[-1] + 1].strip()


def test_a_quote_too_long_to_be_written_is_left_out_of_the_lesson(tokenizer):
    short = LessonEncoder(tokenizer, 4000, {"stems": {}, "terms": {}}, ["DISO"], 24).encode
    lengths = [
        len(ids) for text in gold_texts(REPORTS, "train", QUOTED, 1) if (row := short(text)) for ids in row["targets"]
    ]
    assert lengths and max(lengths) <= 24


def test_what_a_teacher_quoted_or_wrote_is_taught_as_quotes():
    text = next(iter(gold_texts(REPORTS, "train", QUOTED, 1)))
    bare = replace(text, quotes=())
    assert _taught(bare, [join_quotes(text.text, text.quotes)], QUOTED) == text
    start, end = text.quotes[0]
    near = _taught(bare, [f"En somme, {text.text[start:end]}"], QUOTED)
    assert text.quotes[0] in near.quotes and near.conclusion is None
    free = _taught(bare, ["Suites simples."], Writing(tasks=("conclusion",)))
    assert free.conclusion == "Suites simples." and free.quotes == ()
