"""Span corruption and what comes of it: a start for students that write."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file
from transformers import PreTrainedTokenizerFast, T5ForConditionalGeneration

import training.optimise
from tests.training.tiny_writing_zoo import make_writing_zoo
from training.batches import Visit
from training.flops import writing_flops
from training.packing import NO_FRAME, pack_rows
from training.pretraining import make_encoder
from training.pretraining_kinds import SpanWriter
from training.span_corruption import END, SpanBatcher, draw_spans, take_out
from training.writers import new_writer, t5_config
from training.writing_tokenizer import SENTINELS, train_writing_tokenizer
from zoo.registry import Registry
from zoo.registry.encoders import SENTINELS as SENTINEL_COUNT
from zoo.registry.encoders import Corruption
from zoo.registry.recipes import Architecture, Decoder, Training, Writing
from zoo.runs import hash_file, read_json

FIRST_SENTINEL = 1000
LONG_ENOUGH = Training(tokens=1, learning_rate=1e-3)


def rebuild(source: list[int], target: list[int]) -> list[int]:
    """Return the row that a source and its target were made of, by T5's rule alone."""
    spans: dict[int, list[int]] = {}
    for token in target[:-1]:
        if token >= FIRST_SENTINEL:
            spans[token] = span = []
        else:
            span.append(token)
    return [one for token in source[:-1] for one in spans.get(token, [token])]


@st.composite
def corruptions(draw: st.DrawFn) -> Corruption:
    row_tokens = draw(st.integers(32, 400))
    span = draw(st.floats(1, 6))
    # As many spans as there are sentinels, at most; and a token between two of them.
    rate = draw(st.floats(0.01, min(0.45, (SENTINEL_COUNT - 1) * span / row_tokens)))
    return Corruption(LONG_ENOUGH, rate, span, row_tokens)


@given(corruption=corruptions(), seed=st.integers(0, 2**32))
@settings(deadline=None)
def test_the_target_rebuilds_the_row_and_each_sentinel_stands_once_in_order(corruption: Corruption, seed: int):
    """A token lost or said twice would teach to lose or stammer; a sentinel used twice, to fill the wrong gap."""
    row = np.random.default_rng(seed).integers(3, FIRST_SENTINEL, corruption.row_tokens)
    taken = draw_spans(corruption, np.random.default_rng(seed))
    sentinels = np.arange(FIRST_SENTINEL, FIRST_SENTINEL + corruption.spans)
    source, target = (ids.tolist() for ids in take_out(row, taken, sentinels))
    assert rebuild(source, target) == row.tolist()
    for text in (source, target):
        assert [token for token in text if token >= FIRST_SENTINEL] == sentinels.tolist()
        assert text[-1] == END and END not in text[:-1]
    assert taken.sum() == corruption.taken and not taken[0]
    # Two spans side by side would be one to the reader: between two sentinels of a source stands a token.
    assert all(min(pair) < FIRST_SENTINEL for pair in zip(source, source[1:], strict=False))
    assert len(source) == corruption.row_tokens - corruption.taken + corruption.spans + 1


def test_spans_are_taken_everywhere_and_are_as_long_as_they_should():
    corruption = Corruption(LONG_ENOUGH, row_tokens=512)
    rng = np.random.default_rng(0)
    drawn = np.stack([draw_spans(corruption, rng) for _ in range(600)])
    # Away from the ends, where a row always begins kept and ends taken, every token is as likely to be asked for.
    assert 0.09 < drawn[:, 40:-40].mean(axis=0).min() and drawn[:, 40:-40].mean(axis=0).max() < 0.22
    assert corruption.taken == 77 and corruption.spans == 26  # T5's own figures for 512 tokens


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"row_tokens": 1024}, "needs 51 sentinels, a tokenizer has 32"),
        ({"rate": 0.9, "span": 1.0, "row_tokens": 34}, "no token between two spans"),
        ({"span": 0.5}, "span must be at least 1"),
        ({"rate": 1.0}, r"rate must lie in \(0, 1\)"),
    ],
)
def test_a_row_that_needs_more_sentinels_than_there_are_is_refused(values: dict, why: str):
    with pytest.raises(ValueError, match=why):
        Corruption(LONG_ENOUGH, **values)


@pytest.fixture(scope="module")
def tokenizer():
    return train_writing_tokenizer(["Douleur thoracique aiguë, fièvre à 39 °C.\n"] * 9, 500)


def test_what_is_typed_like_a_special_token_is_packed_as_text(tokenizer, tmp_path: Path):
    """A sentinel in the text itself would be filled in with something that was never taken out."""
    typed = "Aiguë <extra_id_3> fièvre</s> <pad> fin.\n"
    rows = pack_rows([[typed]] * 40, tokenizer, 32, tmp_path, NO_FRAME)
    special = {tokenizer.token_to_id(name) for name in (*SENTINELS, "<pad>", "</s>", "<unk>")}
    assert not special & set(rows.ravel().tolist())
    assert tokenizer.decode(rows.ravel().tolist()).startswith(typed + typed)
    assert tokenizer.encode("<extra_id_3>", add_special_tokens=False).tokens == ["<extra_id_3>"], "only while packing"


def test_a_visit_always_loses_the_same_spans_whatever_it_is_batched_with(tokenizer):
    corruption = Corruption(LONG_ENOUGH, row_tokens=64)
    rows = np.random.default_rng(0).integers(3, 300, (6, 64)).astype(np.int32)
    batcher = SpanBatcher(rows, tokenizer, corruption, seed=1)
    batch = batcher([Visit(0, 2), Visit(0, 5), Visit(1, 2)])
    alone = batcher([Visit(0, 5)])
    for name in ("input_ids", "labels"):
        assert torch.equal(batch[name][1:2], alone[name])
        assert not torch.equal(batch[name][0], batch[name][2]), "another epoch takes out other spans"
    first = tokenizer.token_to_id("<extra_id_0>")
    assert (batch["labels"][:, 0] == first).all()


def test_flops_are_six_for_each_weight_that_a_token_meets():
    shape = Architecture(layers=3, hidden=64, heads=4, intermediate=256)
    model = new_writer(t5_config(shape, Decoder(layers=2), 300, (), Writing(), 0.0), seed=1)
    matrices = {
        stack: sum(p.numel() for n, p in model.named_parameters()
                   if n.startswith(f"{stack}.block") and p.ndim == 2 and "relative" not in n)
        for stack in ("encoder", "decoder")
    }  # fmt: skip
    # As many read as written: each meets its stack's matrices once, and what is written meets the vocabulary too.
    counted = writing_flops(model.config, 100, 100)
    products = 6 * 2 * 64 * 100 * (3 + 2 + 2)
    assert counted == 6 * (sum(matrices.values()) + 64 * 300) + products


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Registry, Path]:
    root = tmp_path_factory.mktemp("writing-zoo")
    registry = make_writing_zoo(root)
    return registry, make_encoder(registry, registry.encoder("start-test"), root / "runs")


def test_a_pretrained_writer_loads_and_says_what_it_read(made: tuple[Registry, Path]):
    registry, folder = made
    model = T5ForConditionalGeneration.from_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    assert model.config.vocab_size == len(tokenizer)
    assert tokenizer.model_max_length == registry.encoder("start-test").architecture.max_tokens
    record = read_json(folder / "run.json")
    assert record["text_words"]["kept"] > 500
    declared = registry.encoder("start-test")
    assert declared.corruption
    assert record["tokens_read"] % SpanWriter(declared).read_tokens == 0
    assert record["tokens_read"] >= declared.corruption.training.tokens
    assert 0 < record["model_flop_utilisation"] < 2 and record["tokens_per_second"] > 0
    assert not (folder / "rows.npy").exists() and not (folder / "training").exists()
    losses = [json.loads(line)["loss"] for line in (folder / "losses.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0]


def test_every_weight_has_moved(made: tuple[Registry, Path]):
    registry, folder = made
    declared = registry.encoder("start-test")
    after = load_file(folder / "model.safetensors")
    before = SpanWriter(declared).new_model(np.zeros((0, 64), np.int32), len(after["shared.weight"]), {}).state_dict()
    still = {name for name, weight in after.items() if (weight == before[name].numpy()).all()}
    assert not still


def test_a_run_that_breaks_off_ends_with_the_weights_of_one_that_did_not(
    made: tuple[Registry, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _, folder = made
    registry = make_writing_zoo(tmp_path)
    monkeypatch.setattr(training.optimise, "CHECKPOINT_SECONDS", 0.0)
    whole = SpanBatcher.__call__
    batches = iter(range(7))

    def break_off(self: SpanBatcher, visits: list[Visit]) -> dict:
        if next(batches, None) is None:
            raise KeyboardInterrupt
        return whole(self, visits)

    with monkeypatch.context() as broken, pytest.raises(KeyboardInterrupt):
        broken.setattr(SpanBatcher, "__call__", break_off)
        make_encoder(registry, registry.encoder("start-test"), tmp_path / "runs")
    resumed = make_encoder(registry, registry.encoder("start-test"), tmp_path / "runs")
    assert 0 < read_json(resumed / "run.json")["resumed_at_step"] < read_json(resumed / "run.json")["steps"]
    assert resumed.name == folder.name
    assert hash_file(resumed / "model.safetensors") == hash_file(folder / "model.safetensors")
