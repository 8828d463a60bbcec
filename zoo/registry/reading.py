"""Reading a declaration (TOML, or a card's YAML front matter) strictly into its frozen dataclass."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")


class DeclarationError(ValueError):
    """A file under `models/` or `datasets_cards/` that cannot be believed as it stands."""


def read_toml(path: Path) -> dict[str, Any]:
    """Return the parsed TOML file.

    Raises:
        DeclarationError: the file is missing, is not UTF-8 or is not TOML; names the file and the line.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DeclarationError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise DeclarationError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise DeclarationError(f"{path}: not TOML: {error}") from None


def read_front_matter(path: Path) -> tuple[dict[str, Any], str]:
    """Return (YAML front matter, body) of a card.

    Raises:
        DeclarationError: there is no front matter between two `---` lines, or it is not a YAML mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DeclarationError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    parts = text.split("---\n", 2)
    if len(parts) != 3 or parts[0].strip():
        raise DeclarationError(f"{path}: no YAML front matter; begin the card with a block between two '---' lines")
    try:
        matter = yaml.safe_load(parts[1])
    except yaml.YAMLError as error:
        raise DeclarationError(f"{path}: front matter is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(matter, dict):
        raise DeclarationError(f"{path}: front matter is not a mapping")
    return matter, parts[2]


def build(kind: type[T], values: dict[str, Any], path: Path) -> T:
    """Return kind(**values), checked field by field.

    Raises:
        DeclarationError: one line that names the file, each key at fault and why.
    """
    try:
        return TypeAdapter(kind).validate_python(values)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'file'}: {fault['msg']}" for fault in error.errors()
        )
        raise DeclarationError(f"{path}: {faults}") from None
