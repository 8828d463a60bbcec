"""Quoting is greedy search under a constraint: told of it, transformers' `generate` writes the same tokens."""

import numpy as np
import torch
from transformers import GenerationConfig, T5Config, T5ForConditionalGeneration

from carabin.generation.decoding import Limits, generate
from carabin.generation.quoted_conclusion import QuotedConclusion, find_quotable
from carabin.generation.source import read_source
from carabin.generation.spelling import walk
from carabin.generation.tasks import CONCLUSION
from carabin.generation.writer import pad_rows
from tests.carabin.exercise_cases import REPORT
from tests.carabin.tiny_writer import make_tokenizer
from zoo.torch_seq2seq import TorchSeq2Seq

LONGEST = 120


def make_t5(vocabulary: int, seed: int) -> T5ForConditionalGeneration:
    """Return a random T5 whose choices vary with its source."""
    torch.manual_seed(seed)
    config = T5Config(
        vocab_size=vocabulary, d_model=32, d_kv=8, d_ff=48, num_layers=2, num_decoder_layers=2, num_heads=4,
        decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, dropout_rate=0.0,
    )  # fmt: skip
    model = T5ForConditionalGeneration(config).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.mul_(3 if name.endswith(("k.weight", "v.weight", "o.weight")) else 1)
    return model


def test_generate_writes_the_same_quotes_when_it_is_told_what_may_come():
    tokenizer = make_tokenizer()
    texts = [REPORT, REPORT[200:], "Pas de fièvre. Sortie à J4.\nRepos."]
    sources = [read_source(tokenizer, CONCLUSION, text) for text in texts]
    quoting = [
        QuotedConclusion(one, find_quotable(text), tokenizer, LONGEST)
        for one, text in zip(sources, texts, strict=True)
    ]  # fmt: skip

    def may_come(row, written):
        place = walk(quoting[row].begin(), written[1:].tolist())
        return [1] if place is None else place.allowed().tolist()  # None: past its end, in a row that waits for others

    ids, mask = pad_rows([one.input_ids for one in sources], 0)
    config = GenerationConfig(
        do_sample=False, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1, max_new_tokens=LONGEST
    )
    different = set()
    for seed in range(3):
        model = make_t5(tokenizer.get_vocab_size(), seed)
        theirs = model.generate(
            input_ids=torch.from_numpy(ids), attention_mask=torch.from_numpy(mask), generation_config=config,
            prefix_allowed_tokens_fn=may_come,
        )  # fmt: skip
        read = TorchSeq2Seq(model).read(ids, mask)
        ours = generate(read, np.arange(3), [], Limits(LONGEST), constraints=[one.begin() for one in quoting])
        for one, row, text in zip(quoting, theirs.tolist(), ours, strict=True):
            assert row[1 : row.index(1)] == text.tokens.tolist() and text.finished
            different.add(one.read(text.tokens))
    assert len(different) > 3
