"""Our search over a torch T5 writes what transformers' own `generate` writes, token for token."""

import json

import numpy as np
import pytest
import torch
from transformers import GenerationConfig, T5Config, T5ForConditionalGeneration

from carabin.errors import ModelError
from carabin.generation.decoding import Limits, generate
from zoo.torch_seq2seq import TorchSeq2Seq

LENGTHS = (9, 4, 12, 1, 7)
VOCABULARY = 23
SEEDS = (0, 1, 5, 8)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def make_t5(seed: int = 0) -> T5ForConditionalGeneration:
    """Return a random T5 whose texts vary, and end at different times.

    With the weights it is born with, it would say its last token again for ever, whatever it has written before: what a
    cache forgets or mixes up would not show.
    """
    torch.manual_seed(seed)
    config = T5Config(
        vocab_size=VOCABULARY, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_decoder_layers=2, num_heads=4,
        relative_attention_num_buckets=8, relative_attention_max_distance=16, decoder_start_token_id=0,
        pad_token_id=0, eos_token_id=1, dropout_rate=0.3,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config).eval()
    scales = {"k.weight": 6, "v.weight": 2, "o.weight": 2, "relative_attention_bias.weight": 24}
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.mul_(next((scale for ending, scale in scales.items() if name.endswith(ending)), 1))
        model.shared.weight.mul_(0.15)
        model.shared.weight[1] *= 2.2
    return model


def make_batch(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return sources of LENGTHS, padded."""
    generator = np.random.default_rng(seed)
    mask = (np.arange(max(LENGTHS)) < np.array(LENGTHS)[:, None]).astype(np.int64)
    return generator.integers(3, VOCABULARY, mask.shape) * mask, mask


def theirs(model, ids, mask, prompt=(), **settings) -> list[list[int]]:
    """Return what transformers writes: without the start token, cut at the end token."""
    begun = torch.tensor([[0, *prompt]] * len(ids))
    config = GenerationConfig(
        do_sample=False, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, early_stopping=False, **settings
    )
    out = model.generate(
        input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask), decoder_input_ids=begun,
        generation_config=config,
    )  # fmt: skip
    rows = [row[1:].tolist() for row in out]
    return [row[: row.index(1)] if 1 in row else row for row in rows]


def ours(engine, ids, mask, limits, prompt=()) -> list[list[int]]:
    prompts = [list(prompt)] * len(ids)
    return [text.tokens.tolist() for text in generate(engine.read(ids, mask), np.arange(len(ids)), prompts, limits)]


CASES = {
    "greedy": ({}, {}),
    "shortest": ({"min_tokens": 6}, {"min_new_tokens": 6}),
    "no pair twice": ({"no_repeat_ngram": 2}, {"no_repeat_ngram_size": 2}),
    "no token twice": ({"no_repeat_ngram": 1}, {"no_repeat_ngram_size": 1}),
    "beams": ({"beams": 4}, {"num_beams": 4}),
    "long ones": ({"beams": 3, "length_penalty": 2.0}, {"num_beams": 3, "length_penalty": 2.0}),
    "sums": ({"beams": 3, "length_penalty": 0.0}, {"num_beams": 3, "length_penalty": 0.0}),
    "short ones": ({"beams": 2, "length_penalty": -1.0}, {"num_beams": 2, "length_penalty": -1.0}),
    "all at once": (
        {"beams": 4, "no_repeat_ngram": 2, "min_tokens": 4},
        {"num_beams": 4, "no_repeat_ngram_size": 2, "min_new_tokens": 4},
    ),
}


@pytest.mark.parametrize("prompt", [(), (7, 8)])
@pytest.mark.parametrize("case", CASES)
def test_writes_what_transformers_writes(case, prompt):
    limits, settings = CASES[case]
    for seed in SEEDS:
        model, (ids, mask) = make_t5(seed), make_batch(seed)
        expected = theirs(model, ids, mask, prompt, max_new_tokens=20, **settings)
        assert ours(TorchSeq2Seq(model), ids, mask, Limits(20, **limits), prompt) == expected, seed


def test_the_texts_compared_differ_and_end_at_different_times():
    """Were they alike, a cache that mixes up its rows would pass."""
    texts = [tuple(text) for seed in SEEDS for text in theirs(make_t5(seed), *make_batch(seed), max_new_tokens=20)]
    assert len(set(texts)) >= 17 and len({len(text) for text in texts}) >= 6
    assert sum(len(set(text)) > 3 for text in texts) >= 6


def test_a_source_written_from_twice_is_read_once_and_alone_gives_the_same():
    model, (ids, mask) = make_t5(1), make_batch(1)
    engine = TorchSeq2Seq(model)
    together = ours(engine, ids, mask, Limits(20))
    sources = engine.read(ids, mask)
    twice = generate(sources, np.array([2, 0, 2]), [], Limits(20))
    assert [text.tokens.tolist() for text in twice] == [together[2], together[0], together[2]]
    assert ours(engine, ids[3:4, :1], mask[3:4, :1], Limits(20)) == [together[3]]


def test_kept_rows_leave_the_others_as_they_were():
    """Beams branch from one text: what one branch adds must not be seen by another."""
    model, (ids, mask) = make_t5(1), make_batch(1)
    written = TorchSeq2Seq(model).read(ids, mask).write(np.arange(len(ids)))
    written.step(np.full((5, 1), 0))
    branch, other = written.keep(np.array([1, 1, 4])), written.keep(np.array([4, 1]))
    first = branch.step(np.array([[5], [6], [7]]))
    second = other.step(np.array([[7], [6]]))
    np.testing.assert_allclose(second, first[[2, 1]], atol=1e-4)
    assert np.abs(first[0] - first[1]).max() > 0.1


def test_scores_are_the_mean_log_probability_of_what_was_written():
    model, (ids, mask) = make_t5(1), make_batch(1)
    text = generate(TorchSeq2Seq(model).read(ids, mask), np.array([2]), [[9]], Limits(20))[0]
    labels = [*text.tokens.tolist(), *([1] if text.finished else [])]
    with torch.no_grad():
        logits = model(
            input_ids=torch.from_numpy(ids[2:3]), attention_mask=torch.from_numpy(mask[2:3]),
            decoder_input_ids=torch.tensor([[0, *labels[:-1]]]),
        ).logits[0]  # fmt: skip
    expected = logits.log_softmax(-1)[torch.arange(1, len(labels)), labels[1:]].mean().item()
    assert text.score == pytest.approx(expected, abs=1e-4)


def test_a_model_in_training_writes_without_dropout_and_goes_on_training():
    model, (ids, mask) = make_t5(1), make_batch(1)
    expected = ours(TorchSeq2Seq(model), ids, mask, Limits(20))
    model.train()
    assert ours(TorchSeq2Seq(model), ids, mask, Limits(20)) == expected
    assert model.training


def test_loads_a_checkpoint_and_says_what_is_wrong_with_another(tmp_path):
    model = make_t5(1)
    ids, mask = make_batch(1)
    model.save_pretrained(tmp_path)
    engine = TorchSeq2Seq.load(tmp_path)
    assert ours(engine, ids, mask, Limits(20)) == ours(TorchSeq2Seq(model), ids, mask, Limits(20))
    assert engine.parameters == sum(weight.numel() for weight in model.parameters())

    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ModelError, match="not a T5 checkpoint"):
        TorchSeq2Seq.load(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no such file"):
        TorchSeq2Seq.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(ModelError, match="'model_type' is not t5"):
        TorchSeq2Seq.load(tmp_path)


def test_a_checkpoint_that_lacks_weights_is_refused(tmp_path):
    """Transformers would put random numbers in their place, and say so in a log that nobody reads."""
    from safetensors.torch import load_file, save_file

    make_t5(1).save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["decoder.block.1.layer.0.SelfAttention.k.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"holds no 'decoder.block.1.layer.0.SelfAttention.k.weight'"):
        TorchSeq2Seq.load(tmp_path)
