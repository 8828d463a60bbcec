"""The writer of an output, chosen by `--to` or by the output's suffix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from carabin.formats.base import Format, OutputError, WriteOptions, Writer
from carabin.formats.registry import FORMATS, WRITABLE


def output_writer(out: Path | None, to: str | None, options: WriteOptions, one_document: bool = False) -> Writer:
    """Return the writer of an output.

    Args:
        out: The output; None for standard output, which carries JSONL.
        to: Name of the format; None goes by the suffix.
        options: How to write.
        one_document: The run is known to have a single document: it may be written as a file where many make a folder.

    Raises:
        OutputError: the format is unknown, ambiguous, or not possible there.
    """
    form = _form(out, to)
    if out is None and form.name != "jsonl":
        raise OutputError(f"standard output carries JSONL only; write {form.name} to a file with -o")
    assert form.writer is not None
    if form.one_document and out is not None and out.suffix.lower() in form.suffixes:
        if not one_document:
            raise OutputError(
                f"{out}: {form.name} is one file a document; name a folder for many: --to {form.name} "
                f"-o {out.with_suffix('')}"
            )
        return form.writer(replace(options, single_file=True))
    return form.writer(options)


def _form(out: Path | None, to: str | None) -> Format:
    if to is None and out is None:
        return WRITABLE["jsonl"]
    if to is not None:
        if to not in WRITABLE:
            raise OutputError(f"output form '{to}' is unknown; name one with --to: {', '.join(WRITABLE)}")
        return WRITABLE[to]
    assert out is not None
    suffix = out.suffix.lower()
    found = [form for form in FORMATS if form.writer and suffix in form.suffixes]
    if len(found) == 1:
        return found[0]
    if found:
        names = " or ".join(f"--to {form.name}" for form in found)
        raise OutputError(f"{out}: {suffix} is written in several forms; say {names}")
    what = f"output form '{suffix.removeprefix('.')}' is unknown" if suffix else "no suffix to tell the form by"
    raise OutputError(f"{out}: {what}; name one with --to: {', '.join(WRITABLE)}")
