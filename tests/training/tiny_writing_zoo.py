"""A zoo in a folder whose student and teacher write, small enough to train in seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

from zoo.registry import REPOSITORY, Registry

STUDENT = """
id = "t5-test"
family = "t5"
task = "writing"
labels = "umls"
summary = "A student for tests."

[architecture]
layers = 1
hidden = 32
heads = 2
intermediate = 64
max_tokens = 1600

[decoder]
layers = 1
max_tokens = 120

[tokenizer]
vocabulary = 700

[profiles.local]
teacher = "writer-test"
methods = ["weights", "generated-text", "logits"]
gold = [{ corpus = "synthetic-reports", split = "train", documents = 6 }]
dev = [{ corpus = "synthetic-reports", split = "dev", documents = 2 }]
test = [{ corpus = "synthetic-reports", split = "test", documents = 3 }]
transfer = [{ corpus = "synthetic-reports", split = "transfer", documents = 3 }]

[profiles.local.writing]
conclusion = "quoted"
exercises = 2
passages = 1

[profiles.local.training]
tokens = 12_000
batch_tokens = 2048
learning_rate = 1e-3

[profiles.local.distillation.noise]
share = 0.5
rate = 0.3
"""

TEACHER = """
id = "writer-test"
kind = "trained"
summary = "A teacher for tests."

[architecture]
layers = 2
hidden = 32
heads = 2
intermediate = 64
max_tokens = 1600

[decoder]
layers = 2
max_tokens = 120

[tokenizer]
vocabulary = 700

[training]
tokens = 12_000
batch_tokens = 2048
learning_rate = 1e-3
"""


START = """
id = "start-test"
kind = "t5"
summary = "What a writer starts from in tests."
corpora = [{ corpus = "synthetic-reports", split = "transfer", documents = 12 }]
held_out = [{ corpus = "synthetic-reports", split = "test", documents = 3 }]

[architecture]
layers = 2
hidden = 32
heads = 2
intermediate = 64
max_tokens = 1600

[decoder]
layers = 2

[tokenizer]
vocabulary = 600

[corruption]
row_tokens = 64

[corruption.training]
tokens = 16_000
batch_tokens = 512
learning_rate = 3e-3
"""


def make_writing_zoo(root: Path) -> Registry:
    """Write the zoo below root and return its registry."""
    shutil.copytree(REPOSITORY / "datasets_cards", root / "datasets_cards")
    entries = {
        "t5-test/student.toml": STUDENT,
        "teachers/writer-test.toml": TEACHER,
        "encoders/start-test.toml": START,
    }
    for path, text in entries.items():
        target = root / "models" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return Registry(root)
