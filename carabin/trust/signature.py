"""`model.sig`: who vouches for a student, checked with a public key kept in the hospital and no network.

The signature is that of the OpenSSF's model-signing library (a sigstore bundle made with an elliptic-curve key), over
every file of the folder but itself. Whoever wants a second opinion checks it without Carabin:

    model_signing verify key DIR --signature DIR/model.sig --public_key publisher.pub
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
from collections.abc import Iterable
from pathlib import Path

from carabin.errors import ModelError
from carabin.trust.manifest import MANIFEST, SIGNATURE

NOT_SIGNED = (SIGNATURE, "run.json")
"""Beside git's own files, which model-signing leaves out by itself."""

_LARGEST = 4 << 20


def signed_files(folder: Path) -> dict[str, str]:
    """Return name -> sha256 as model.sig states them, checked by nobody. Raises ModelError: it states nothing."""
    path = folder / SIGNATURE
    try:
        if path.stat().st_size > _LARGEST:
            raise ModelError(f"{path}: larger than {_LARGEST:,} bytes; fetch the student again")
        bundle = json.loads(path.read_text(encoding="utf-8"))
        statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"], validate=True))
        resources = statement["predicate"]["resources"]
        return {entry["name"]: entry["digest"] for entry in resources if entry["algorithm"] == "sha256"}
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file: the student is not signed; ask its publisher for it") from None
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; make it readable") from None
    except ModelError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(
            f"{path}: not a signature of model-signing ({type(error).__name__}); fetch the student again"
        ) from None


def check_signature(folder: Path, files: Iterable[str], public_key: Path) -> None:
    """Check that the owner of a key vouches for a folder.

    Args:
        folder: Holds `model.sig`.
        files: Names that the signature must cover, beside the manifest.
        public_key: PEM file of an elliptic-curve public key (P-256, P-384 or P-521).

    Raises:
        ModelError: no signature, another key, other files, some file not covered, or model-signing is not installed.
    """
    stated = signed_files(folder)
    for name in sorted({*files, MANIFEST} - set(stated)):
        raise ModelError(f"{folder / SIGNATURE}: does not cover {name}; ask the publisher to sign the whole folder")
    hashing, config = _library(public_key)
    hashed = hashing.Config().set_ignored_paths(paths=NOT_SIGNED).set_allow_symlinks(False)
    try:
        # For a signature without a hint of its key the library prints a line where our output goes.
        with contextlib.redirect_stdout(io.StringIO()):
            config.set_hashing_config(hashed).verify(folder, folder / SIGNATURE)
    except Exception as error:  # ValueError, InvalidSignature, KeyError, …: whatever it is, nobody vouches
        raise ModelError(
            f"{folder / SIGNATURE}: not made by the owner of {public_key} over these files "
            f"({_cause(error)}); do not use this student, ask its publisher"
        ) from None


def _library(public_key: Path):  # type: ignore[no-untyped-def]  # noqa: ANN202 - two things of an optional library
    try:
        from model_signing import hashing, verifying
    except ModuleNotFoundError as error:
        raise ModelError(
            f"a signature cannot be checked without the package of '{error.name}'; pip install 'carabin[verify]'"
        ) from None
    try:
        return hashing, verifying.Config().use_elliptic_key_verifier(public_key=public_key)
    except OSError as error:
        raise ModelError(f"{public_key}: {error.strerror}; name the publisher's public key") from None
    except Exception:  # cryptography's errors for what is not PEM, not a public key, or not an elliptic curve
        raise ModelError(
            f"{public_key}: not a public key for model signatures; name a PEM file of P-256, P-384 or P-521"
        ) from None


def _cause(error: Exception) -> str:
    message = " ".join(str(error).split()) or type(error).__name__
    return "another key" if "Key mismatch" in message else message[:120].rstrip(". ")
