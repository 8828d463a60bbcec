"""Reading a declaration (TOML, or a card's YAML front matter) strictly into its frozen dataclass."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from carabin.errors import CarabinError

T = TypeVar("T")


class DeclarationError(CarabinError):
    """A file under `models/` or `datasets_cards/` that cannot be believed as it stands."""


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, except that a key given twice is an error instead of the last one winning unseen."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value]
        twice = sorted({str(key) for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"key given twice: {', '.join(twice)}", node.start_mark)
        return super().construct_mapping(node, deep)


def read_toml(path: Path) -> dict[str, Any]:
    """Return the parsed TOML file.

    Raises:
        DeclarationError: the file cannot be read, is not UTF-8 or is not TOML; names the file and the line.
    """
    try:
        return tomllib.loads(_read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise DeclarationError(f"{path}: not TOML: {error}") from None
    except RecursionError:
        raise DeclarationError(f"{path}: not TOML that can be read: nested too deep") from None


def read_front_matter(path: Path) -> tuple[dict[str, Any], str]:
    """Return (YAML front matter, body) of a card.

    Raises:
        DeclarationError: there is no front matter between two `---` lines, or it is not a YAML mapping.
    """
    found = re.match(r"---[ \t]*\n(.*?\n)?---[ \t]*(?:\n|\Z)(.*)", _read_text(path), re.DOTALL)
    if found is None:
        raise DeclarationError(f"{path}: no YAML front matter; begin the card with a block between two '---' lines")
    try:
        matter = yaml.load(found[1] or "", Loader=_Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2026-13-45
        raise DeclarationError(f"{path}: front matter is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(matter, dict):
        raise DeclarationError(f"{path}: front matter is not a mapping")
    return matter, found[2]


def build(kind: type[T], values: dict[str, Any], path: Path) -> T:
    """Return kind(**values), checked field by field.

    Through JSON, which is where pydantic can be strict about numbers and text (no "5" for 5) and still take a list for
    a tuple and a written date for a date.

    Raises:
        DeclarationError: one line that names the file, each key at fault and why.
    """
    try:
        return TypeAdapter(kind).validate_json(json.dumps(values, default=str), strict=True)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'file'}: {fault['msg']}" for fault in error.errors()
        )
        raise DeclarationError(f"{path}: {' '.join(faults.split())}") from None


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise DeclarationError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise DeclarationError(f"{path}: not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise DeclarationError(f"{path}: cannot be read: {error.strerror}") from None
