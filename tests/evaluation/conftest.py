"""Reports with gold, an annotator that knows some terms by heart, and a tiny checkpoint with random weights."""

from pathlib import Path

import numpy as np
import pytest

from carabin.documents import Document, Entity
from carabin.tokens.tagging import bio_tags, encode_spans
from carabin.tokens.words import find_words
from zoo.labels import LABEL_SETS

TERMS = {
    "hypertension artérielle": "DISO",
    "HTA": "DISO",
    "embolie pulmonaire": "DISO",
    "œdème aigu du poumon": "DISO",
    "fièvre": "DISO",
    "apixaban": "CHEM",
    "amoxicilline": "CHEM",
    "électrocardiogramme": "PROC",
    "scanner thoracique": "PROC",
    "membre inférieur": "ANAT",
}
SENTENCES = (
    "Patiente de 67 ans, hypertension artérielle traitée.",
    "Découverte d'une embolie pulmonaire au scanner thoracique ; apixaban 5 mg matin et soir.",
    "Électrocardiogramme sans particularité.",
    "ATCD : HTA, œdème aigu du poumon en 2019.",
    "Pas de fièvre ; douleur du membre inférieur gauche.",
    "Relais par amoxicilline 1 g x 3/j pendant 7 jours.",
)


class TermAnnotator:
    """Finds the terms it knows, letter for letter, with one confidence: an oracle that noise can fool."""

    def __init__(self, confidence: float = 0.9, terms: dict[str, str] | None = None, tags_of=None):
        self.labels = LABEL_SETS["umls"]
        self.confidence = confidence
        self.terms = TERMS if terms is None else terms
        self.tags_of = tags_of or self.find

    def find(self, text: str) -> list[Entity]:
        lowered, found = text.lower(), []
        for term, label in self.terms.items():
            place = lowered.find(term.lower())
            while place >= 0:
                found.append(Entity(place, place + len(term), label))
                place = lowered.find(term.lower(), place + 1)
        return found

    def word_probabilities(self, texts):
        results = []
        for text in texts:
            words = find_words(text)
            tags = encode_spans(words, self.tags_of(text), self.labels)
            rest = (1 - self.confidence) / (2 * len(self.labels))
            probabilities = np.full((len(words), 1 + 2 * len(self.labels)), rest, dtype=np.float32)
            probabilities[np.arange(len(words)), tags] = self.confidence
            results.append((words, probabilities))
        return results


@pytest.fixture
def make_annotator():
    return TermAnnotator


@pytest.fixture
def reports() -> list[Document]:
    finder = TermAnnotator()
    texts = [" ".join(SENTENCES[(start + step) % len(SENTENCES)] for step in range(3)) for start in range(24)]
    return [
        Document(f"r{number}", text, tuple(sorted(finder.find(text), key=lambda e: e.start)))
        for number, text in enumerate(texts)
    ]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory) -> Path:
    """A BERT of a few thousand random weights, saved as the lab saves its students."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=specials, show_progress=False)
    tokenizer.train_from_iterator(SENTENCES, trainer)
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    folder = tmp_path_factory.mktemp("checkpoint")
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=32, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]"
    ).save_pretrained(folder)
    tags = bio_tags(LABEL_SETS["umls"])
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=32, id2label=dict(enumerate(tags)),
        label2id={tag: number for number, tag in enumerate(tags)}, initializer_range=0.5,
    )  # fmt: skip
    BertForTokenClassification(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def onnx_repository(checkpoint, tmp_path_factory) -> Path:
    """The tokenizer of the tiny checkpoint over an ONNX graph that looks each token's tags up in a table."""
    import shutil

    import onnx
    from onnx import TensorProto, helper, numpy_helper

    folder = tmp_path_factory.mktemp("repository")
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        shutil.copy(checkpoint / name, folder / name)
    table = np.random.default_rng(1).normal(size=(400, 21)).astype(np.float32)
    axes = ["batch", "tokens"]
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["logits"])],
        "lookup",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, axes)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [*axes, 21])],
        [numpy_helper.from_array(table, "table")],
    )
    (folder / "onnx").mkdir()
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), folder / "onnx" / "model.onnx")
    return folder
