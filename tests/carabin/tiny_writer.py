"""A student that writes, small enough for a test: a byte-level tokenizer, and scores drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from carabin.generation.tasks import MARKS

SPECIALS = ("<pad>", "</s>", "<unk>")
MERGES = [
    ("Ġ", "d"), ("Ġd", "e"), ("m", "g"), ("Ġ", "mg"), ("Ã", "©"), ("o", "n"), ("e", "n"), ("Ġ", "p"), ("Ġp", "a"),
    ("Ġ", "1"), ("l", "e"), ("Ġ", "le"), ("Ġ", "Ã"), (".", "Ċ"), ("Ġ", ":"), ("q", "u"), ("D", "o"), ("Do", "l"),
]  # fmt: skip


def make_tokenizer(trim_offsets: bool = False, regex: bool = True) -> Tokenizer:
    """Return a byte-level BPE tokenizer with the marks: words after spaces, digits one by one, bytes of accents apart.

    It is not trained, so that its tokens are the same everywhere.
    """
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*SPECIALS, *letters, *dict.fromkeys(left + right for left, right in MERGES)]
    tokenizer = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, MERGES))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIALS])
    tokenizer.add_tokens([AddedToken(mark, special=False, normalized=False) for mark in MARKS])
    ending = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=trim_offsets), ending])
    tokenizer.encode_special_tokens = True
    return tokenizer


@dataclass
class Dice:
    """An engine that remembers nothing and scores at random: what a constraint lets through, it may write."""

    vocabulary: int
    seed: int = 0

    def read(self, input_ids, attention_mask):
        """Return itself: every source is the same to it."""
        assert input_ids.shape == attention_mask.shape
        return self

    def write(self, sources):
        return _Throws(self.vocabulary, len(sources), np.random.default_rng(self.seed))


@dataclass
class _Throws:
    vocabulary: int
    rows: int
    random: np.random.Generator

    def step(self, tokens):
        assert tokens.shape[0] == self.rows
        return self.random.normal(size=(self.rows, self.vocabulary)).astype(np.float32) * 3

    def keep(self, rows):
        return _Throws(self.vocabulary, len(rows), self.random)


def write_at_random(place, random, longest):
    """Return the tokens written from a place, each drawn from those allowed, and the place they end in."""
    tokens = []
    while True:
        allowed = place.allowed()
        assert len(allowed) and len(np.unique(allowed)) == len(allowed)
        token = int(random.choice(allowed))
        place = place.advance(token)
        if token == 1:
            return tokens, place
        tokens.append(token)
        assert len(tokens) < longest
