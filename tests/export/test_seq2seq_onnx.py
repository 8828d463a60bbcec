"""What would go wrong silently: files that write otherwise than the checkpoint, a merged decoder that is another."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from tokenizers import Tokenizer

from carabin.errors import ModelError
from carabin.generation.onnx_seq2seq import OnnxSeq2Seq
from carabin.trust.file_kinds import check_content
from export.gate import gate_int8
from export.onnx_files import MERGED, SEQ2SEQ, fp32_file, int8_file
from export.publishable import CheckpointError, publishable_config, write_publishable
from export.quantise import quantisable_nodes, quantise
from export.sensitivity import rank_by_sensitivity
from export.seq2seq import Seq2SeqExport, rouge_l
from tests.export.checkpoint_fixture import export_python, in_export_environment
from tests.export.t5_checkpoint_fixture import LONGEST, PAIRS, dev_documents
from zoo.runs import RunError
from zoo.torch_seq2seq import TorchSeq2Seq

pytest_plugins = ["tests.export.t5_checkpoint_fixture"]

HARD_TEXTS = [
    "Fièvre à 39 °C ; ŒDÈME,\tAMOXICILLINE 1g x3/j\u00a0!\n\n",
    "<qru><dose><quote>5 mg</s>",
    "漢字 🫀 e\u0301",
    "",
]
LOAD_IN_TRANSFORMERS_4 = """
import json, sys, transformers
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
assert transformers.__version__.startswith("4."), transformers.__version__
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForSeq2SeqLM.from_pretrained(sys.argv[1])
texts, hard = json.load(open(sys.argv[2]))
ids = [tokenizer(text)["input_ids"] for text in hard]
written = tokenizer.batch_decode(model.generate(**tokenizer(texts, return_tensors="pt", padding=True)))
kept = tokenizer.decode(tokenizer("<qru>5 mg<extra_id_0>")["input_ids"], skip_special_tokens=True)
print(json.dumps({"ids": ids, "written": written, "kept": kept, "longest": model.generation_config.max_new_tokens}))
"""


@pytest.fixture(scope="module")
def family() -> Seq2SeqExport:
    return Seq2SeqExport.over(dev_documents())


@pytest.fixture
def student(t5_exported: Path, tmp_path: Path) -> Path:
    """A copy of the export that a test may change."""
    return Path(shutil.copytree(t5_exported, tmp_path / "t5-tiny"))


def axes(value: onnx.ValueInfoProto) -> list[str | int]:
    return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]


def test_file_names_and_axes_are_the_standard_ones(t5_exported: Path) -> None:
    assert sorted(path.name for path in t5_exported.iterdir()) == [
        "config.json", "exercises.json", "generation_config.json", "model.safetensors", "onnx", "tokenizer.json",
        "tokenizer_config.json",
    ]  # fmt: skip
    names = {path.name for path in (t5_exported / "onnx").iterdir()}
    assert names == {f"{name}.onnx" for name in (*SEQ2SEQ, MERGED)}
    encoder, first, later = (onnx.load(str(fp32_file(t5_exported, name))).graph for name in SEQ2SEQ)
    assert {value.name: axes(value) for value in encoder.input} == {
        name: ["batch_size", "encoder_sequence_length"] for name in ("input_ids", "attention_mask")
    }
    assert [value.name for value in encoder.output] == ["last_hidden_state"]
    assert {value.name for value in first.input} == {"input_ids", "encoder_attention_mask", "encoder_hidden_states"}
    assert len([value for value in later.input if value.name.startswith("past_key_values.")]) == 8
    for name in names:
        check_content(t5_exported, f"onnx/{name}")


def test_onnx_is_the_checkpoint(t5_exported: Path, family: Seq2SeqExport) -> None:
    parity = family.compare(t5_exported)
    assert parity.passed
    assert parity.max_abs_logit_difference < 1e-4
    assert parity.tokens > 4 * 10, "a student that stops at once proves nothing"


@pytest.mark.parametrize("name", SEQ2SEQ)
def test_another_file_is_not_taken_for_the_checkpoint(student: Path, family: Seq2SeqExport, name: str) -> None:
    """Each of the three must be looked at: the first token shows nothing of the decoder with past."""
    model = onnx.load(str(fp32_file(student, name)))
    scale = next(tensor for tensor in model.graph.initializer if tensor.name.endswith("layer_norm.weight"))
    scale.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(scale) * np.float32(1.05), scale.name))
    onnx.save(model, str(fp32_file(student, name)))
    assert not family.compare(student).passed


def test_merged_decoders_write_what_the_two_write(student: Path, family: Seq2SeqExport) -> None:
    for name in SEQ2SEQ:
        quantise(fp32_file(student, name), int8_file(student, name))
    found = family.finish(student, export_python(), int8=True)["merged_vs_unmerged"]
    assert {name: one["passed"] for name, one in found.items()} == {"onnx": True, "int8": True}
    assert max(one["max_abs_logit_difference"] for one in found.values()) == 0
    merged, apart = int8_file(student, MERGED), (int8_file(student, name) for name in SEQ2SEQ[1:])
    assert merged.stat().st_size < 0.8 * sum(path.stat().st_size for path in apart), "each weight once"
    check_content(student, f"onnx/{merged.name}")


def test_a_merged_decoder_that_is_another_stops_the_export(student: Path, family: Seq2SeqExport) -> None:
    model = onnx.load(str(fp32_file(student, MERGED)))
    head = next(tensor for tensor in model.graph.initializer if tensor.dims[-1:] == [553])
    head.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(head) + np.float32(0.05), head.name))
    onnx.save(model, str(fp32_file(student, MERGED)))
    with pytest.raises(RunError, match="the merged decoder is not the two"):
        family.finish(student, export_python(), int8=False)


def test_int8_takes_the_products_and_both_uses_of_the_embeddings(t5_exported: Path, tmp_path: Path) -> None:
    """The table is read by row where tokens come in, and multiplied where they go out: each has scales of its own."""
    first = fp32_file(t5_exported, "decoder_model")
    nodes = quantisable_nodes(first)
    assert {"/decoder/shared/Gather", "/lm_head/MatMul"} <= set(nodes)
    assert set(quantisable_nodes(fp32_file(t5_exported, "decoder_with_past_model"))) <= set(nodes)
    quantise(first, tmp_path / "int8.onnx")
    kinds = [node.op_type for node in onnx.load(str(tmp_path / "int8.onnx")).graph.node]
    assert kinds.count("MatMulInteger") == len(nodes) - 1
    assert not any("relative_attention_bias" in node for node in nodes), "32 numbers a head: nothing to save there"


def test_the_gate_excludes_the_same_nodes_from_both_decoders(student: Path, family: Seq2SeqExport) -> None:
    values, probe = iter([0.5, 0.4, 0.499]), family.make_probe(student)
    result = gate_int8(student, family.names, family.metric, lambda _: next(values), probe)
    assert (result.published, len(result.attempts)) == (True, 2)
    assert "loses 0.10 points of ROUGE-L" in result.why
    ranked = [node for node, _ in rank_by_sensitivity(student, family.names, probe)]
    assert list(result.options.excluded_nodes) == ranked[: len(result.options.excluded_nodes)]
    assert set(ranked) == {node for name in SEQ2SEQ for node in quantisable_nodes(fp32_file(student, name))}
    for name in SEQ2SEQ[1:]:
        graph = onnx.load(str(int8_file(student, name))).graph
        quantised = {node.name.removesuffix("_quant") for node in graph.node if node.op_type == "MatMulInteger"}
        assert quantised, "nothing was quantised"
        assert not quantised & set(result.options.excluded_nodes)


def test_a_refusing_gate_leaves_no_file_of_the_set(student: Path, family: Seq2SeqExport) -> None:
    values = iter([0.5, 0.1, 0.1, 0.1, 0.1])
    probe = family.make_probe(student)
    assert not gate_int8(student, family.names, family.metric, lambda _: next(values), probe).published
    assert not list((student / "onnx").glob("*_quantized*"))


def test_int8_is_near_the_checkpoint(student: Path, family: Seq2SeqExport) -> None:
    for name in SEQ2SEQ:
        quantise(fp32_file(student, name), int8_file(student, name))
    int8 = family.compare_engines(student, TorchSeq2Seq.load(student), OnnxSeq2Seq(student / "onnx", quantized=True))
    assert 1e-3 < int8.max_abs_logit_difference < 3, "INT8 is near the checkpoint, and is not the fp32 file"


def test_transformers_4_writes_what_was_learned(t5_exported: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts.json"
    texts.write_text(json.dumps([[f"conclusion : {body}" for body, _ in PAIRS], HARD_TEXTS]), encoding="utf-8")
    loaded = json.loads(in_export_environment(LOAD_IN_TRANSFORMERS_4, t5_exported, texts).splitlines()[-1])
    tokenizer = Tokenizer.from_file(str(t5_exported / "tokenizer.json"))
    assert loaded["ids"] == [tokenizer.encode(text).ids for text in HARD_TEXTS]
    assert [text.replace("<pad>", "").removesuffix("</s>") for text in loaded["written"]] == [one for _, one in PAIRS]
    assert loaded["kept"] == "<qru>5 mg", "marks are kept where special tokens are left out"
    assert loaded["longest"] == LONGEST, "by default transformers stops after 20 tokens"


def test_a_file_of_a_writer_that_is_missing_or_wrong_is_named(t5_checkpoint: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(t5_checkpoint, tmp_path / "copy"))
    (copy / "exercises.json").write_text('{"stems": {"qru": {"colour": ["?"]}}, "terms": {}}')
    with pytest.raises(ModelError, match=r"exercises\.json: 'colour' is no kind"):
        write_publishable(copy, tmp_path / "out", "x")
    (copy / "exercises.json").unlink()
    write_publishable(copy, tmp_path / "out", "x")
    (copy / "generation_config.json").unlink()
    with pytest.raises(CheckpointError, match="generation_config.json"):
        write_publishable(copy, tmp_path / "out", "x")
    with pytest.raises(CheckpointError, match="not …T5ForConditionalGeneration"):
        publishable_config({"is_encoder_decoder": True, "max_written": 9, "architectures": ["T5EncoderModel"]}, "x")


def test_rouge_keeps_accents() -> None:
    assert rouge_l(["un été"], ["un ét"]) == 0.5
