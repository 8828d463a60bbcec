"""A tiny checkpoint as the training stage writes one, and its export.

Use them from any test module with

    pytest_plugins = ["tests.export.checkpoint_fixture"]
"""

import os
import subprocess
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

from carabin.tokens.tagging import bio_tags
from export.export_environment import run_export
from export.publishable import write_publishable
from zoo.labels import LABEL_SETS

PROJECT = Path(__file__).parents[2]
TEXTS = [
    "Patiente de 67 ans, fièvre à 39 °C, œdème aigu du poumon.",
    "Traitée par AMOXICILLINE 1 g x 3/j pendant sept jours ; évolution favorable.",
    "ATCD : HTA, DT2. Douleur thoracique depuis 2 h, ECG sans sus-décalage.",
    "Embolie pulmonaire bilatérale, apixaban 5 mg matin et soir.",
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def export_python() -> Path:
    """Return the export environment's python, or skip."""
    python = Path(os.environ.get("CARABIN_EXPORT_PYTHON", PROJECT / ".venv" / "export" / "bin" / "python"))
    if not python.is_file():
        pytest.skip(f"no export environment at {python}: run 'make environments' (CI does)")
    return python


def in_export_environment(code: str, *arguments: object) -> str:
    """Run Python code in the export environment, offline; return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "HF_HUB_OFFLINE": "1"}
    command = [str(export_python()), "-c", code, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def make_tokenizer() -> Tokenizer:
    """Return a WordPiece tokenizer that keeps case and accents, as the training stage makes one."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=False, strip_accents=False, lowercase=False
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=400, special_tokens=SPECIAL, show_progress=False)
    tokenizer.train_from_iterator(TEXTS * 3, trainer)
    frame = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=frame)
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def write_checkpoint(folder: Path, layers: int = 2, hidden: int = 32, heads: int = 2, intermediate: int = 64) -> Path:
    """Write a checkpoint of random weights, large enough for its answers to differ from word to word."""
    tokenizer, tags = make_tokenizer(), bio_tags(LABEL_SETS["umls"])
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=intermediate,
        max_position_embeddings=64,
        initializer_range=0.2,
        id2label=dict(enumerate(tags)),
        label2id={tag: number for number, tag in enumerate(tags)},
    )
    torch.manual_seed(0)
    BertForTokenClassification(config).save_pretrained(folder)
    names = {f"{token.strip('[]').lower()}_token": token for token in SPECIAL}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that transformers 5 wrote. Read only."""
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "student")


@pytest.fixture(scope="session")
def exported(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint's publishable files and onnx/model.onnx. Read only."""
    folder = tmp_path_factory.mktemp("exported") / "bert-tiny-random"
    write_publishable(checkpoint, folder, "bert-tiny-random")
    run_export(export_python(), folder)
    return folder
