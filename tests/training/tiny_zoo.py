"""A zoo in a folder: the real corpus cards, with a student and a teacher small enough to train in seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

from zoo.registry import REPOSITORY, Registry

STUDENT = """
id = "bert-test"
family = "bert"
task = "ner"
labels = "umls"
summary = "A student for tests."

[architecture]
layers = 1
hidden = 32
heads = 2
intermediate = 64
max_tokens = 64

[tokenizer]
vocabulary = 600

[profiles.local]
teacher = "trained-test"
methods = ["logits"]
gold = [{ corpus = "synthetic-reports", split = "train", documents = 6 }]
dev = [{ corpus = "synthetic-reports", split = "dev", documents = 2 }]
test = [{ corpus = "synthetic-reports", split = "test", documents = 3 }]
transfer = [{ corpus = "synthetic-reports", split = "transfer", documents = 6 }]

[profiles.local.training]
tokens = 6_000
batch_tokens = 512
learning_rate = 1e-3
frozen_embeddings = true

[profiles.local.distillation]
relation_weight = 0.5
gold_repeats = 2

[profiles.local.distillation.noise]
share = 0.5
rate = 0.3
"""

TEACHER = """
id = "trained-test"
kind = "trained"
summary = "A teacher for tests."
encoder = "encoder-test"

[training]
tokens = 6_000
batch_tokens = 512
learning_rate = 1e-3
"""

ENCODER = """
id = "encoder-test"
summary = "An encoder for tests."
corpora = [{ corpus = "synthetic-reports", split = "transfer", documents = 12 }]
held_out = [{ corpus = "synthetic-reports", split = "test", documents = 3 }]

[architecture]
layers = 2
hidden = 48
heads = 2
intermediate = 64
max_tokens = 96

[tokenizer]
vocabulary = 500

[word_vectors]
window = 3

[masking.training]
tokens = 3_000
batch_tokens = 384
learning_rate = 1e-3
optimizer = "muon"
"""


def make_zoo(root: Path) -> Registry:
    """Write the zoo below root and return its registry."""
    shutil.copytree(REPOSITORY / "datasets_cards", root / "datasets_cards")
    entries = {
        "bert-test/student.toml": STUDENT,
        "teachers/trained-test.toml": TEACHER,
        "encoders/encoder-test.toml": ENCODER,
    }
    for path, text in entries.items():
        target = root / "models" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return Registry(root)
