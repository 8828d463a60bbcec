"""The lab's engine: what is scored must be the model as it is, without dropout and without what padding adds."""

import json
import shutil

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForTokenClassification

from carabin.annotator import ModelError
from carabin.tokens.tagging import bio_tags
from zoo.checkpoints import model_file, resolve_which
from zoo.torch_engine import TorchEngine, load_annotator


@pytest.fixture(scope="module")
def model() -> BertForTokenClassification:
    torch.manual_seed(1)
    tags = bio_tags(("DISO",))
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=16, id2label=dict(enumerate(tags)), hidden_dropout_prob=0.5, initializer_range=0.5,
    )  # fmt: skip
    return BertForTokenClassification(config)


def batch() -> tuple[np.ndarray, np.ndarray]:
    ids = np.asarray([[2, 7, 9, 3, 0, 0], [2, 7, 9, 11, 12, 3]], dtype=np.int64)
    return ids, (ids > 0).astype(np.int64)


def test_logits_are_float32_the_same_each_time_and_blind_to_padding(model):
    engine = TorchEngine(model.train())
    logits = engine(*batch())
    assert (logits.dtype, logits.shape) == (np.float32, (2, 6, 3))
    assert np.array_equal(engine(*batch()), logits)
    assert model.training, "the engine left the caller's model in another mode"
    ids, mask = batch()
    assert engine(ids[:1, :4], mask[:1, :4]) == pytest.approx(logits[:1, :4], abs=1e-5)


def test_bfloat16_is_near_and_still_float32(model):
    full, half = TorchEngine(model)(*batch()), TorchEngine(model, bf16=True)(*batch())
    assert half.dtype == np.float32
    assert half == pytest.approx(full, abs=0.2)
    assert not np.array_equal(half, full)


def test_a_saved_checkpoint_gives_the_same_logits(model, tmp_path):
    model.save_pretrained(tmp_path)
    assert np.array_equal(TorchEngine.load(tmp_path)(*batch()), TorchEngine(model)(*batch()))
    assert TorchEngine.load(tmp_path).parameters == sum(p.numel() for p in model.parameters())


def test_which_file_is_run(tmp_path):
    with pytest.raises(ModelError, match="has none of them"):
        resolve_which(tmp_path)
    for name, path in (
        ("torch", "model.safetensors"),
        ("onnx", "onnx/model.onnx"),
        ("int8", "onnx/model_quantized.onnx"),
    ):
        file = tmp_path / path
        file.parent.mkdir(exist_ok=True)
        with pytest.raises(ModelError, match=path):
            resolve_which(tmp_path, name)
        file.touch()
        assert resolve_which(tmp_path) == name
        assert model_file(tmp_path, name) == file
    with pytest.raises(ModelError, match="not one of auto"):
        resolve_which(tmp_path, "tensorflow")


def test_damaged_checkpoints_are_named(model, tmp_path):
    model.save_pretrained(tmp_path)
    weights = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ModelError, match="model.safetensors: not a token-classification checkpoint"):
        TorchEngine.load(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no such file; train the student"):
        TorchEngine.load(tmp_path)
    shutil.rmtree(tmp_path)
    with pytest.raises(ModelError, match="config.json"):
        TorchEngine.load(tmp_path)


def test_a_checkpoint_without_its_tokenizer_is_refused(model, tmp_path):
    model.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="tokenizer"):
        load_annotator(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({}), encoding="utf-8")
    with pytest.raises(ModelError, match="model_max_length"):
        load_annotator(tmp_path)
