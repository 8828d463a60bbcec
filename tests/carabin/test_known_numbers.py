"""Conclusions write no number that their report does not hold, whatever the scores say."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from carabin.generation.known_numbers import KnownNumbers, SourceNumbers, digit_tokens

END = 0


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """Bytes, and one token of two digits, as a tokenizer that merges them would have."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {"</s>": END} | {letter: number for number, letter in enumerate(alphabet, 1)}
    made = Tokenizer(models.BPE(vocab={**vocabulary, "12": len(vocabulary)}, merges=[("1", "2")]))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made.add_special_tokens(["</s>"])
    return made


def begin(tokenizer: Tokenizer, source: str) -> KnownNumbers:
    words = np.arange(tokenizer.get_vocab_size())
    return SourceNumbers.of_text(source, words, digit_tokens(tokenizer)).begin()


@given(st.text(alphabet="0123 ,a/é", max_size=30), st.randoms(use_true_random=False))
def test_every_run_of_digits_is_one_of_the_source(tokenizer, source, random):
    place, written = begin(tokenizer, source), []
    while len(written) < 60:
        allowed = place.allowed()
        assert len(allowed) == len(set(allowed.tolist())) > 0
        token = int(random.choice(allowed.tolist()))
        if token == END:
            break
        place = place.advance(token)
        written.append(token)
    else:
        while END not in place.allowed():  # a number that is begun can always be finished
            written.append(int(place.allowed()[0]))
            place = place.advance(written[-1])
    # Bytes drawn at random are seldom letters: only the digits of what they spell are looked at.
    text = tokenizer.decode(written)
    assert set(re.findall(r"[0-9]+", text)) <= set(re.findall(r"[0-9]+", source))


def test_a_number_may_be_any_of_the_source_however_it_is_cut(tokenizer):
    for written in ("12 ans", "1 a", "127 mmHg", "a"):
        place = begin(tokenizer, "1 fois, 12 ans, 127 mmHg")
        for token in tokenizer.encode(written, add_special_tokens=False).ids:
            assert token in place.allowed(), written
            place = place.advance(token)
    place = begin(tokenizer, "127 mmHg").advance(tokenizer.token_to_id("1"))
    assert place.allowed().tolist() == [tokenizer.token_to_id("2")]


def test_a_report_without_numbers_has_none_in_its_conclusion(tokenizer):
    place = begin(tokenizer, "Suites simples.")
    assert not set(digit_tokens(tokenizer)) & set(place.allowed().tolist())
