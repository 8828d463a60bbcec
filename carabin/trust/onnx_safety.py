"""What an ONNX file may hold before onnxruntime is allowed to open it.

An ONNX file can name other files to read weights from (`external_data`, a way to read any file of the machine, or the
process's own memory), operators of libraries to be loaded, loops that never end. A student needs none of them, so all
are refused, by walking the protobuf wire format (https://protobuf.dev/programming-guides/encoding/): the `onnx` package
is too much to ask of a hospital. The walk must see whatever onnxruntime's own parser sees, so bytes that the two could
read differently are refused too.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Operator domains built into onnxruntime."""

REFUSED_OPERATORS = {
    "EPContext": "reads a compiled model from another file",
    "PythonOp": "calls Python",
    "PythonOpGrad": "calls Python",
    "ATen": "calls torch",
    "Loop": "may never end",
}
"""Operators that onnxruntime knows in some of its builds, and no student needs."""

_DEPTH = 16
# Field numbers of onnx.proto3.
_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_MODEL_REFUSED = {20: "training instructions", 25: "functions of its own"}
_METADATA_KEY = 1
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_NODE_TYPE, _NODE_ATTRIBUTE, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_SPARSE_PARTS = (1, 2)
_TENSOR_NAME, _TENSOR_EXTERNAL, _TENSOR_LOCATION = 8, 13, 14


class UnsafeModelError(ValueError):
    """An ONNX file that is damaged, or reaches outside itself; the message says how."""


def check_onnx(path: Path) -> None:
    """Raise UnsafeModelError if the file is not a whole ONNX model, or needs other files or foreign operators."""
    if path.stat().st_size == 0:
        raise UnsafeModelError("empty file")
    with path.open("rb") as file:
        # Not closed by hand: the views that a failure's frames still hold would make that an error of its own.
        _check_model(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))


def _check_model(model: memoryview) -> None:
    graphs = []
    for number, value in _fields(model):
        if number == _MODEL_GRAPH:
            graphs.append(_message(value))
        elif number in _MODEL_REFUSED:
            raise UnsafeModelError(f"holds {_MODEL_REFUSED[number]}, which no student needs: refused")
        elif number == _MODEL_METADATA:
            _check_metadata(_message(value))
    if not graphs:
        raise UnsafeModelError("no graph in it: not an ONNX model")
    for graph in graphs:
        _check_graph(graph, _DEPTH)


def _check_metadata(entry: memoryview) -> None:
    # onnxruntime takes session options from here where ORT_LOAD_CONFIG_FROM_MODEL is set.
    for number, value in _fields(entry):
        if number == _METADATA_KEY and _text(value) == "ort_config":
            raise UnsafeModelError("sets options of onnxruntime (ort_config): refused")


def _check_graph(graph: memoryview, depth: int) -> None:
    if depth == 0:
        raise UnsafeModelError("graphs nested too deep")
    for number, value in _fields(graph):
        if number == _GRAPH_NODE:
            _check_node(_message(value), depth)
        elif number == _GRAPH_INITIALIZER:
            _check_tensor(_message(value))
        elif number == _GRAPH_SPARSE:
            _check_sparse(_message(value))


def _check_node(node: memoryview, depth: int) -> None:
    operator, domain = "", ""
    for number, value in _fields(node):
        if number == _NODE_TYPE:
            operator = _text(value)
        elif number == _NODE_DOMAIN:
            domain = _text(value)
        elif number == _NODE_ATTRIBUTE:
            for kind, part in _fields(_message(value)):
                if kind in _ATTRIBUTE_TENSORS:
                    _check_tensor(_message(part))
                elif kind in _ATTRIBUTE_SPARSE:
                    _check_sparse(_message(part))
                elif kind in _ATTRIBUTE_GRAPHS:
                    _check_graph(_message(part), depth - 1)
    if domain not in KNOWN_DOMAINS:
        raise UnsafeModelError(f"operator '{operator}' of the foreign domain '{domain}': custom operators are refused")
    if operator in REFUSED_OPERATORS:
        raise UnsafeModelError(f"operator '{operator}' {REFUSED_OPERATORS[operator]}: refused")


def _check_sparse(sparse: memoryview) -> None:
    for number, value in _fields(sparse):
        if number in _SPARSE_PARTS:
            _check_tensor(_message(value))


def _check_tensor(tensor: memoryview) -> None:
    name, external = "", False
    for number, value in _fields(tensor):
        if number == _TENSOR_NAME:
            name = _text(value)
        elif number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value != 0):
            external = True
    if external:
        raise UnsafeModelError(f"tensor '{name}' lies in another file: external data is refused; export it as one file")


def _message(value: int | memoryview) -> memoryview:
    if not isinstance(value, memoryview):
        raise UnsafeModelError("damaged: a number where a message should be")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_message(value)).decode("utf-8", errors="replace")


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield (field number, value) of one protobuf message; values of fixed width are skipped."""
    position, end = 0, len(data)
    while position < end:
        key, position = _varint(data, position)
        number, wire = key >> 3, key & 7
        # Other parsers keep 32 bits of a key: beyond them, the same bytes would name another field to onnxruntime.
        if number == 0 or key >> 32:
            raise UnsafeModelError("damaged: not protobuf")
        if wire == 0:
            value, position = _varint(data, position)
            yield number, value
        elif wire == 2:
            length, position = _varint(data, position)
            if position + length > end:
                raise UnsafeModelError(f"cut short: {position + length - end} bytes are missing")
            yield number, data[position : position + length]
            position += length
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
        else:
            raise UnsafeModelError("damaged: not protobuf")
    if position != end:
        raise UnsafeModelError("cut short")


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if position >= len(data):
            raise UnsafeModelError("cut short")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise UnsafeModelError("damaged: not protobuf")
