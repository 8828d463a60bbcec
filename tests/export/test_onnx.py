"""What would go wrong silently: a file that is not the checkpoint, an INT8 file that lost the task."""

from pathlib import Path

import numpy as np
import onnx
import pytest

from carabin import Annotator
from carabin.engines.engine import OnnxEngine
from export.gate import GateResult, gate_int8
from export.onnx_files import TAGGER, fp32_file, int8_file
from export.quantise import Int8Options, quantisable_nodes, quantise, small_tables
from export.sensitivity import rank_by_sensitivity
from export.tagger import compare_torch_with_onnx, folder_batches, make_probe
from tests.export.checkpoint_fixture import TEXTS

pytest_plugins = ["tests.export.checkpoint_fixture"]

CLASSIFIER = "/classifier/MatMul"


def int8_operators(path: Path) -> int:
    return sum(node.op_type == "MatMulInteger" for node in onnx.load(str(path)).graph.node)


def test_file_names_and_axes_are_the_standard_ones(exported: Path) -> None:
    graph = onnx.load(str(exported / "onnx" / "model.onnx")).graph
    assert [value.name for value in graph.input] == ["input_ids", "attention_mask", "token_type_ids"]
    assert [value.name for value in graph.output] == ["logits"]
    for value in graph.input:
        assert [axis.dim_param for axis in value.type.tensor_type.shape.dim] == ["batch_size", "sequence_length"]
    # Optimum writes its own copies of config and tokenizer beside the file; ours are the ones published.
    assert sorted(path.name for path in exported.iterdir()) == [
        "config.json", "model.safetensors", "onnx", "tokenizer.json", "tokenizer_config.json"
    ]  # fmt: skip
    assert [path.name for path in (exported / "onnx").iterdir()] == ["model.onnx"]


def test_onnx_is_the_checkpoint(exported: Path) -> None:
    parity = compare_torch_with_onnx(exported, [*TEXTS, "", TEXTS[0] * 20])
    assert parity.passed
    assert parity.max_abs_logit_difference < 1e-4
    assert parity.windows > parity.texts


def test_another_model_is_not_taken_for_the_checkpoint(exported: Path, tmp_path: Path) -> None:
    model = onnx.load(str(exported / "onnx" / "model.onnx"))
    bias = next(tensor for tensor in model.graph.initializer if tensor.name == "classifier.bias")
    bias.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(bias) + np.float32(0.01), bias.name))
    (tmp_path / "onnx").mkdir()
    onnx.save(model, str(tmp_path / "onnx" / "model.onnx"))
    for path in exported.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    assert not compare_torch_with_onnx(tmp_path, TEXTS).passed


def test_comparing_on_no_text_is_an_error(exported: Path) -> None:
    with pytest.raises(ValueError, match="no text to compare on"):
        compare_torch_with_onnx(exported, ["", "  \n"])


def test_int8_is_near_fp32_and_carabin_runs_it(exported: Path, tmp_path: Path) -> None:
    int8 = tmp_path / "model_quantized.onnx"
    quantise(exported / "onnx" / "model.onnx", int8)
    annotator = Annotator.load(exported, quantized=False)
    engine, worst, scale = OnnxEngine(int8), 0.0, 0.0
    for ids, mask in folder_batches(exported, TEXTS):
        reference = annotator.engine(ids, mask)
        worst = max(worst, float(np.abs(engine(ids, mask) - reference)[mask.astype(bool)].max()))
        scale = max(scale, float(np.abs(reference).max()))
    assert 0 < worst < 0.1 * scale
    assert int8_operators(int8) == 13  # two layers of six products, and the classifier
    assert int8.stat().st_size < (exported / "onnx" / "model.onnx").stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == [int8.name]


def test_weights_fit_in_seven_bits(exported: Path, tmp_path: Path) -> None:
    """Full-range signed weights overflow 16-bit sums on processors without VNNI; see test_qemu.py."""
    for reduce_range, largest in ((True, 64), (False, 127)):
        path = tmp_path / f"{reduce_range}.onnx"
        quantise(exported / "onnx" / "model.onnx", path, Int8Options(reduce_range=reduce_range))
        weights = [
            onnx.numpy_helper.to_array(tensor)
            for tensor in onnx.load(str(path)).graph.initializer
            if tensor.data_type == onnx.TensorProto.INT8 and len(tensor.dims) == 2
        ]
        assert len(weights) == 13
        assert max(int(np.abs(weight.astype(np.int16)).max()) for weight in weights) == largest


def test_small_tables_and_excluded_nodes_stay_in_fp32(exported: Path, tmp_path: Path) -> None:
    fp32 = exported / "onnx" / "model.onnx"
    assert small_tables(fp32, 0.05) == ["/bert/embeddings/token_type_embeddings/Gather"]
    options = Int8Options().without([CLASSIFIER])
    assert CLASSIFIER not in quantisable_nodes(fp32, options)
    quantise(fp32, tmp_path / "int8.onnx", options)
    assert int8_operators(tmp_path / "int8.onnx") == 12


def test_rank_by_sensitivity_covers_every_node(exported: Path) -> None:
    ranked = rank_by_sensitivity(exported, TAGGER, make_probe(folder_batches(exported, TEXTS)))
    assert sorted(name for name, _ in ranked) == sorted(quantisable_nodes(exported / "onnx" / "model.onnx"))
    errors = [error for _, error in ranked]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] > 0


@pytest.fixture
def student(exported: Path, tmp_path: Path) -> Path:
    """A folder whose fp32 file is there, and an INT8 file of an earlier run."""
    (tmp_path / "onnx").mkdir()
    fp32_file(tmp_path, "model").write_bytes(fp32_file(exported, "model").read_bytes())
    int8_file(tmp_path, "model").write_bytes(b"an earlier run's")
    return tmp_path


class Scores:
    """A task metric by fiat: fp32, then each INT8 attempt in turn; notes how many products each file has in INT8."""

    def __init__(self, student: Path, *values: float) -> None:
        self.student, self.values = student, iter(values)
        self.seen: list[int] = []

    def __call__(self, quantized: bool) -> float:
        self.seen.append(int8_operators((int8_file if quantized else fp32_file)(self.student, "model")))
        return next(self.values)


def gate(student: Path, scores: Scores, exported: Path) -> GateResult:
    return gate_int8(student, TAGGER, "f1", scores, make_probe(folder_batches(exported, TEXTS[:1])))


def test_gate_publishes_int8_that_holds(student: Path, exported: Path) -> None:
    scores = Scores(student, 0.8, 0.7951)
    result = gate(student, scores, exported).to_dict()
    assert (result["published"], result["passed"], result["excluded_nodes"]) == (True, True, [])
    assert (result["f1_fp32"], result["f1_int8"]) == (0.8, 0.7951)
    assert "loses 0.49 points of F1" in result["why"]
    assert scores.seen == [0, 13]


def test_gate_accepts_exactly_half_a_point(student: Path, exported: Path) -> None:
    assert gate(student, Scores(student, 0.805, 0.8), exported).published


def test_gate_falls_back_to_mixed_precision(student: Path, exported: Path, tmp_path: Path) -> None:
    """The file left behind must be the one that passed, not the one that failed before it."""
    result = gate(student, Scores(student, 0.8, 0.7, 0.79, 0.8), exported)
    assert result.published
    assert len(result.attempts) == 3
    ranked = rank_by_sensitivity(student, TAGGER, make_probe(folder_batches(exported, TEXTS[:1])))
    excluded = [name for name, _ in ranked][: len(result.options.excluded_nodes)]
    assert list(result.options.excluded_nodes) == excluded
    quantise(fp32_file(student, "model"), tmp_path / "expected.onnx", result.options)
    assert int8_file(student, "model").read_bytes() == (tmp_path / "expected.onnx").read_bytes()


def test_gate_refuses_and_leaves_no_file(student: Path, exported: Path) -> None:
    result = gate(student, Scores(student, 0.8, 0.7, 0.71, 0.72, 0.73), exported)
    assert not result.published
    assert result.int8 == 0.73
    assert "loses 7.00 points" in result.why
    assert not int8_file(student, "model").exists()


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_gate_cannot_be_passed_by_a_model_that_finds_nothing(student: Path, exported: Path, value: float) -> None:
    result = gate(student, Scores(student, value), exported)
    assert not result.published
    assert "nothing to hold INT8 against" in result.why
    assert not int8_file(student, "model").exists()
