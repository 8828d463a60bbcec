"""The secret from which every surrogate is drawn: the same key makes the same output, which does not tell the key."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from carabin.errors import CarabinError

KEY_BYTES = 32


class KeyFileError(CarabinError):
    """A key file that cannot be used; the message says why, never the key."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A key and the draws made with it."""

    key: bytes = field(repr=False)
    lasting: bool = True
    """Whether the key outlives the run; a run under a passing key cannot be resumed or repeated."""

    @classmethod
    def random(cls) -> Secret:
        """Return a fresh key that nothing keeps."""
        return cls(secrets.token_bytes(KEY_BYTES), lasting=False)

    @classmethod
    def read(cls, path: Path) -> Secret:
        """Return the key of a file that `write_key` made. Raises KeyFileError."""
        try:
            key = bytes.fromhex(path.read_text(encoding="ascii").strip())
        except OSError as error:
            raise KeyFileError(f"{path}: {error.strerror}; make a key with --new-key {path}") from None
        except ValueError:
            raise KeyFileError(f"{path}: is not a key file (hexadecimal digits); make one with --new-key") from None
        if len(key) < KEY_BYTES:
            raise KeyFileError(f"{path}: the key has {len(key)} bytes, under {KEY_BYTES}; make one with --new-key")
        return cls(key)

    def draw(self, below: int, *purpose: str) -> int:
        """Return a number from 0 to below - 1 that depends on the key and the words of the purpose alone."""
        return int.from_bytes(self._digest(*purpose), "big") % below

    def fingerprint(self) -> str:
        """Return what tells two keys apart without telling either."""
        return self._digest("fingerprint").hex()[:16] if self.lasting else "random"

    def subkey(self, purpose: str) -> bytes:
        """Return 32 bytes for another use, which do not give the key away."""
        return self._digest("subkey", purpose)

    def _digest(self, *purpose: str) -> bytes:
        # Lengths before the words: ("a", "bc") and ("ab", "c") must not meet.
        message = b"".join(len(word.encode()).to_bytes(8, "big") + word.encode() for word in purpose)
        return hmac.new(self.key, message, hashlib.sha256).digest()


def write_key(path: Path) -> None:
    """Write a fresh key where there is no file yet, readable by its owner alone.

    On Windows it is readable by whoever may read its folder.

    Raises:
        KeyFileError: there is a file, or none can be written there.
    """
    try:
        # Without O_BINARY Windows would write another line end than is asked for.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError:
        raise KeyFileError(f"{path}: exists already; a key is never written over") from None
    except OSError as error:
        raise KeyFileError(f"{path}: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="ascii", newline="\n") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")
