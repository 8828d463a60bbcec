"""A student that writes, of three small ONNX files made without torch, under the names that optimum gives.

Its decoder attends to what it wrote, nearer tokens more, and to its source: what a cache forgets, repeats, puts in
another order or gives to another row changes its scores.
"""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, parser

from tests.carabin.exercise_cases import WORDS
from tests.carabin.tiny_writer import make_tokenizer

LAYERS, HEADS, WIDTH = 2, 2, 16
SIDES = ("decoder.key", "decoder.value", "encoder.key", "encoder.value")
_MATRICES = ("q", "k", "v", "o", "cq", "ck", "cv", "co")
_HEADER = '<ir_version: 9, opset_import: ["" : 17]>'
_HALF = WIDTH // HEADS


def make_weights(vocabulary: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return weights so large that what a text says next depends on all before it."""
    random = np.random.default_rng(seed)
    weights = {f"{name}{layer}": random.normal(size=(WIDTH, WIDTH)) for layer in range(LAYERS) for name in _MATRICES}
    weights = {name: value / np.sqrt(WIDTH) * 1.5 for name, value in weights.items()}
    weights |= {"embedding": random.normal(size=(vocabulary, WIDTH)) * 0.5, "decay": np.array(0.4)}
    weights["output"] = random.normal(size=(WIDTH, vocabulary)) * 1.5
    weights["output"][:, 1] *= 3.5
    constants = {"split": [0, 0, HEADS, _HALF], "join": [0, 0, WIDTH], "one": [1], "both": [1, 2]}
    return {name: value.astype(np.float32) for name, value in weights.items()} | {
        **{name: np.array(value, np.int64) for name, value in constants.items()},
        "zero": np.array(0, np.int64), "step": np.array(1, np.int64), "low": np.array(-1e9, np.float32),
        "unit": np.array(1, np.float32), "scale": np.array(_HALF**0.5, np.float32),
    }  # fmt: skip


def _heads(name: str, matrix: str, given: str) -> str:
    return f"""
        {name}_flat = MatMul({given}, {matrix})
        {name}_split = Reshape({name}_flat, split)
        {name} = Transpose<perm = [0, 2, 1, 3]>({name}_split)"""


def _attend(name: str, key: str, value: str, bias: str, out: str, given: str, result: str) -> str:
    return f"""
        {name}_turned = Transpose<perm = [0, 1, 3, 2]>({key})
        {name}_raw = MatMul({name}_query, {name}_turned)
        {name}_scaled = Div({name}_raw, scale)
        {name}_biased = Add({name}_scaled, {bias})
        {name}_shares = Softmax<axis = -1>({name}_biased)
        {name}_seen = MatMul({name}_shares, {value})
        {name}_back = Transpose<perm = [0, 2, 1, 3]>({name}_seen)
        {name}_joined = Reshape({name}_back, join)
        {name}_out = MatMul({name}_joined, {out})
        {name}_new = Tanh({name}_out)
        {result} = Add({given}, {name}_new)"""


def _self_bias(past: bool) -> str:
    """Nearer tokens count more, later ones nothing; traced for one token, optimum's second decoder has no such rule."""
    rule = "bias = Mul(far, decay_down)" if past else "near = Mul(far, decay_down)\n bias = Where(later, low, near)"
    return f"""
        new_count = Shape<start = 1, end = 2>(input_ids)
        all_count = Shape<start = 2, end = 3>(present.0.decoder.key)
        old_count = Sub(all_count, new_count)
        first = Squeeze(old_count)
        last = Squeeze(all_count)
        keys = Range(zero, last, step)
        queries = Range(first, last, step)
        queries_up = Unsqueeze(queries, one)
        distance = Sub(queries_up, keys)
        later = Less(distance, zero)
        far = Cast<to = 1>(distance)
        decay_down = Neg(decay)
        {rule}"""


def _decoder(past: bool) -> tuple[str, str, str]:
    """Return inputs, outputs and body."""
    inputs = "int64[batch, source] encoder_attention_mask, int64[batch, new] input_ids"
    inputs += "" if past else f", float[batch, source, {WIDTH}] encoder_hidden_states"
    outputs = "float[batch, new, vocabulary] logits"
    body = """
        x0 = Gather(embedding, input_ids)
        mask_up = Unsqueeze(encoder_attention_mask, both)
        mask_float = Cast<to = 1>(mask_up)
        hidden_part = Sub(unit, mask_float)
        cross_bias = Mul(hidden_part, low)"""
    for layer in range(LAYERS):
        given = f"x{layer}"
        for side in SIDES:
            axis = "source" if "encoder" in side else "old"
            if past:
                inputs += f", float[batch, {HEADS}, {axis}, {_HALF}] past_key_values.{layer}.{side}"
            if not past or "decoder" in side:
                axis = axis if "encoder" in side else "all"
                outputs += f", float[batch, {HEADS}, {axis}, {_HALF}] present.{layer}.{side}"
        body += _heads(f"own{layer}_query", f"q{layer}", given)
        for name, side in (("k", "key"), ("v", "value")):
            target = f"present.{layer}.decoder.{side}"
            body += _heads(f"new{layer}_{side}" if past else target, f"{name}{layer}", given)
            if past:
                old = f"past_key_values.{layer}.decoder.{side}"
                body += f"\n        {target} = Concat<axis = 2>({old}, new{layer}_{side})"
            else:
                body += _heads(f"present.{layer}.encoder.{side}", f"c{name}{layer}", "encoder_hidden_states")
        body += _self_bias(past) if layer == 0 else ""
        own, source = f"present.{layer}.decoder", f"{'past_key_values' if past else 'present'}.{layer}.encoder"
        body += _attend(f"own{layer}", f"{own}.key", f"{own}.value", "bias", f"o{layer}", given, f"y{layer}")
        body += _heads(f"cross{layer}_query", f"cq{layer}", f"y{layer}")
        body += _attend(
            f"cross{layer}",
            f"{source}.key",
            f"{source}.value",
            "cross_bias",
            f"co{layer}",
            f"y{layer}",
            f"x{layer + 1}",
        )
    return inputs, outputs, f"{body}\n        logits = MatMul(x{LAYERS}, output)"


def _encoder() -> tuple[str, str, str]:
    """Return inputs, outputs and body: each token's vector beside the mean of all, so that padding would show."""
    return (
        "int64[batch, source] input_ids, int64[batch, source] attention_mask",
        f"float[batch, source, {WIDTH}] last_hidden_state",
        """
        tokens = Gather(embedding, input_ids)
        mask_up = Unsqueeze(attention_mask, two)
        mask = Cast<to = 1>(mask_up)
        kept = Mul(tokens, mask)
        sum = ReduceSum<keepdims = 1>(kept, one)
        count = ReduceSum<keepdims = 1>(mask, one)
        mean = Div(sum, count)
        last_hidden_state = Add(tokens, mean)""",
    )


def make_files(vocabulary: int, seed: int = 0) -> dict[str, onnx.ModelProto]:
    """Return the three models by the names of their files."""
    weights = make_weights(vocabulary, seed)
    weights["two"] = np.array([2], np.int64)
    models = {}
    for name, parts in (
        ("encoder_model", _encoder()), ("decoder_model", _decoder(False)), ("decoder_with_past_model", _decoder(True)),
    ):  # fmt: skip
        inputs, outputs, body = parts
        text = f"{_HEADER} {name} ({inputs}) => ({outputs.replace('vocabulary', str(vocabulary))}) {{{body}\n}}"
        model = _parse(text)
        used = {given for node in model.graph.node for given in node.input}
        model.graph.initializer.extend(
            numpy_helper.from_array(value, key) for key, value in weights.items() if key in used
        )
        models[name] = model
    return models


def _parse(text: str) -> onnx.ModelProto:
    """Return the model of a text; the parser takes no points in names, so they come back afterwards."""
    model = parser.parse_model(text.replace(".", "__"))
    for node in model.graph.node:
        node.input[:] = [name.replace("__", ".") for name in node.input]
        node.output[:] = [name.replace("__", ".") for name in node.output]
    for value in (*model.graph.input, *model.graph.output):
        value.name = value.name.replace("__", ".")
    return model


def write_onnx(folder: Path, vocabulary: int, seed: int = 0, quantized: bool = False) -> Path:
    """Write the three files into FOLDER/onnx and return it."""
    onnx_folder = folder / "onnx"
    onnx_folder.mkdir(parents=True, exist_ok=True)
    for name, model in make_files(vocabulary, seed).items():
        onnx.save(model, onnx_folder / f"{name}{'_quantized' if quantized else ''}.onnx")
    return onnx_folder


def write_writing_student(
    folder: Path, window: int = 96, max_written: int = 48, int8: bool = True, conclusion: str | None = None
) -> Path:
    """Write a student's folder and return it; its INT8 files hold other weights, so that one sees which were read."""
    tokenizer = make_tokenizer()
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}
    size = tokenizer.get_vocab_size()
    config = {"model_type": "t5", "is_encoder_decoder": True, "vocab_size": size, "max_written": max_written, **special}
    config |= {"passage_characters": 200, "exercise_characters": 1200, "entity_labels": ["CHEM", "DISO"]}
    config |= {} if conclusion is None else {"conclusion": conclusion}
    for name, record in (
        ("config.json", config), ("generation_config.json", special), ("exercises.json", WORDS),
        ("tokenizer_config.json", {"model_max_length": window}),
    ):  # fmt: skip
        (folder / name).write_text(json.dumps(record))
    write_onnx(folder, size)
    if int8:
        write_onnx(folder, size, seed=1, quantized=True)
    return folder
