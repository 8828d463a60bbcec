"""What would go wrong silently: other token ids in another library, a window forgotten, a machine's path published."""

import json
from pathlib import Path

import pytest
from tokenizers import Tokenizer
from transformers import AutoModelForTokenClassification, AutoTokenizer

from export.publishable import CheckpointError, publishable_config, publishable_tokenizer_config, write_publishable
from tests.export.checkpoint_fixture import in_export_environment

pytest_plugins = ["tests.export.checkpoint_fixture"]

HARD_TEXTS = [
    "Fièvre à 39 °C ; ŒDÈME aigu, AMOXICILLINE 1g x3/j\u00a0!",
    "e\u0301te\u0301 (combining), ligature ﬁ, narrow\u202fspace, zero\u200bwidth, tab\tand\nnewline",
    "漢字, emoji 🫀, soft\u00adhyphen, [MASK] and [SEP] written out, l'œil, aujourd'hui",
    "mot " * 200,
    "",
]
LOAD_IN_TRANSFORMERS_4 = """
import json, sys, transformers
from transformers import AutoModelForTokenClassification, AutoTokenizer
assert transformers.__version__.startswith("4."), transformers.__version__
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForTokenClassification.from_pretrained(sys.argv[1])
ids = [tokenizer(text)["input_ids"] for text in json.load(open(sys.argv[2]))]
print(json.dumps({"ids": ids, "length": tokenizer.model_max_length, "tags": model.config.id2label,
                  "pad": tokenizer.pad_token_id, "mask": tokenizer.mask_token}))
"""


@pytest.fixture
def published(checkpoint: Path, tmp_path: Path) -> Path:
    write_publishable(checkpoint, tmp_path / "published", "bert-tiny-random")
    return tmp_path / "published"


def own_ids(folder: Path) -> list[list[int]]:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return [tokenizer.encode(text).ids for text in HARD_TEXTS]


def test_transformers_5_gives_the_tokenizers_own_ids(published: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(published)
    assert [tokenizer(text)["input_ids"] for text in HARD_TEXTS] == own_ids(published)
    assert tokenizer.model_max_length == 64
    assert AutoModelForTokenClassification.from_pretrained(published).config.id2label[1] == "B-ANAT"


def test_transformers_4_gives_the_tokenizers_own_ids(published: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts.json"
    texts.write_text(json.dumps(HARD_TEXTS), encoding="utf-8")
    loaded = json.loads(in_export_environment(LOAD_IN_TRANSFORMERS_4, published, texts).splitlines()[-1])
    assert loaded["ids"] == own_ids(published)
    assert loaded["length"] == 64
    assert loaded["tags"]["1"] == "B-ANAT"
    assert (loaded["pad"], loaded["mask"]) == (0, "[MASK]")


def test_the_checkpoint_itself_would_not_load_in_transformers_4(checkpoint: Path) -> None:
    """When this fails, transformers 5 has changed what it writes and the rewriting may no longer be needed."""
    settings = json.loads((checkpoint / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert settings["tokenizer_class"] == "TokenizersBackend"


def test_the_tokenizer_never_truncates(checkpoint: Path, tmp_path: Path) -> None:
    """A training run that left truncation on would make every reader of tokenizer.json cut long reports."""
    copy = tmp_path / "copy"
    write_publishable(checkpoint, copy, "x")
    tokenizer = Tokenizer.from_file(str(copy / "tokenizer.json"))
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding(length=16)
    tokenizer.save(str(copy / "tokenizer.json"))
    write_publishable(copy, tmp_path / "again", "x")
    assert len(Tokenizer.from_file(str(tmp_path / "again" / "tokenizer.json")).encode("mot " * 200).ids) > 200


def test_no_path_of_the_training_machine_is_published() -> None:
    config = {
        "_name_or_path": "/home/someone/runs/1",
        "id2label": {"0": "O"},
        "architectures": ["XForTokenClassification"],
    }
    assert publishable_config(config, "bert-small")["_name_or_path"] == "bert-small"


def test_window_is_bounded_by_the_positions() -> None:
    config = {"max_position_embeddings": 256}
    assert publishable_tokenizer_config({"model_max_length": 10**30}, config)["model_max_length"] == 256
    assert publishable_tokenizer_config({"model_max_length": 128}, config)["model_max_length"] == 128
    token = {"content": "[MASK]", "lstrip": True}
    assert publishable_tokenizer_config({"mask_token": token}, config)["mask_token"] == "[MASK]"
    with pytest.raises(CheckpointError, match="model_max_length is not set"):
        publishable_tokenizer_config({}, {})


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"])
def test_a_missing_file_is_named(checkpoint: Path, tmp_path: Path, name: str) -> None:
    write_publishable(checkpoint, tmp_path / "copy", "x")
    (tmp_path / "copy" / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        write_publishable(tmp_path / "copy", tmp_path / "out", "x")


def test_a_damaged_file_is_named(checkpoint: Path, tmp_path: Path) -> None:
    write_publishable(checkpoint, tmp_path / "copy", "x")
    (tmp_path / "copy" / "config.json").write_bytes(b'{"id2label": {\xff')
    with pytest.raises(CheckpointError, match=r"config\.json: not JSON"):
        write_publishable(tmp_path / "copy", tmp_path / "out", "x")


def test_a_bare_encoder_is_refused() -> None:
    with pytest.raises(CheckpointError, match="not …ForTokenClassification"):
        publishable_config({"id2label": {"0": "O"}, "architectures": ["BertModel"]}, "x")
