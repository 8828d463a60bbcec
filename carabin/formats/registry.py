"""The table of formats. A new one is a file that defines `FORMAT`, and its line here."""

from __future__ import annotations

from pathlib import Path

from carabin.formats import (
    brat,
    cas,
    delimited,
    html_page,
    json_lines,
    label_studio,
    omop,
    parquet_table,
    plain_text,
)
from carabin.formats.base import Format

# Of two that share a suffix, the first reads and writes it unless told otherwise.
FORMATS: tuple[Format, ...] = (
    plain_text.FORMAT,
    json_lines.FORMAT,
    delimited.FORMAT,
    parquet_table.FORMAT,
    parquet_table.DOCUMENTS,
    omop.FORMAT,
    brat.FORMAT,
    label_studio.FORMAT,
    cas.FORMAT,
    cas.XMI,
    html_page.FORMAT,
)
BY_NAME = {form.name: form for form in FORMATS}
READABLE = {form.name: form for form in FORMATS if form.reader}
WRITABLE = {form.name: form for form in FORMATS if form.writer}
COMPRESSED = (".gz", ".xz")


def file_suffix(path: Path) -> str:
    """Return what names a file's format, whether compressed or not: `.jsonl` of `notes.jsonl.gz`."""
    suffix = path.with_suffix("").suffix if path.suffix.lower() in COMPRESSED else path.suffix
    return suffix.lower()
