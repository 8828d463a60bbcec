"""What would go wrong silently: a card whose lines of code fail, or find other entities than carabin does.

Each block is taken from the rendered card, its path replaced by the published folder, and run offline in an environment
of whoever would copy it: the lab's transformers 5, the export environment's transformers 4 and optimum.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from carabin import Annotator
from carabin.tokens.words import find_words
from export.build_card import build_card
from tests.export.checkpoint_fixture import export_python
from tests.export.run_fixture import write_run
from tests.export.trained_fixture import SENTENCES, annotated
from zoo.registry import REPOSITORY, Registry

pytest_plugins = ["tests.export.trained_fixture"]

TEXTS = (*Registry().student("bert-small").widget, annotated(SENTENCES[2]).text)
ANSWER = "\nimport json as _json\nprint('answer:' + _json.dumps(answer))\n"
CARABIN = "answer = [[(e.start, e.end, e.label) for e in annotator(text)] for text in TEXTS]"
PIPELINE = "answer = [[(e['start'], e['end'], e['entity_group']) for e in ner(text)] for text in TEXTS]"
ORT = """
from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained(FOLDER)
answer = []
for text in TEXTS:
    batch = tokenizer(text, return_tensors="pt", return_offsets_mapping=True)
    offsets = batch.pop("offset_mapping")[0].tolist()
    tags = model(**batch).logits[0].argmax(-1).tolist()
    answer.append([(a, b, model.config.id2label[tag].partition("-")[2]) for (a, b), tag in zip(offsets, tags) if b > a])
"""


@pytest.fixture(scope="module")
def published(trained_export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole repository, as a push would send it, of a student that has learned something."""
    registry = Registry()
    student, run = registry.student("bert-small"), tmp_path_factory.mktemp("run")
    shutil.copytree(trained_export, run / "export")
    build_card(write_run(run, student), student, registry)
    return run / "repository"


def blocks(published: Path) -> dict[str, str]:
    """Return the card's Python, by what it imports, with the folder for its path."""
    card = (published / "README.md").read_text(encoding="utf-8").replace("path/to/bert-small", str(published))
    return {re.search(r"from (\w+)", code)[1]: code for code in re.findall(r"```python\n(.*?)```", card, re.DOTALL)}


def run_block(python: Path, published: Path, library: str, ask: str) -> list[list[tuple[int, int, str]]]:
    """Run a block of the card, then ask it for its entities in each text."""
    given = f"TEXTS, FOLDER = {TEXTS!r}, {str(published)!r}\n"
    code = given + blocks(published)[library] + "\n" + ask + ANSWER
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(REPOSITORY)}
    result = subprocess.run([str(python), "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 0, result.stderr[-3000:]
    answer = json.loads(result.stdout.partition("answer:")[2])
    return [[tuple(entity) for entity in entities] for entities in answer]


def labels_by_word(annotator: Annotator) -> list[list[tuple[int, str]]]:
    """Return, for each text, where each word starts and the label of its likeliest tag, empty outside."""
    found = []
    for words, probabilities in annotator.word_probabilities(TEXTS):
        tags = [annotator.tags[number].partition("-")[2] for number in probabilities.argmax(axis=1)]
        found.append(list(zip(words[:, 0].tolist(), tags, strict=True)))
    assert sum(bool(label) for text in found for _, label in text) > 5, "a student that finds nothing proves nothing"
    return found


def label_at(entities: list[tuple[int, int, str]], start: int) -> str:
    return next((label for first, end, label in entities if first <= start < end), "")


def test_the_card_shows_four_ways(published: Path) -> None:
    assert set(blocks(published)) == {"carabin", "transformers", "optimum"}
    assert 'dtype: "q8"' in (published / "README.md").read_text(encoding="utf-8"), (
        "transformers.js: model_quantized.onnx"
    )


def test_carabin_as_the_card_says(published: Path) -> None:
    seen = run_block(Path(sys.executable), published, "carabin", CARABIN)
    annotator = Annotator.load(published)
    assert seen == [[(one.start, one.end, one.label) for one in annotator(text)] for text in TEXTS]
    assert any(seen)


@pytest.mark.slow
@pytest.mark.parametrize("environment", ["lab", "export"])
def test_transformers_as_the_card_says(published: Path, environment: str) -> None:
    """Both read the checkpoint: they must find, word for word, what carabin finds with the fp32 file."""
    python = Path(sys.executable) if environment == "lab" else export_python()
    seen = run_block(python, published, "transformers", PIPELINE)
    for entities, words in zip(seen, labels_by_word(Annotator.load(published, quantized=False)), strict=True):
        assert [(start, label_at(entities, start)) for start, _ in words] == words


@pytest.mark.slow
def test_optimum_as_the_card_says(published: Path) -> None:
    """`onnx/model_quantized.onnx` under its standard name: the file that carabin runs too."""
    seen = run_block(export_python(), published, "optimum", ORT)
    for tokens, words in zip(seen, labels_by_word(Annotator.load(published)), strict=True):
        assert [(start, label_at(tokens, start)) for start, _ in words] == words


def test_every_word_of_the_texts_is_compared() -> None:
    assert all(len(find_words(text)) > 10 for text in TEXTS)
