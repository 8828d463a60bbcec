"""What an ONNX file may hold before onnxruntime is allowed to open it.

An ONNX file can name other files to read weights from (`external_data`, a way to read any file of the machine) and
operators of libraries to be loaded. A student needs neither, so both are refused, by walking the protobuf wire format
(https://protobuf.dev/programming-guides/encoding/): the `onnx` package is too much to ask of a hospital.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

KNOWN_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Operator domains built into onnxruntime."""

_DEPTH = 16
# Field numbers of onnx.proto3.
_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_SPARSE = 1, 5, 15
_FUNCTION_NODE, _FUNCTION_DOMAIN = 7, 10
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
    graphs, functions = [], []
    for number, value in _fields(model):
        if number == _MODEL_GRAPH and isinstance(value, memoryview):
            graphs.append(value)
        elif number == _MODEL_FUNCTIONS and isinstance(value, memoryview):
            functions.append(value)
    if not graphs:
        raise UnsafeModelError("no graph in it: not an ONNX model")
    domains = set(KNOWN_DOMAINS)
    for function in functions:
        domains.update(_text(value) for number, value in _fields(function) if number == _FUNCTION_DOMAIN)
    for function in functions:
        for number, value in _fields(function):
            if number == _FUNCTION_NODE:
                _check_node(_message(value), domains, _DEPTH)
    for graph in graphs:
        _check_graph(graph, domains, _DEPTH)


def _check_graph(graph: memoryview, domains: set[str], depth: int) -> None:
    if depth == 0:
        raise UnsafeModelError("graphs nested too deep")
    for number, value in _fields(graph):
        if number == _GRAPH_NODE:
            _check_node(_message(value), domains, depth)
        elif number == _GRAPH_INITIALIZER:
            _check_tensor(_message(value))
        elif number == _GRAPH_SPARSE:
            _check_sparse(_message(value))


def _check_node(node: memoryview, domains: set[str], depth: int) -> None:
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
                    _check_graph(_message(part), domains, depth - 1)
    if domain not in domains:
        raise UnsafeModelError(f"operator '{operator}' of the foreign domain '{domain}': custom operators are refused")


def _check_sparse(sparse: memoryview) -> None:
    for number, value in _fields(sparse):
        if number in _SPARSE_PARTS:
            _check_tensor(_message(value))


def _check_tensor(tensor: memoryview) -> None:
    name, external = "", False
    for number, value in _fields(tensor):
        if number == _TENSOR_NAME:
            name = _text(value)
        elif number == _TENSOR_EXTERNAL or (number == _TENSOR_LOCATION and value == 1):
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
