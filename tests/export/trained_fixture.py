"""A student that has learned something: five seconds of training on reports and on a few sentences, and its export.

Random weights answer almost alike everywhere; what a comparison of answers is worth shows on weights that were trained.
Use it from any test module with

    pytest_plugins = ["tests.export.trained_fixture"]
"""

import re
from pathlib import Path

import pytest
from transformers import BertConfig

from carabin.documents import Document, Entity
from carabin.tokens.tagging import bio_tags
from export.export_environment import run_export
from export.publishable import write_publishable
from export.quantise import quantise
from tests.export.checkpoint_fixture import export_python
from training.encoders import new_tagger
from training.passages import gold_text
from training.stages import TaggerRecipe, train_tagger
from training.tokenizer import train_tokenizer, wrap_tokenizer
from zoo.corpora import read_documents
from zoo.labels import LABEL_SETS
from zoo.registry import Registry
from zoo.registry.recipes import CorpusUse, Distillation, Training

MAX_TOKENS = 64
TRAINING = Training(tokens=150_000, learning_rate=4e-3, batch_tokens=512)
SENTENCES = (
    "Patiente de 67 ans admise pour une [DISO embolie pulmonaire], traitée par [CHEM apixaban] 5 mg matin et soir.",
    "ATCD : [DISO HTA], [DISO DT2]. [DISO Douleur thoracique] depuis 2 h, [PROC ECG] sans [DISO sus-décalage].",
    "Pas de [DISO fièvre] ; l'[DISO œdème] du [ANAT membre inférieur gauche] a disparu.",
    "Traitée par [CHEM AMOXICILLINE] 1 g x 3/j pendant sept jours ; évolution favorable.",
)
"""Seen again and again, so that they are learned by heart: there are entities to compare."""
TIMES = 40
GOLD = Distillation(soft_weight=0.0)


def annotated(sentence: str) -> Document:
    """Return a sentence whose entities are written `[LABEL words]`."""
    text, entities = "", []
    for plain, label, words in re.findall(r"([^\[]*)(?:\[([A-Z]+) ([^\]]+)\])?", sentence):
        text += plain
        if label:
            entities.append(Entity(len(text), len(text) + len(words), label))
        text += words
    return Document(text, text, tuple(entities))


@pytest.fixture(scope="session")
def trained_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of 2 layers of 64 that finds the entities of SENTENCES. Read only."""
    labels, use = LABEL_SETS["umls"], CorpusUse("synthetic-reports", "train", 12)
    documents = [*read_documents(Registry(), use, "umls"), *map(annotated, SENTENCES * TIMES)]
    tokenizer = wrap_tokenizer(train_tokenizer([document.text for document in documents], 1500), MAX_TOKENS)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=64, num_hidden_layers=2, num_attention_heads=2, intermediate_size=128,
        max_position_embeddings=MAX_TOKENS, hidden_dropout_prob=0.0,
    )  # fmt: skip
    tags = bio_tags(labels)
    folder = tmp_path_factory.mktemp("trained") / "student"
    train_tagger(
        (gold_text(document, labels) for document in documents),
        lambda: (new_tagger(config, tags, 1), tokenizer),
        TaggerRecipe(tags, TRAINING, GOLD, 1),
        folder,
        {},
        "a student for tests",
    )
    return folder


@pytest.fixture(scope="session")
def trained_export(trained_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its publishable files, onnx/model.onnx and onnx/model_quantized.onnx. Read only."""
    folder = tmp_path_factory.mktemp("trained_export") / "bert-trained"
    write_publishable(trained_checkpoint, folder, "bert-trained")
    run_export(export_python(), folder)
    quantise(folder / "onnx" / "model.onnx", folder / "onnx" / "model_quantized.onnx")
    return folder
