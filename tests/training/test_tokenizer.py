"""The tokenizer: another numbering of the same pieces is another model from the same seed."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.training.test_batches import TEXTS
from training.tokenizer import SPECIAL_TOKENS, train_tokenizer
from zoo.registry import REPOSITORY

PROGRAM = """
import hashlib
from tests.training.test_batches import TEXTS
from training.tokenizer import train_tokenizer
print(hashlib.sha256(train_tokenizer(TEXTS * 3, 300).to_str().encode()).hexdigest())
"""


def test_every_process_trains_the_same_tokenizer():
    """The library's trainer numbers pieces in the order of a hash map: a resumed run would be another run."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    hashes = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for _ in range(3)
    }
    assert len(hashes) == 1


def test_only_the_special_tokens_are_special():
    """The characters are special while training only: "##a" typed in a note must be read as text."""
    tokenizer = train_tokenizer(TEXTS * 3, 300)
    assert {token.content for token in tokenizer.get_added_tokens_decoder().values()} == set(SPECIAL_TOKENS)
    assert [tokenizer.token_to_id(token) for token in SPECIAL_TOKENS] == [0, 1, 2, 3, 4]


def test_accents_and_case_are_kept():
    tokenizer = train_tokenizer(["été ETE Été"] * 20, 300)
    ids = [tuple(tokenizer.encode(word, add_special_tokens=False).ids) for word in ("été", "ete", "Été")]
    assert len(set(ids)) == 3
