"""The mapping from surrogates back to originals: only ever on disk encrypted, one sealed piece a part of the run.

Each piece is a line of JSON that says how to open it, then its AES-256-GCM ciphertext (NIST SP 800-38D), bound to that
line. The key comes from the surrogates' key file, or from a passphrase by scrypt (RFC 7914). A last piece counts the
others, so that a file cut short is seen to be.
"""

from __future__ import annotations

import hashlib
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from carabin.errors import CarabinError
from carabin.pseudonyms.keys import Secret

_FORMAT = "carabin-mapping-1"
_SCRYPT = {"n": 2**17, "r": 8, "p": 1}
"""128 MB and a third of a second for each guess of a passphrase."""
SHORTEST_PASSPHRASE = 12


class MappingError(CarabinError):
    """A mapping that cannot be written or opened; the message never quotes what is in it."""


@dataclass(frozen=True, slots=True)
class Lock:
    """What closes and opens a mapping: a key or a passphrase."""

    secret: Secret | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.passphrase is None and (self.secret is None or not self.secret.lasting):
            raise MappingError("a mapping needs --key FILE or --passphrase: nobody could open it otherwise")
        if self.passphrase is not None and len(self.passphrase) < SHORTEST_PASSPHRASE:
            raise MappingError(f"the passphrase has under {SHORTEST_PASSPHRASE} characters; take several words")

    def new_header(self) -> dict[str, Any]:
        """Return what a piece says of its key."""
        if self.passphrase is None:
            return {"format": _FORMAT, "key": "file"}
        return {"format": _FORMAT, "key": "scrypt", "salt": b64encode(os.urandom(16)).decode(), **_SCRYPT}

    def key_of(self, header: dict[str, Any]) -> bytes:
        """Return the 32 bytes that a piece was sealed with. Raises MappingError: it wants the other kind of key."""
        if header["key"] == "file":
            if self.secret is None:
                raise MappingError("the mapping was sealed with a key file; give it with --key")
            return self.secret.subkey("mapping")
        if self.passphrase is None:
            raise MappingError("the mapping was sealed with a passphrase; say --passphrase")
        if any(header.get(name) != value for name, value in _SCRYPT.items()):
            raise MappingError("the mapping asks for other scrypt costs than this version uses; it was not made here")
        return _stretched(self.passphrase, header["salt"])


@lru_cache(maxsize=8)
def _stretched(passphrase: str, salt: str) -> bytes:
    return hashlib.scrypt(passphrase.encode(), salt=b64decode(salt), dklen=32, maxmem=2**28, **_SCRYPT)  # type: ignore[arg-type]


class MappingWriter:
    """Seals the records of a run's parts, and joins them."""

    def __init__(self, lock: Lock) -> None:
        """Take the key. Raises MappingError: the package that encrypts is not installed."""
        self.lock = lock
        _cipher(bytes(32))
        self._header = lock.new_header()

    def seal(self, records: Iterable[dict[str, Any]]) -> bytes:
        """Return a sealed piece."""
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        return self._sealed(lines.encode(), "records")

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Write one file of all pieces, once each is known to open. Raises MappingError: one does not."""
        with path.open("wb") as out:
            for part in parts:
                try:
                    piece = part.read_bytes()
                    list(_opened(piece, self.lock))
                except (OSError, MappingError):
                    raise MappingError(
                        f"{part}: the mapping of a finished part is missing or damaged; run again without --resume"
                    ) from None
                out.write(piece)
            out.write(self._sealed(json.dumps({"pieces": len(parts)}).encode(), "end"))
            out.flush()
            os.fsync(out.fileno())

    def _sealed(self, content: bytes, kind: str) -> bytes:
        nonce = os.urandom(12)
        header = {**self._header, "kind": kind, "nonce": b64encode(nonce).decode(), "bytes": len(content) + 16}
        line = json.dumps(header).encode() + b"\n"
        return line + _cipher(self.lock.key_of(header)).encrypt(nonce, content, line)


def read_mapping(path: Path, lock: Lock) -> Iterator[dict[str, Any]]:
    """Yield the records of a mapping.

    Raises:
        MappingError: not a mapping, not this key, or not whole.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MappingError(f"{path}: {error.strerror}") from None
    pieces, counted = 0, None
    for kind, content in _opened(data, lock, str(path)):
        if counted is not None:
            raise MappingError(f"{path}: goes on after its end; it was not made in one run")
        if kind == "end":
            counted = json.loads(content)["pieces"]
            continue
        pieces += 1
        yield from (json.loads(line) for line in content.splitlines())
    if counted != pieces:
        raise MappingError(f"{path}: is cut short; fetch it again")


def _opened(data: bytes, lock: Lock, name: str = "mapping") -> Iterator[tuple[str, bytes]]:
    from cryptography.exceptions import InvalidTag

    at = 0
    while at < len(data):
        line = data[at : data.find(b"\n", at) + 1]
        try:
            header = json.loads(line)
            nonce, size, kind = b64decode(header["nonce"]), int(header["bytes"]), str(header["kind"])
            known = header["format"] == _FORMAT and header["key"] in ("file", "scrypt")
        except (ValueError, KeyError, TypeError):
            known = False
        if not known:
            raise MappingError(f"{name}: not a mapping of this version")
        body = data[at + len(line) : at + len(line) + size]
        try:
            yield kind, _cipher(lock.key_of(header)).decrypt(nonce, body, line)
        except InvalidTag:
            raise MappingError(f"{name}: does not open: another key, or a damaged file") from None
        at += len(line) + size


def _cipher(key: bytes) -> Any:  # noqa: ANN401 - an optional package's type
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ModuleNotFoundError:
        raise MappingError("a mapping is encrypted by another package: pip install 'carabin[pseudonyms]'") from None
    return AESGCM(key)
