"""Which kinds of file a student may hold, and what each must not contain.

What is not expected is refused: weights are safetensors or ONNX, everything else is text. Nothing here is run or
unpickled; the content is looked at because a name proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from carabin.errors import ModelError
from carabin.trust.manifest import read_strict_json
from carabin.trust.onnx_safety import UnsafeModelError, check_onnx
from carabin.trust.tokenizer_safety import LARGEST_FILE, check_tokenizer

TEXT_SUFFIXES = frozenset({".json", ".md", ".txt", ".yaml"})
TEXT_NAMES = frozenset({"LICENSE", "NOTICE", ".gitattributes", "model.sig"})
WEIGHT_SUFFIXES = frozenset({".onnx", ".safetensors"})

_REFUSED_SUFFIXES = {
    **dict.fromkeys(
        ".bin .pt .pth .pkl .pickle .ckpt .joblib .dill .npy .npz .h5 .keras .mar".split(),
        "a pickle or a format that can hold one, which runs code when it is loaded",
    ),
    **dict.fromkeys(
        ".py .pyc .pyd .pyz .ipynb .js .mjs .wasm .jar .sh .ps1 .bat .cmd .exe .com .msi .whl .pth.tar".split(),
        "a program; a student is data",
    ),
    **dict.fromkeys(".so .dll .dylib .ort".split(), "a library or a compiled model, which runs code"),
    **dict.fromkeys(".zip .tar .gz .tgz .bz2 .xz .zst .7z .rar".split(), "an archive; nothing is unpacked"),
    **dict.fromkeys(".onnx_data .data .weights .pb".split(), "weights outside their model; an ONNX file holds its own"),
}
_CODE_KEYS = frozenset({"auto_map", "trust_remote_code", "custom_pipelines", "_target_"})
"""Keys by which other libraries are told to import Python code from the folder, or from anywhere."""

_LARGEST_HEADER = 100 << 20
_DO_NOT = "do not use this student"


def refuse_kind(name: str) -> str | None:
    """Return why a file of this name has no place in a student's folder, None if it has."""
    path = PurePosixPath(name)
    suffix = path.suffix.lower()
    if path.name in TEXT_NAMES or suffix in TEXT_SUFFIXES | WEIGHT_SUFFIXES:
        return None
    return _REFUSED_SUFFIXES.get(suffix, "not a kind of file that a student holds")


def check_content(folder: Path, name: str) -> None:
    """Look into a file. Raises ModelError: its kind is refused, or it is not what its name says, or asks for code."""
    path = folder / name
    if cause := refuse_kind(name):
        raise ModelError(f"{path}: {cause}; {_DO_NOT}")
    try:
        _check_by_suffix(path)
    except UnsafeModelError as error:
        raise ModelError(f"{path}: {error}; {_DO_NOT}") from None
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; make it readable") from None


def _check_by_suffix(path: Path) -> None:
    suffix = path.suffix.lower()
    if suffix == ".onnx":
        check_onnx(path)
    elif suffix == ".safetensors":
        _check_safetensors(path)
    else:
        _check_text(path)
        if path.name == "tokenizer.json":
            check_tokenizer(path)
        elif suffix == ".json":
            _refuse_code_keys(path)


def _check_safetensors(path: Path) -> None:
    """Refuse what is not safetensors: 8 bytes for the length of a JSON header, the header, the numbers."""
    with path.open("rb") as file:
        start = file.read(9)
    length = int.from_bytes(start[:8], "little")
    if start[8:] != b"{" or length > min(_LARGEST_HEADER, path.stat().st_size - 8):
        raise UnsafeModelError("not safetensors, whatever its name says (a pickle?)")


def _check_text(path: Path) -> None:
    if path.stat().st_size > LARGEST_FILE:
        raise UnsafeModelError(f"larger than {LARGEST_FILE:,} bytes, too large for text")
    content = path.read_bytes()
    # A pickle, a zip, a library: each has bytes that UTF-8 text has not.
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        raise UnsafeModelError("not text, whatever its name says (a pickle?)") from None
    if b"\0" in content:
        raise UnsafeModelError("not text, whatever its name says (an archive or a program?)")


def _refuse_code_keys(path: Path) -> None:
    for key, value in _pairs(read_strict_json(path, LARGEST_FILE)):
        if key in _CODE_KEYS and value:
            raise UnsafeModelError(f"'{key}' asks for Python code to be imported")


def _pairs(node: object) -> Iterator[tuple[str, Any]]:
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield from node.items()
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
