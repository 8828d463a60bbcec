"""Sign a finished repository, so that a hospital can tell who made it with a public key and no network.

    python -m export.sign new-key --out publisher
    python -m export.sign sign --repository runs/bert-small/local/seed-1/repository --key publisher.pem

`new-key`, once: writes publisher.pem, which stays secret (P-256, encrypted with a password), and publisher.pub, which
everyone may have. Hand the public key to hospitals by another way than the model's: on paper, by a colleague, over the
telephone its fingerprint, which both commands print. A key of openssl does as well:

    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -out publisher.pem
    openssl pkey -in publisher.pem -pubout -out publisher.pub

`sign`, after the last change of the folder:
1. Check that the folder is fit to publish (`export.push_checks`).
2. Write model.sig over every file but itself, the manifest included, by the OpenSSF's model-signing library.
3. Check it as a hospital will (`carabin verify --public-key`); a signature that does not pass is not kept.

The password comes from CARABIN_SIGNING_PASSWORD, or is asked for.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from carabin.errors import CarabinError
from carabin.trust.manifest import SIGNATURE
from carabin.trust.signature import NOT_SIGNED, check_signature
from export.push_checks import read_publishable
from export.push_files import list_files
from zoo.errors import one_line_errors

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

PASSWORD_VARIABLE = "CARABIN_SIGNING_PASSWORD"  # noqa: S105 - the name of a variable
CURVES = ("secp256r1", "secp384r1", "secp521r1")

app = typer.Typer(add_completion=False)


class SigningError(CarabinError):
    """A key or a folder that cannot be signed with; the message names it, the cause and the way out."""


def write_new_key(out: Path, password: str) -> tuple[Path, Path]:
    """Write a new key pair, `<out>.pem` and `<out>.pub`.

    Args:
        out: Path without a suffix.
        password: Encrypts the private key.

    Raises:
        SigningError: the password is empty, or one of the files exists: a lost key cannot be made again.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    private_path, public_path = out.with_name(f"{out.name}.pem"), out.with_name(f"{out.name}.pub")
    if not password:
        raise SigningError(f"{private_path}: a private key needs a password; give one, or set {PASSWORD_VARIABLE}")
    for path in (private_path, public_path):
        if path.exists():
            raise SigningError(f"{path}: exists; a key is never written over, choose another --out")
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(password.encode()),
    )
    # Nobody else may read it, not even between its creation and a chmod.
    with os.fdopen(os.open(private_path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(private)
    public_path.write_bytes(_public_pem(key.public_key()))
    return private_path, public_path


def sign_repository(folder: Path, key: Path, password: str | None = None) -> str:
    """Write model.sig into a finished repository, and return the fingerprint of the key.

    Args:
        folder: A publishable repository; an older signature of it is replaced.
        key: PEM file of an elliptic-curve private key (P-256, P-384 or P-521).
        password: Of the key, if it is encrypted.

    Raises:
        PublishError: the folder is not fit to publish.
        SigningError: the key cannot be used.
    """
    read_public_half(key, password)  # a key that cannot be used costs no signature that is there
    # The old one may be stale, which is why the folder is signed again.
    (folder / SIGNATURE).unlink(missing_ok=True)
    read_publishable(folder)
    return sign_files(folder, key, password)


def sign_files(folder: Path, key: Path, password: str | None = None) -> str:
    """Sign the files of any folder that has a manifest; arguments and errors as `sign_repository`."""
    from model_signing import hashing, signing

    public = read_public_half(key, password)
    signature = folder / SIGNATURE
    written, public_path = folder.with_name(f".{folder.name}.sig"), folder.with_name(f".{folder.name}.pub")
    try:
        public_path.write_bytes(_public_pem(public))
        signer = signing.Config().use_elliptic_key_signer(
            private_key=key,
            # The library says `str`, and hands it to a function that takes bytes.
            password=password.encode() if password else None,  # type: ignore[arg-type]
        )
        signer.set_hashing_config(hashing.Config().set_ignored_paths(paths=NOT_SIGNED)).sign(folder, written)
        written.replace(signature)
        check_signature(folder, [name for name in list_files(folder) if name != SIGNATURE], public_path)
    except BaseException:
        signature.unlink(missing_ok=True)
        raise
    finally:
        written.unlink(missing_ok=True)
        public_path.unlink(missing_ok=True)
    return fingerprint(_public_pem(public))


def read_public_half(key: Path, password: str | None) -> EllipticCurvePublicKey:
    """Return the public half of a private key. Raises SigningError: missing, no such key, or another password."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        private = serialization.load_pem_private_key(key.read_bytes(), password.encode() if password else None)
    except OSError as error:
        raise SigningError(f"{key}: {error.strerror}; make one with `python -m export.sign new-key`") from None
    except (ValueError, TypeError):
        # cryptography raises the one for a wrong password, the other for one too many or too few.
        raise SigningError(
            f"{key}: not a private key in PEM, or its password is another; set {PASSWORD_VARIABLE}"
        ) from None
    if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name not in CURVES:
        raise SigningError(f"{key}: not a key of P-256, P-384 or P-521; make one with `python -m export.sign new-key`")
    return private.public_key()


def is_encrypted(key: Path) -> bool:
    """Tell whether a private key needs a password; a file that cannot be read is reported by whoever uses it."""
    return key.is_file() and b"ENCRYPTED" in key.read_bytes()


def fingerprint(public_pem: bytes) -> str:
    """Return the SHA-256 of a public key's PEM text, which is also what model.sig calls its hint."""
    return hashlib.sha256(public_pem).hexdigest()


def _public_pem(public: EllipticCurvePublicKey) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def ask_password(confirm: bool) -> str:
    """Return the password in the environment, or ask for it, twice if `confirm`."""
    return os.environ.get(PASSWORD_VARIABLE) or typer.prompt(
        "password of the private key", hide_input=True, confirmation_prompt=confirm, err=True
    )


def key_password(key: Path) -> str | None:
    """Return the password of a private key, from the environment or asked for; None if it needs none."""
    return ask_password(confirm=False) if is_encrypted(key) else None


@app.command()
def new_key(out: Annotated[Path, typer.Option(help="Where to write the keys, without a suffix.")]) -> None:
    """Write a new key pair."""
    with one_line_errors("sign"):
        private, public = write_new_key(out, ask_password(confirm=True))
        typer.echo(f"secret  {private}")
        typer.echo(f"public  {public}, sha256 {fingerprint(public.read_bytes())}")


@app.command()
def sign(
    repository: Annotated[Path, typer.Option(help="Folder of the finished repository.")],
    key: Annotated[Path, typer.Option(help="Private key, PEM.")],
) -> None:
    """Sign a finished repository."""
    with one_line_errors("sign"):
        found = sign_repository(repository, key, key_password(key))
        typer.echo(f"signed  {repository / SIGNATURE}, key sha256 {found}")


if __name__ == "__main__":
    app()
