"""fp32 ONNX -> INT8 ONNX that gives the same answers on every x86 processor.

Dynamic quantisation, signed weights, one scale per output channel, and **seven bits** (`reduce_range`): processors
without VNNI (AVX2: most hospital desktops) add pairs of 8 x 8-bit products in 16 bits, which full-range signed weights
overflow silently. `tests/export/test_qemu.py` shows both: plain signed weights answer differently, these do not.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Int8Options:
    """What is quantised and how; recorded in parity.json."""

    operators: tuple[str, ...] = ("MatMul", "Gather")
    """MatMul: the linear layers. Gather: the embedding tables."""
    excluded_nodes: tuple[str, ...] = ()
    """Nodes kept in fp32 (mixed precision), by name."""
    smallest_table: float = 0.05
    """Embedding tables with less than this share of the weights stay in fp32: quantising them saves nothing and costs
    accuracy (position and token-type tables were the first in the rank by error)."""
    per_channel: bool = True
    reduce_range: bool = True

    def without(self, nodes: Sequence[str]) -> Int8Options:
        """Return the same options with these nodes kept in fp32."""
        return replace(self, excluded_nodes=tuple(nodes))

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"method": "dynamic", "weight_type": "QInt8", **asdict(self)}


def quantise(fp32: Path, int8: Path, options: Int8Options | None = None, only: Sequence[str] | None = None) -> None:
    """Write the INT8 form of an ONNX file, by rename.

    Args:
        fp32: The file to read.
        int8: The file to write.
        options: Defaults to `Int8Options()`.
        only: Quantise these nodes and no others; for measuring what each costs.

    Raises:
        FileNotFoundError: there is no such fp32 file.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    options = options or Int8Options()
    if not fp32.is_file():
        raise FileNotFoundError(f"{fp32}: no such file; export the checkpoint to ONNX first")
    int8.parent.mkdir(parents=True, exist_ok=True)
    partial = int8.with_name(f".{int8.name}.{os.getpid()}.partial")
    # Advice on graph pre-processing, given on the root logger for every call; it changes nothing for these models.
    logging.disable(logging.WARNING)
    try:
        quantize_dynamic(
            fp32,
            partial,
            op_types_to_quantize=list(options.operators),
            weight_type=QuantType.QInt8,
            per_channel=options.per_channel,
            reduce_range=options.reduce_range,
            nodes_to_quantize=list(only) if only is not None else None,
            nodes_to_exclude=[*options.excluded_nodes, *small_tables(fp32, options.smallest_table)],
        )
        partial.replace(int8)
    finally:
        logging.disable(logging.NOTSET)
        partial.unlink(missing_ok=True)


def quantisable_nodes(fp32: Path, options: Int8Options | None = None) -> list[str]:
    """Return, in graph order, the names of the nodes that `quantise` changes.

    Products of two activations (the attention scores) have no weights and always stay in fp32.
    """
    options = options or Int8Options()
    kept = {*options.excluded_nodes, *small_tables(fp32, options.smallest_table)}
    return [name for name, kind, _ in _weighted_nodes(fp32) if kind in options.operators and name not in kept]


def small_tables(fp32: Path, share: float) -> list[str]:
    """Return the Gather nodes whose table holds less than this share of the model's weights."""
    nodes = _weighted_nodes(fp32)
    total = sum(weights for _, _, weights in nodes)
    return [name for name, kind, weights in nodes if kind == "Gather" and weights < share * total]


def _weighted_nodes(fp32: Path) -> list[tuple[str, str, int]]:
    """Return (name, operator, number of weights) of the MatMul and Gather nodes that read an fp32 weight."""
    import onnx

    graph = onnx.load(str(fp32)).graph
    weights = {
        tensor.name: math.prod(tensor.dims)
        for tensor in graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and tensor.dims
    }
    return [
        (node.name, node.op_type, max(weights[name] for name in node.input if name in weights))
        for node in graph.node
        if node.op_type in ("MatMul", "Gather") and weights.keys() & set(node.input)
    ]
