"""Lessons: what is taught must be what the source says, at the tokens that the grammar will spell."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from carabin.documents import Document
from carabin.exercises.form import write_form
from carabin.generation.passages import cut_passages
from training.batches import Visit
from training.lesson_batches import FEATURES, LessonBatcher
from training.lessons import bare_texts, encode_lesson, gold_texts
from training.rows import write_rows
from training.writing_losses import NO_TOKEN
from training.writing_tokenizer import FRAME, train_writing_tokenizer
from zoo.registry.recipes import NoiseRecipe, Writing
from zoo.runs import RunError
from zoo.synthesis import generate_reports

REPORTS = [Document.from_dict(record, "synthetic") for record in generate_reports("train", 8, 1)]


@pytest.fixture(scope="module")
def tokenizer():
    return train_writing_tokenizer((report.text for report in REPORTS), 900)


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


def test_gold_exercises_are_taught_as_they_are_written(tokenizer):
    """Targets cut otherwise than the grammar cuts them would teach ways that it never offers."""
    texts = [text for text in gold_texts(REPORTS, "train", Writing(tasks=("exercises",)), 1)]
    assert texts
    taught = 0
    for text in texts:
        lesson = encode_lesson(tokenizer, text, 4000)
        if lesson is None:
            continue
        forms = {write_form(drafts) for drafts in text.drafts}
        for ids in lesson["targets"]:
            written = tokenizer.decode(ids[:-1], skip_special_tokens=False)
            bare = "".join(written.split())
            assert bare in {"".join(form.split()) for form in forms}
            taught += 1
    assert taught >= len(texts)


def test_entities_are_taught_in_order_with_their_labels(tokenizer):
    texts = [text for text in gold_texts(REPORTS, "train", Writing(tasks=("entities",)), 1)]
    lines = 0
    for text in texts:
        lesson = encode_lesson(tokenizer, text, 4000)
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


def test_a_source_is_perturbed_and_what_is_written_of_it_is_not(tokenizer, tmp_path):
    texts = list(gold_texts(REPORTS, "train", Writing(tasks=("conclusion", "exercises")), 1))
    rows = filter(None, (encode_lesson(tokenizer, text, 4000) for text in texts))
    lessons = write_rows(rows, FEATURES, tmp_path / "lessons")
    visits = [Visit(0, number) for number in range(4)]
    clean = LessonBatcher(lessons, tokenizer, NoiseRecipe(), 1, 4000)(visits)
    noised = LessonBatcher(lessons, tokenizer, NoiseRecipe(share=1.0, rate=0.5), 1, 4000, beside=True)(visits)
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
