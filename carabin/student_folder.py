"""A student's folder: which files it holds, and what each must say before anything is run.

Every failure is a `ModelError` of one line: the file, the cause, the way out.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carabin.errors import ModelError
from carabin.tokens.tagging import labels_of
from carabin.trust.manifest import MANIFEST, UNLISTED, check_file, hash_file, read_manifest
from carabin.trust.student_store import StudentId, pulled_student
from carabin.trust.tokenizer_safety import check_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from carabin.tokens.reader import TextReader

LONGEST_WINDOW = 65_536
"""Tokens; transformers writes 1e30 as `model_max_length` when it knows none."""

SHIPPED = Path(__file__).parent / "students"
"""Students inside the installed package."""


def shipped_students() -> list[str]:
    """Return the names of the students inside the package, sorted."""
    return sorted(path.parent.name for path in SHIPPED.glob("*/config.json"))


def find_student(model: Path | str | None, writes: bool = False) -> Path:
    """Return a student's folder; nothing is ever fetched from a network.

    Args:
        model: In this order, a folder, the name of a shipped student, or `organisation/name[@revision]` of one that
            `carabin pull` has put into the store. None for the shipped default.
        writes: Of the shipped ones, the default is the first that writes, not the first that tags.

    Raises:
        ModelError: there is no such student; the message says which there are, or how to get it.
    """
    names = shipped_students()
    if model is None:
        default = next((name for name in names if is_writer(read_config(SHIPPED / name)) == writes), None)
        if default is None:
            raise ModelError(
                f"no student {'that writes ' if writes else ''}is shipped inside this installation; name a student's "
                "folder, --model DIR (it holds config.json, tokenizer.json and onnx/)"
            )
        return SHIPPED / default
    if Path(model).is_dir():
        return Path(model)
    if str(model) in names:
        return SHIPPED / str(model)
    if student := StudentId.parse(str(model)):
        return pulled_student(student)
    shipped = f"shipped students: {', '.join(names)}" if names else "no student is shipped inside this installation"
    raise ModelError(f"{model}: no such folder, and no shipped student of that name ({shipped})")


def read_object(path: Path) -> dict[str, Any]:
    """Return a JSON file that holds an object. Raises ModelError: missing, unreadable, or not JSON."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file; is '{path.parent}' a student's folder?") from None
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        cause = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        raise ModelError(f"{path}: not JSON ({cause}); fetch the student again") from None
    if not isinstance(record, dict):
        raise ModelError(f"{path}: not a JSON object; fetch the student again")
    return record


def read_config(folder: Path) -> dict[str, Any]:
    """Return a student's config.json. Raises ModelError: missing or not JSON."""
    return read_object(folder / "config.json")


def is_writer(config: dict[str, Any]) -> bool:
    """Return whether a student writes: an encoder-decoder, where the others tag words."""
    return config.get("is_encoder_decoder") is True


def config_tags(config: dict[str, Any], folder: Path) -> tuple[str, ...]:
    """Return the output tags in order, from `id2label`. Raises ModelError: missing, or not BIO."""
    path = folder / "config.json"
    if is_writer(config):
        raise ModelError(f"{path}: a student that writes, not one that tags; use 'carabin summarise' or 'exercise'")
    names = config.get("id2label")
    if not isinstance(names, dict) or not names:
        raise ModelError(f"{path}: no 'id2label': not a model that tags words")
    tags = tuple(tag for number in range(len(names)) if isinstance(tag := names.get(str(number)), str))
    if len(tags) < len(names):
        raise ModelError(f"{path}: 'id2label' does not name every output from 0 to {len(names) - 1}")
    try:
        labels = labels_of(tags)
    except ValueError as error:
        raise ModelError(f"{path}: {error}") from None
    if not labels or "" in labels or len(set(labels)) < len(labels):
        raise ModelError(f"{path}: 'id2label' holds no label, an empty one or the same twice")
    return tags


def load_reader(folder: Path) -> TextReader:
    """Return the reader of a student's folder: tokenizer.json, window from tokenizer_config.json's model_max_length.

    Raises:
        ModelError: a file is missing or damaged, or the window is missing, absurd, or longer than the model's.
    """
    from carabin.tokens.reader import TextReader

    tokenizer, window = load_tokenizer(folder)
    try:
        return TextReader(tokenizer, window)
    except ValueError as error:
        raise ModelError(f"{folder / 'tokenizer.json'}: {error}") from None


def load_tokenizer(folder: Path) -> tuple[Tokenizer, int]:
    """Return a student's tokenizer and how many tokens it reads at once. Raises ModelError as `load_reader` does."""
    from tokenizers import Tokenizer

    path = folder / "tokenizer.json"
    if not path.is_file():
        raise ModelError(f"{path}: no such file; a student's folder holds its tokenizer")
    window = _window(folder)
    try:
        return Tokenizer.from_file(str(path)), window
    except Exception as error:  # tokenizers raises bare Exception, with where the JSON went wrong
        raise ModelError(f"{path}: not a tokenizer ({str(error).splitlines()[0]}); fetch the student again") from None


def _window(folder: Path) -> int:
    path = folder / "tokenizer_config.json"
    length = read_object(path).get("model_max_length")
    if not isinstance(length, int | float) or isinstance(length, bool) or not 0 < length <= LONGEST_WINDOW:
        raise ModelError(f"{path}: 'model_max_length' is {length!r}; write the tokens the model reads at once, as 512")
    config = folder / "config.json"
    positions = read_object(config).get("max_position_embeddings") if config.is_file() else None
    if isinstance(positions, int) and length > positions:
        raise ModelError(f"{path}: 'model_max_length' is {length}, but config.json has {positions} positions")
    return int(length)


def student_name(config: dict[str, Any], folder: Path) -> str:
    """Return how a student is called in what it annotates; a path of the machine that trained it is no name."""
    name = config.get("_name_or_path")
    if isinstance(name, str) and re.fullmatch(r"[\w-][\w.-]*(/[\w-][\w.-]*)?", name):
        return name
    return folder.resolve().name


def check_student(folder: Path) -> None:
    """Check every JSON file of a student before any is read; its ONNX file is `check_listed` before it is opened.

    Where the folder has a manifest, what is read is hashed anew at each load: a few hundredths of a second, which a
    cache could only save by trusting dates that whoever changes a file can set. The files that are not read, and the
    signature, are left to `carabin verify`. With a manifest or without, the tokenizer must not ask for work without
    bound.

    Raises:
        ModelError: a file is not the one listed, or not listed at all, or the tokenizer is refused.
    """
    check_listed(folder, *sorted({path.name for path in folder.glob("*.json")} - UNLISTED))
    if (folder / "tokenizer.json").is_file():
        check_tokenizer(folder / "tokenizer.json")


def check_listed(folder: Path, *names: str) -> None:
    """Compare files that are there with what the manifest says, if there is one. Raises ModelError: not the same."""
    if not (folder / MANIFEST).exists():
        return
    listed = read_manifest(folder)
    for name in names:
        if name in listed and (folder / name).exists():
            check_file(folder, name, listed[name])
        elif (folder / name).exists():
            raise ModelError(f"{folder / name}: not listed in {MANIFEST}; delete it, or fetch the student again")


def file_digest(path: Path) -> str:
    """Return the first 12 hexadecimal digits of a file's SHA-256: a student's version."""
    return hash_file(path)[:12]
