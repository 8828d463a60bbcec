"""Build a small repository that is fit to publish: a random two-label BERT of width 32, its tokenizer, its papers.

The ONNX files are valid ONNX, but hold one Identity node instead of the model: pushing moves bytes, it does not run
them.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

WORDS = "le la patient patiente fièvre toux œdème aigu doliprane 500 mg et . , ##s ##e".split()
LABELS = ("O", "B-DISO", "I-DISO")

CARD = """---
language: fr
license: apache-2.0
library_name: transformers
pipeline_tag: token-classification
tags: [distillation]
widget:
- text: Le patient a de la fièvre.
---
# bert-tiny

A random model, for tests.
"""


def build_repository(folder: Path, *, int8: bool = True) -> Path:
    """Write a complete, sealed repository and return its folder.

    Args:
        folder: Where to write; it is created.
        int8: Whether the INT8 file passed its gate and is there.
    """
    folder.mkdir(parents=True)
    write_model(folder)
    write_tokenizer(folder)
    write_onnx(folder / "onnx/model.onnx")
    if int8:
        write_onnx(folder / "onnx/model_quantized.onnx")
    (folder / "LICENSE").write_text("Apache License 2.0\n")
    (folder / "README.md").write_text(CARD)
    verdict = {"level": "open", "reasons": ["every source is open"], "obligations": []}
    write_json(folder / "lineage.json", {"student": "bert-tiny", "verdict": verdict})
    clean = {"noise": None, "ner_exact_f1": {"value": 0.8123, "low": 0.79, "high": 0.83, "n": 12}}
    noised = {"noise": {"kind": "typo", "rate": 0.1}, "ner_exact_f1": {"value": 0.7, "n": 12}}
    splits = {"essai/dev": clean, "essai/test+typo:0.1": noised, "essai/test": clean}
    write_json(folder / "metrics.json", {"splits": splits})
    parity: dict[str, Any] = {
        "torch_vs_onnx": {"max_abs_logit_difference": 1e-6, "tolerance": 1e-4, "passed": True},
        "int8": {"published": int8, "f1_fp32": 0.81, "f1_int8": 0.808 if int8 else 0.5, "passed": int8, "why": ""},
    }
    write_json(folder / "parity.json", parity)
    return seal(folder)


def write_model(folder: Path) -> None:
    """Write `config.json` and `model.safetensors` of a random BERT for token classification."""
    import torch
    from transformers import BertConfig, BertForTokenClassification

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary()),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        id2label=dict(enumerate(LABELS)),
        label2id={label: i for i, label in enumerate(LABELS)},
    )
    BertForTokenClassification(config).save_pretrained(folder)


def vocabulary() -> dict[str, int]:
    """Return the WordPiece vocabulary."""
    letters = sorted({letter for word in WORDS for letter in word.strip("#")})
    specials = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
    tokens = (*specials, *WORDS, *letters, *(f"##{letter}" for letter in letters))
    return {token: i for i, token in enumerate(dict.fromkeys(tokens))}


def write_tokenizer(folder: Path) -> None:
    """Write a tokenizer in the two files that transformers 4, transformers 5 and the `tokenizers` library all read."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = vocabulary()
    tokenizer = Tokenizer(models.WordPiece(words, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    ends = [(token, words[token]) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep")}
    write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64, **special},
    )


def write_onnx(path: Path) -> None:
    """Write a valid ONNX file of one Identity node; its name is in it, so that two files differ."""
    import onnx
    from onnx import TensorProto, helper

    value = (TensorProto.FLOAT, [None, 3])
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["logits"])],
        path.stem,
        [helper.make_tensor_value_info("x", *value)],
        [helper.make_tensor_value_info("logits", *value)],
    )
    path.parent.mkdir(exist_ok=True)
    onnx.save(helper.make_model(graph), path)


def write_json(path: Path, value: object) -> None:
    """Write a JSON file."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def edit_json(path: Path, **changes: object) -> None:
    """Change the top-level fields of a JSON file; a field set to None is removed."""
    fields = {**json.loads(path.read_text()), **changes}
    write_json(path, {name: value for name, value in fields.items() if value is not None})


def seal(folder: Path) -> Path:
    """Write the card's hash into `lineage.json`, then the manifest: what the export does last."""
    edit_json(folder / "lineage.json", card_sha256=sha256(folder / "README.md"))
    return write_manifest(folder)


def write_manifest(folder: Path) -> Path:
    """Write `manifest.json` over the files as they are, and return the folder."""
    files = {
        path.relative_to(folder).as_posix(): {"sha256": sha256(path), "size": path.stat().st_size}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("manifest.json", "model.sig")
    }
    write_json(folder / "manifest.json", {"files": files})
    return folder


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
