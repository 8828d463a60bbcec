"""The files of a folder that are left out, since a folder is read in one form: said, so that no note is lost unseen.

They are not read with the others: the outputs of earlier runs may lie among them, or the same notes in another form.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from pathlib import Path

from carabin.formats.base import Format, InputWarning, printable
from carabin.formats.file_names import ID_SUFFIX
from carabin.formats.registry import READABLE, file_suffix

_SHOWN = 3
_HOUSEKEEPING = {"brat": {".conf", ID_SUFFIX}, "cas": {ID_SUFFIX}, "xmi": {".xml", ID_SUFFIX}}
"""Suffixes, by form, of what lies beside its documents and is none: settings, type systems, ids."""


def warn_of_unread(folder: Path, form: Format, read: Iterable[Path], there: Iterable[Path]) -> None:
    """Warn of the files that are there and not read, if there are any, and say how to read them."""
    known = set(read)
    if form.name == "brat":
        known |= {path.with_suffix(suffix) for path in known for suffix in (".txt", ".ann")}
    others = sorted(path for path in there if path not in known and not _is_housekeeping(path, form))
    if not others:
        return
    shown = ", ".join(printable(path.relative_to(folder).as_posix()) for path in others[:_SHOWN])
    more = f" and {len(others) - _SHOWN:,} more" if len(others) > _SHOWN else ""
    forms = dict.fromkeys(name for path in others for name in _forms_of(path) if name != form.name)
    way = f"name them as inputs too, or the form with --from: {', '.join(forms)}" if forms else "convert what is a note"
    warnings.warn(InputWarning(f"{folder}: read as {form.name}, not read: {shown}{more}; {way}"), stacklevel=1)


def _forms_of(path: Path) -> list[str]:
    return [form.name for form in READABLE.values() if file_suffix(path) in form.suffixes]


def _is_housekeeping(path: Path, form: Format) -> bool:
    """Return whether a file is surely no note: of a form's own, or hidden as systems and Spark hide theirs."""
    hidden = path.name.startswith((".", "_")) and not _forms_of(path)
    return hidden or path.suffix in _HOUSEKEEPING.get(form.name, ())
