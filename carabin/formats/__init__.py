"""Formats of documents and annotations: any in, any out.

Each file of this package holds one format, its reader, its writer or both; `registry.FORMATS` is the table of them.
"""

from carabin.formats.base import (
    BadDocument,
    InputError,
    InputWarning,
    Item,
    OutputError,
    Provenance,
    ReadOptions,
    WriteOptions,
)
from carabin.formats.reading import check_inputs, read_inputs

__all__ = [
    "BadDocument",
    "InputError",
    "InputWarning",
    "Item",
    "OutputError",
    "Provenance",
    "ReadOptions",
    "WriteOptions",
    "check_inputs",
    "read_inputs",
]
