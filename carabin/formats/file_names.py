"""Ids as names of files, and back.

`%` and two digits spell what a file system refuses: `CHU:7` is `CHU%3A7`. A name that we would not have written for any
id is its own: `dossier%20A`.
"""

from __future__ import annotations

import re
from pathlib import Path

ID_SUFFIX = ".id"
"""Of the file that holds an id which the name beside it does not tell: too long, or met twice."""

# What Windows refuses in a name, and `%` that spells it; a name that is nothing but dots is a way up.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"\\|?*%]|^\.+$|^[. ]|[. ]$')
_DEVICE = r"(con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])"
_DEVICES = re.compile(_DEVICE + r"(?= *(?:\.|$))", re.IGNORECASE)
_SPELLED = re.compile(r"%([0-9A-F]{2})")
_SPELLED_DEVICE = re.compile(_DEVICE + r"%(?= *(?:\.|$))", re.IGNORECASE)
_LONGEST = 150
"""Bytes of a name: file systems stop at 255, and a suffix and `~2` come after it."""
_LONGEST_PATH = 400
"""Code points of an id with folders in it: systems stop at 4,096 bytes with the folder's own path."""


def safe_name(identifier: str) -> str:
    """Return a relative path that any file system takes, the same for the same id; `/` in an id makes folders."""
    steps = [step for step in identifier.split("/") if step]
    if len(identifier) > _LONGEST_PATH:
        steps = [identifier.replace("/", "%")]
    return "/".join(_safe_step(step, number == len(steps)) for number, step in enumerate(steps, 1)) or "%"


def _safe_step(step: str, last: bool) -> str:
    name = _UNSAFE.sub(lambda match: "".join(f"%{ord(character):02X}" for character in match.group()), step)
    name = _DEVICES.sub(lambda match: f"{match.group()}%", name, count=1) if _DEVICES.match(name) else name
    if not last:
        # A folder `a.txt` would stand where the text of document `a` goes.
        name = re.sub(r"\.(?=[^.]*$)", "%2E", name)
    if len(name.encode(errors="surrogateescape")) > _LONGEST:
        import hashlib

        short = name.encode(errors="surrogateescape")[: _LONGEST - 20].decode(errors="ignore")
        name = f"{short}%{hashlib.sha256(step.encode(errors='surrogateescape')).hexdigest()[:16]}"
    return name


def told_id(name: str) -> str:
    """Return the id that `safe_name` writes as this name; the name itself where there is none, or where it is cut."""
    steps = (_SPELLED_DEVICE.sub(r"\1", step, count=1) if _SPELLED_DEVICE.match(step) else step
             for step in name.split("/"))  # fmt: skip
    identifier = _SPELLED.sub(lambda match: chr(int(match[1], 16)), "/".join(steps))
    return identifier if safe_name(identifier) == name else name


def id_beside(path: Path, name: str) -> str:
    """Return the id that the `.id` file beside a document's file holds, else the one that its name tells.

    Args:
        path: The file.
        name: Its path in the folder that was named, without the suffix.
    """
    try:
        identifier = path.with_suffix(ID_SUFFIX).read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return told_id(name)
    written = safe_name(identifier).rpartition("/")[2]
    # Someone else's `.id` file may hold anything.
    ours = re.fullmatch(re.escape(written) + r"(~\d+)?", name.rpartition("/")[2])
    return identifier if ours else told_id(name)
