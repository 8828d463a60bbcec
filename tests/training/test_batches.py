"""Batches: what the model reads, and that the rows of gold and teacher stay on their words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carabin.documents import Document, Entity
from carabin.tokens.reader import TextReader
from carabin.tokens.words import find_words
from training.batches import PassageBatcher, Visit, plan_batches, token_positions
from training.passages import NO_TAG, LabelledText, cut_passages, gold_text, write_passages
from training.tokenizer import train_tokenizer
from zoo.registry.recipes import NoiseRecipe

TEXTS = [
    "Patiente de 67 ans admise pour une embolie pulmonaire, traitée par apixaban 5mg matin et soir.",
    "ATCD : hypertension artérielle, diabète de type 2. L'examen clinique est sans particularité.",
    "e\u0301tat général conservé ; pas de fièvre à 38,5°C. 😀 Sortie le 12/03/2021.",
]


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TEXTS * 3, 400)


@given(st.lists(st.integers(3, 60), min_size=1, max_size=80), st.integers(60, 400), st.integers(1, 5000))
def test_a_plan_spends_its_budget_and_no_more_than_a_batch(lengths, batch_tokens, tokens):
    plan = plan_batches(lengths, batch_tokens, tokens, seed=3)
    padded = [max(lengths[visit.passage] for visit in batch) * len(batch) for batch in plan]
    assert all(size <= batch_tokens for size in padded)
    assert sum(padded) >= tokens > sum(padded[:-1])
    assert plan == plan_batches(lengths, batch_tokens, tokens, seed=3)


def test_every_passage_is_read_once_an_epoch():
    lengths = list(range(5, 105))
    plan = plan_batches(lengths, 256, sum(lengths) * 3, seed=1)
    first = [visit.passage for batch in plan for visit in batch if visit.epoch == 0]
    assert sorted(first) == list(range(100))


@settings(max_examples=60)
@given(st.lists(st.sampled_from([*TEXTS, "\n", " \u00a0", "x" * 150, "😀" * 9]), max_size=12), st.integers(12, 80))
def test_passages_hold_every_word_once_with_its_tag(tokenizer, parts, max_tokens):
    text = " ".join(parts)
    tags = np.arange(len(find_words(text)))
    reader = TextReader(tokenizer, max_tokens, overlap=0)
    rows = list(cut_passages(LabelledText(text, tags), reader))
    seen = [tag for row in rows for tag in row["tags"].tolist()]
    assert seen == sorted(set(seen))
    assert all(len(find_words(row["text"])) == len(row["tags"]) for row in rows)


def test_rows_follow_their_words_through_noise(tokenizer, tmp_path):
    """Noise that shifted the rows by one word would still train, towards the wrong tags."""
    text = TEXTS[0]
    start = text.index("embolie")
    document = Document("1", text, (Entity(start, start + len("embolie pulmonaire"), "DISO"),))
    labelled = gold_text(document, ["CHEM", "DISO"])
    reader = TextReader(tokenizer, 64)
    passages = write_passages([labelled], reader, 64, tmp_path / "passages")
    for kind in ("typo", "accent", "case", "glue", "abbreviate"):
        batcher = PassageBatcher(passages, reader, 5, NoiseRecipe(share=1.0, rate=1.0, kinds=(kind,)), seed=2)
        batch = batcher([Visit(0, 0)])
        tagged = batch["position"][batch["tags"] > 0].tolist()
        assert tagged, kind
        ids = batch["input_ids"][0].tolist()
        shown = tokenizer.decode(ids[tagged[0] : tagged[-1] + 1]).lower()
        if kind == "accent":
            assert shown.startswith("emb"), shown
        if kind in ("accent", "case"):
            assert len(tagged) == 2
        assert (batch["tags"] == NO_TAG).sum() == 0


def test_a_visit_always_gives_the_same_batch(tokenizer, tmp_path):
    """Noise drawn from a global generator would make a resumed run another run."""
    reader = TextReader(tokenizer, 64)
    texts = [LabelledText(text, np.zeros(len(find_words(text)), dtype=np.int64)) for text in TEXTS]
    passages = write_passages(texts, reader, 64, tmp_path / "passages")
    batcher = PassageBatcher(passages, reader, 5, NoiseRecipe(share=1.0, rate=0.5), seed=2)
    visits = [Visit(1, 0), Visit(1, 2)]
    first, _, again = batcher(visits), batcher([Visit(2, 1)]), batcher(visits)
    assert all((first[name] == again[name]).all() for name in first)


@given(st.text(alphabet="aé 1.\n", min_size=1, max_size=40))
def test_a_byte_level_teacher_reads_every_word(text):
    """RoBERTa's tokens of a second blank have no characters: counted out, as many words at the end went untaught."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({piece: n for n, piece in enumerate(["<s>", "</s>", *alphabet])}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), trim_offsets=True)
    reader, words = TextReader(tokenizer, 512), find_words(text)
    encoding = reader.tokenizer.encode(text)
    positions = token_positions(words, encoding, reader)
    assert [encoding.offsets[position][0] for position in positions] == words[:, 0].tolist()
