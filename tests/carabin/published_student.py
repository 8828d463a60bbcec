"""A tiny student as it is published: papers, manifest, signature; and the keys to sign it."""

import hashlib
import json
from pathlib import Path

from tests.carabin.tiny_model import write_student


def write_published(folder: Path) -> Path:
    """Write a student with all that a published repository holds, but for a signature, and return its folder."""
    write_student(folder)
    (folder / "README.md").write_text("---\nlicense: apache-2.0\nlanguage: fr\n---\n# essai\n\nUn élève.\n")
    (folder / "LICENSE").write_text("Apache License 2.0\n")
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    return seal(folder)


def seal(folder: Path) -> Path:
    """Write manifest.json over the files as they are: whoever can change the files can do that too."""
    listed = {
        path.relative_to(folder).as_posix(): {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "size": path.stat().st_size,
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("manifest.json", "model.sig")
    }
    (folder / "manifest.json").write_text(json.dumps({"files": listed}))
    return folder


def write_keys(folder: Path, name: str = "publisher", curve: str = "SECP256R1") -> tuple[Path, Path]:
    """Write a new private and public key, and return their paths."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(getattr(ec, curve)())
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


def sign(folder: Path, private: Path, ignored: tuple[str, ...] = ("model.sig",)) -> None:
    """Write model.sig with the library itself, as any publisher could."""
    from model_signing import hashing, signing

    hashed = hashing.Config().set_ignored_paths(paths=[*ignored, "model.sig"])
    signing.Config().set_hashing_config(hashed).use_elliptic_key_signer(private_key=private).sign(
        folder, folder / "model.sig"
    )
