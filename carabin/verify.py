"""Is this folder the student that was published? Looked at whole, before anything in it is loaded.

>>> from carabin.verify import verify
>>> verify("bert-small", public_key="hospital/publisher.pub")

1. Every file is a regular file inside the folder, of a kind that students hold, and listed in manifest.json.
2. Every size and sha256 is the manifest's.
3. The signature is the publisher's, where a public key is given.
4. No file asks for code, other files, or work without bound (`carabin.trust.file_kinds`).

Hashes find damage; only a signature finds a forger, who can write a manifest too. So a signature that nobody checked is
always reported as such.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from carabin.errors import ModelError
from carabin.trust.file_kinds import check_content, refuse_kind
from carabin.trust.manifest import MANIFEST, SIGNATURE, check_file, check_listing, list_folder, read_manifest
from carabin.trust.signature import check_signature

Signed = Literal["valid", "not checked", "absent"]


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found of a folder in which nothing is wrong."""

    folder: Path
    files: int
    """Listed files."""
    size: int
    """Of the listed files, in bytes."""
    signature: Signed
    """`valid`: made with the key given. `not checked`: there is one, and no key was given. `absent`: there is none."""


def verify(folder: Path | str, public_key: Path | str | None = None, require_signature: bool = False) -> Verification:
    """Check a student's folder.

    Args:
        folder: Holds manifest.json.
        public_key: PEM file of the publisher's public key; with it, a valid signature is required.
        require_signature: Refuse to go without a checked signature.

    Raises:
        ModelError: something is wrong; the message names the file, the cause and the way out.
    """
    folder = Path(folder)
    if require_signature and public_key is None:
        raise ModelError(f"{folder}: a signature is required, and no key given to check it; give --public-key FILE")
    names = list_folder(folder)
    refuse_kinds(folder, names)
    listed = read_manifest(folder)
    check_listing(folder, listed, names)
    for name, expected in listed.items():
        check_file(folder, name, expected)
    signature: Signed = "not checked" if SIGNATURE in names else "absent"
    if public_key is not None:
        check_signature(folder, listed, Path(public_key))
        signature = "valid"
    for name in names:
        check_content(folder, name)
    return Verification(folder, len(listed), sum(entry.size for entry in listed.values()), signature)


def refuse_kinds(folder: Path | str, names: Iterable[str]) -> None:
    """Raise ModelError for the first name whose kind has no place in a student's folder."""
    for name in names:
        if cause := refuse_kind(name):
            raise ModelError(f"{Path(folder) / name}: {cause}; do not use this student")


def describe(found: Verification) -> list[str]:
    """Return the lines that say what was checked, and what was not."""
    megabytes = found.size / 1e6
    lines = [f"{found.folder}: {found.files} files, {megabytes:,.1f} MB, every sha256 as in {MANIFEST}"]
    return lines + [
        {
            "valid": "signature valid: made over these files by the owner of the key",
            "not checked": "hashes match; signature present but not checked: give --public-key FILE",
            "absent": "hashes match; NOT SIGNED: whoever can change the files can change the hashes too",
        }[found.signature]
    ]
