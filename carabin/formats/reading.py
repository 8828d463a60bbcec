"""Inputs of any format, read as one stream of documents."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from carabin.documents import COMPRESSION_ERRORS
from carabin.formats.base import STDIN, BadDocument, Format, InputError, Item, ReadOptions, Source
from carabin.formats.file_names import ID_SUFFIX, id_beside, told_id
from carabin.formats.json_lines import read_stdin
from carabin.formats.registry import COMPRESSED, FORMATS, READABLE, file_suffix
from carabin.formats.unread import warn_of_unread

Name = str | Path
ERRORS_BESIDE = ".errors.jsonl"
BESIDE_OUTPUTS = (".run.json", ERRORS_BESIDE)
"""What a run leaves beside its output (`carabin.jobs.journal`), and a later one must not take for notes."""


def check_inputs(names: Sequence[Name], options: ReadOptions, entities: bool = False) -> None:
    """Raise InputError before anything is run: an input is missing, of unknown kind, or lacks what is asked of it.

    Warns of files of a folder that are not read, and of tables without ids.
    """
    if [str(name) for name in names].count(STDIN) > 1:
        raise InputError("standard input (-) can be read only once")
    for name in names:
        if str(name) == STDIN:
            continue
        form, sources = find_sources(name, options)
        if entities and not form.gold:
            forms = ", ".join(form.name for form in READABLE.values() if form.gold)
            raise InputError(f"{name}: {form.name} carries no annotations; give one of {forms}")
        assert form.reader is not None
        form.reader.check(sources[0], options, entities)
        if Path(name).is_dir():
            warn_of_unread(Path(name), form, (source.path for source in sources), walk_folder(Path(name)))


def read_inputs(names: Sequence[Name], options: ReadOptions, entities: bool = False) -> Iterator[Item]:
    """Yield every document of every input, in order; folders in the order of their paths.

    Args:
        names: Files, folders, or `-`.
        options: How to read them.
        entities: Give the annotations that the inputs carry. Nested and crossing ones stay as they are, discontinuous
            ones come as their hull; a document with one that is wrong is a BadDocument. Otherwise documents come bare,
            and what they carry is not looked at.
    """
    for name in names:
        if str(name) == STDIN:
            yield from read_stdin(sys.stdin.buffer, options, entities)
            continue
        form, sources = find_sources(name, options)
        assert form.reader is not None
        for source in sources:
            try:
                yield from form.reader.read(source, options, entities)
            except InputError as error:
                # The first file was checked, this one of the same folder is another.
                yield BadDocument(str(source.path), str(error).removeprefix(f"{source.path}: "))
            except COMPRESSION_ERRORS as error:
                cause = f"compressed file is damaged ({type(error).__name__}); what follows is lost"
                yield BadDocument(str(source.path), cause)
            except OSError as error:
                yield BadDocument(
                    str(source.path), f"{error.strerror or type(error).__name__}; what follows is not read"
                )


def find_sources(name: Name, options: ReadOptions) -> tuple[Format, list[Source]]:
    """Return the format of an input and the files to read. Raises InputError: missing, or of no known format."""
    path = Path(name)
    forced = _named(options.form)
    if path.is_dir():
        return _folder(path, forced)
    if not path.is_file():
        if path.exists():
            raise InputError(
                f"{path}: is a pipe or device, which is read only once; give it as standard input: - < {path}"
            )
        raise InputError(f"{path}: no such file or folder")
    form = forced or _format_of(path)
    if form is None:
        known = ", ".join(sorted({suffix for form in READABLE.values() for suffix in form.suffixes}))
        kind = f"'{file_suffix(path)}' files are" if file_suffix(path) else "a file without a suffix is"
        raise InputError(
            f"{path}: {kind} not read, but {known} (text forms also .gz, .xz), folders of them, and - (stdin); say "
            "--from if it is one of these under another name"
        )
    return form, [Source(path, _identifier(form, path, path.name, {path.with_suffix(ID_SUFFIX)}), path.parent, path)]


def holds_one_document(names: Sequence[Name], options: ReadOptions) -> bool:
    """Return whether the inputs are one file of a format that holds a single document."""
    if len(names) != 1 or str(names[0]) == STDIN or Path(names[0]).is_dir():
        return False
    return find_sources(names[0], options)[0].one_document


def _named(name: str | None) -> Format | None:
    if name is None:
        return None
    if name not in READABLE:
        raise InputError(f"input form '{name}' is unknown; name one with --from: {', '.join(READABLE)}")
    return READABLE[name]


def _format_of(path: Path) -> Format | None:
    suffix = file_suffix(path)
    if suffix == ".parquet" and path.suffix.lower() in COMPRESSED:
        return None
    candidates = [form for form in FORMATS if form.reader and suffix in form.suffixes]
    return next((form for form in candidates if form.claims is None or form.claims(path)), None)


def _identifier(form: Format, path: Path, name: str, there: Collection[Path]) -> str:
    """Return the id of the document in a file, among those that are there: what we wrote has the id it was given."""
    if not (form.one_document and form.writer):
        return _stem(name)
    beside = path.with_suffix(ID_SUFFIX) in there
    return id_beside(path, _stem(name)) if beside else told_id(_stem(name))


def _folder(folder: Path, forced: Format | None) -> tuple[Format, list[Source]]:
    suffixes = {suffix for form in READABLE.values() for suffix in form.suffixes}
    there = sorted(walk_folder(folder))
    ids = {path for path in there if path.suffix == ID_SUFFIX}
    files = [path for path in there if file_suffix(path) in suffixes]
    if not files:
        raise InputError(f"{folder}: no file in this folder that can be read ({', '.join(sorted(suffixes))})")
    form = forced or _format_of_folder(folder, files)
    if form.name == "brat":
        texts = {path.with_suffix("") for path in files if path.suffix == ".txt"}
        files = [path for path in files if path.suffix in (".txt", ".ann")]
        files = [path for path in files if path.suffix == ".txt" or path.with_suffix("") not in texts]
    else:
        files = [path for path in files if file_suffix(path) in form.suffixes]
    if not files:
        raise InputError(f"{folder}: no {' or '.join(form.suffixes)} file in this folder")
    names = ((path, path.relative_to(folder).as_posix()) for path in files)
    return form, [Source(path, _identifier(form, path, name, ids), folder, folder) for path, name in names]


def walk_folder(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of those below it, links to folders followed, each folder once.

    Raises:
        InputError: a folder cannot be listed; its notes would be lost without a word.
    """

    def refuse(error: OSError) -> None:
        raise InputError(f"{error.filename}: {error.strerror}; let it be read, or give the other folders") from None

    met = set()
    # os.walk tells files from folders without asking the disk about each: there may be a million.
    for base, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        if (real := os.path.realpath(base)) in met:
            folders.clear()
            continue
        met.add(real)
        yield from (Path(base, name) for name in names if not name.endswith(BESIDE_OUTPUTS))


def _format_of_folder(folder: Path, files: Sequence[Path]) -> Format:
    """Return the format of a folder: BRAT if there is a `.ann`, text if there is a `.txt`, else the only one."""
    found = {file_suffix(path) for path in files}
    for form, mark in (("brat", ".ann"), ("text", ".txt")):
        if mark in found:
            return READABLE[form]
    # Files of one format are alike: the first of each suffix tells.
    first = {file_suffix(path): path for path in reversed(files)}
    forms = {form.name: form for form in map(_format_of, first.values()) if form}
    if len(forms) != 1:
        raise InputError(f"{folder}: holds files of several forms ({', '.join(forms)}); name one with --from")
    return next(iter(forms.values()))


def _stem(name: str) -> str:
    return re.sub(r"\.[^./]+$", "", re.sub(r"\.(gz|xz)$", "", name, flags=re.IGNORECASE))
