"""A student small enough for a test: each token's tag is looked up by its id, so a test decides what is found."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from carabin.tokens.tagging import bio_tags

LABELS = ("CHEM", "DISO")
TAGS = bio_tags(LABELS)
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
SENTENCES = [
    "Le patient présente une fièvre aiguë depuis deux jours.",
    "Traitement par paracétamol 500 mg et amoxicilline 1 g.",
    "Pas de dyspnée, pas de douleur thoracique ni d'œdème.",
    "Antécédents : diabète, hypertension artérielle, asthme.",
]
FOUND = {"fièvre": "B-DISO", "aiguë": "I-DISO", "dyspnée": "B-DISO", "paracétamol": "B-CHEM", "amoxicilline": "B-CHEM"}


def make_tokenizer() -> Tokenizer:
    """Return a WordPiece tokenizer that keeps accents and case: the words of SENTENCES whole, others by their letters.

    It is not trained: the trainer numbers its pieces in the order of a hash map, and a random model would answer
    otherwise in every process.
    """
    normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    splitter = pre_tokenizers.BertPreTokenizer()
    words = {word for sentence in SENTENCES for word, _ in splitter.pre_tokenize_str(sentence)}
    letters = set().union(*words)
    pieces = [*SPECIALS, *sorted(words | letters | {f"##{letter}" for letter in letters})]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, splitter
    tokenizer.add_special_tokens(SPECIALS)
    frame = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=frame)
    return tokenizer


def token_logits(tokenizer: Tokenizer, random: bool) -> np.ndarray:
    """Return the logits of each token id: those of FOUND, else outside; or random ones for lively output."""
    generator = np.random.default_rng(1)
    table = generator.normal(size=(tokenizer.get_vocab_size(), len(TAGS))).astype(np.float32)
    if not random:
        table *= 0.01
        table[:, 0] += 6
        for word, tag in FOUND.items():
            table[tokenizer.encode(word, add_special_tokens=False).ids[0], TAGS.index(tag)] += 12
    return table


def make_onnx(table: np.ndarray, inputs=("input_ids", "attention_mask"), width: int | None = None) -> onnx.ModelProto:
    """Return a model whose logits are the rows of a table."""
    shape = ["batch", "tokens"]
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["logits"])],
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in inputs],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [*shape, width or table.shape[1]])],
        [numpy_helper.from_array(table, "table")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def write_student(folder: Path, random: bool = False, window: int = 24) -> Path:
    """Write a student's folder and return it."""
    tokenizer = make_tokenizer()
    (folder / "onnx").mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": window}))
    config = {"id2label": dict(enumerate(TAGS)), "max_position_embeddings": window}
    (folder / "config.json").write_text(json.dumps(config))
    onnx.save(make_onnx(token_logits(tokenizer, random)), folder / "onnx" / "model.onnx")
    return folder
