"""The writer of an output, chosen by `--to` or by the output's suffix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from carabin.formats.base import STDIN, Format, OutputError, ReadOptions, WriteOptions, Writer
from carabin.formats.reading import find_sources
from carabin.formats.registry import FORMATS, WRITABLE
from carabin.outputs import is_device, is_stdout


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
    if out is not None and is_device(out):
        # Renaming the output to its place would put a file where /dev/null was.
        raise OutputError(f"{out}: is a device or a pipe; leave it out and redirect standard output there")
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


def check_places(
    names: Sequence[str], out: Path | None, errors_path: Path | None, writer: Writer, options: ReadOptions
) -> None:
    """Raise OutputError before anything is lost: the output would take the place of an input, or be read as one."""
    inputs = [Path(name).resolve() for name in names if name != STDIN]
    taken = set(inputs)
    if out is None and errors_path is not None and is_stdout(errors_path):
        raise OutputError(f"{errors_path}: the documents go there; write them to a file with -o, or the errors")
    for path, may_be_folder in ((out, writer.makes_folder), (errors_path, False)):
        if path is None or is_device(path):
            continue
        if path.resolve() in taken:
            raise OutputError(
                f"{path}: is read and written at once; write to another {'folder' if path.is_dir() else 'file'}"
            )
        if path.is_dir() and not may_be_folder:
            raise OutputError(f"{path}: is a folder; name a file in it")
        if path.is_file() and may_be_folder:
            raise OutputError(f"{path}: is a file, where a folder is to be written; name another")
        taken.add(path.resolve())
        path.parent.mkdir(parents=True, exist_ok=True)
    for folder in filter(Path.is_dir, inputs) if out else ():
        read = find_sources(folder, options)[0].suffixes
        written = {".jsonl", writer.suffix, out.suffix.lower()} if out else set()
        if out and folder in out.resolve().parents and (writer.makes_folder or written & set(read)):
            raise OutputError(f"{out}: lies in a folder that is read, and would be read with it; write elsewhere")


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
