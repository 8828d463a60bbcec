"""Signing: what a hospital will check with a public key, what it must never be told by mistake."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from carabin.errors import ModelError
from carabin.verify import verify
from export.lineage import write_manifest
from export.push import PublishError, check_publishable
from export.push import app as push_app
from export.push_checks import read_publishable
from export.sign import SigningError, app, sign_repository, write_new_key
from tests.export.repository_fixture import build_repository
from tests.hub.loopback import LoopbackHub

pytest_plugins = ["tests.hub.fixtures"]

PASSWORD = "pied-de-biche"  # noqa: S105 - of a key made for the test


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_repository(tmp_path_factory.mktemp("pristine") / "repository")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_new_key(tmp_path_factory.mktemp("keys") / "publisher", PASSWORD)


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "repository"))


def files_beside(folder: Path) -> set[str]:
    return {path.name for path in folder.parent.iterdir()} - {folder.name}


def test_a_signed_repository_is_what_a_hospital_accepts(folder: Path, keys: tuple[Path, Path]) -> None:
    """The lab's own record stays in the folder and is not published: the signature must hold with it and without."""
    (folder / "run.json").write_text("{}")
    beside = files_beside(folder)
    key = sign_repository(folder, keys[0], PASSWORD)
    assert verify(folder, public_key=keys[1], require_signature=True).signature == "valid"
    (folder / "run.json").unlink()
    assert verify(folder, public_key=keys[1]).signature == "valid"
    assert read_publishable(folder, keys[1]).signature == "valid"
    assert read_publishable(folder).signature == "not checked"
    assert files_beside(folder) == beside, "a working file was left behind"
    bundle = json.loads((folder / "model.sig").read_text())
    assert bundle["verificationMaterial"]["publicKey"]["hint"] == key


def test_the_signature_is_no_part_of_what_is_listed(folder: Path, keys: tuple[Path, Path]) -> None:
    """A manifest that listed the signature could not be signed."""
    before = (folder / "manifest.json").read_bytes()
    sign_repository(folder, keys[0], PASSWORD)
    assert (folder / "manifest.json").read_bytes() == before
    write_manifest(folder)
    assert "model.sig" not in json.loads((folder / "manifest.json").read_text())["files"]
    check_publishable(folder)


def test_the_library_alone_accepts_the_signature(folder: Path, keys: tuple[Path, Path]) -> None:
    """A second opinion, without a line of Carabin: the command that the documentation gives."""
    sign_repository(folder, keys[0], PASSWORD)
    command = [sys.executable, "-m", "model_signing", "verify", "key", str(folder), "--signature"]
    command += [str(folder / "model.sig"), "--public_key", str(keys[1])]
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    (folder / "LICENSE").write_text("other\n")
    assert subprocess.run(command, capture_output=True, check=False).returncode != 0


def test_a_stale_signature_is_never_published(folder: Path, keys: tuple[Path, Path]) -> None:
    """No key is needed to see that: the signature says itself which files it was made over."""
    sign_repository(folder, keys[0], PASSWORD)
    old = (folder / "model.sig").read_bytes()
    (folder / "LICENSE").write_text("Apache License 2.0, of another day\n")
    write_manifest(folder)
    with pytest.raises(PublishError, match="stale, not made over LICENSE as it is; sign the folder again"):
        check_publishable(folder)
    sign_repository(folder, keys[0], PASSWORD)
    check_publishable(folder)
    assert (folder / "model.sig").read_bytes() != old
    (folder / "onnx" / "extra.onnx").write_bytes((folder / "onnx" / "model.onnx").read_bytes())
    write_manifest(folder)
    with pytest.raises(PublishError, match="not made over manifest.json as it is"):
        check_publishable(folder)


def test_what_no_hospital_would_accept_is_not_published_or_signed(folder: Path, keys: tuple[Path, Path]) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModel": "modeling.Evil"}}))
    write_manifest(folder)
    with pytest.raises(PublishError, match="auto_map"):
        check_publishable(folder)
    with pytest.raises(PublishError, match="auto_map"):
        sign_repository(folder, keys[0], PASSWORD)
    assert not (folder / "model.sig").exists()


def test_an_unfit_folder_is_not_signed(folder: Path, keys: tuple[Path, Path]) -> None:
    (folder / "metrics.json").unlink()
    with pytest.raises(PublishError, match=r"metrics\.json is missing"):
        sign_repository(folder, keys[0], PASSWORD)
    assert not (folder / "model.sig").exists()


def test_a_key_with_another_password_or_of_another_kind_is_one_line(
    folder: Path, keys: tuple[Path, Path], tmp_path: Path
) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519

    text = tmp_path / "text.pem"
    text.write_text("hello")
    others = {"ed25519": ed25519.Ed25519PrivateKey.generate(), "k1": ec.generate_private_key(ec.SECP256K1())}
    for name, key in others.items():
        (tmp_path / name).write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    cases = [
        (keys[0], "wrong", "password"),
        (keys[0], None, "password"),
        (keys[1], None, "not a private key"),
        (text, None, "not a private key"),
        (tmp_path / "none.pem", None, "No such file"),
        (tmp_path / "ed25519", None, "P-256"),
        (tmp_path / "k1", None, "P-256"),
    ]
    for key, password, cause in cases:
        with pytest.raises(SigningError) as caught:
            sign_repository(folder, key, password)
        assert cause in str(caught.value)
        assert "; " in str(caught.value)
        assert "hello" not in str(caught.value)
    assert not (folder / "model.sig").exists()


def test_a_key_is_secret_and_never_written_over(tmp_path: Path) -> None:
    private, public = write_new_key(tmp_path / "publisher.2026", PASSWORD)
    assert (private.name, public.name) == ("publisher.2026.pem", "publisher.2026.pub")
    assert private.stat().st_mode & 0o077 == 0
    assert b"ENCRYPTED" in private.read_bytes()
    before = private.read_bytes()
    with pytest.raises(SigningError, match="never written over"):
        write_new_key(tmp_path / "publisher.2026", PASSWORD)
    with pytest.raises(SigningError, match="needs a password"):
        write_new_key(tmp_path / "other", "")
    assert private.read_bytes() == before
    assert not (tmp_path / "other.pem").exists()


def test_the_commands_as_a_publisher_types_them(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARABIN_SIGNING_PASSWORD", PASSWORD)
    made = CliRunner().invoke(app, ["new-key", "--out", str(tmp_path / "k")])
    assert made.exit_code == 0, made.output
    signed = CliRunner().invoke(app, ["sign", "--repository", str(folder), "--key", str(tmp_path / "k.pem")])
    assert signed.exit_code == 0, signed.output
    assert made.stdout.rsplit("sha256 ")[1] == signed.stdout.rsplit("sha256 ")[1], "the fingerprints to compare"
    assert PASSWORD not in made.output + signed.output
    monkeypatch.setenv("CARABIN_SIGNING_PASSWORD", "wrong")
    failed = CliRunner().invoke(app, ["sign", "--repository", str(folder), "--key", str(tmp_path / "k.pem")])
    assert failed.exit_code == 2
    assert len(failed.stderr.strip().splitlines()) == 1
    assert (folder / "model.sig").exists(), "a mistyped password must not cost the signature that is there"


def test_a_push_with_a_key_refuses_what_its_owner_did_not_sign(folder: Path, keys: tuple[Path, Path]) -> None:
    arguments = ["--repository", str(folder), "--to", "hospital/essai", "--public-key", str(keys[1])]
    unsigned = CliRunner().invoke(push_app, arguments)
    assert unsigned.exit_code == 2, "no Hub is running: it must be refused before any request"
    assert "not signed" in unsigned.stderr
    other, _ = write_new_key(folder.parent / "other", PASSWORD)
    sign_repository(folder, other, PASSWORD)
    foreign = CliRunner().invoke(push_app, arguments)
    assert foreign.exit_code == 2
    assert "not made by the owner" in foreign.stderr
    assert len(foreign.stderr.strip().splitlines()) == 1


def test_from_the_lab_to_the_hospital(hub: LoopbackHub, folder: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    """Signed, pushed, pulled, verified: what arrives is what was signed, by the commands people type."""
    sign_repository(folder, keys[0], PASSWORD)
    options = ("--to", "hospital/bert-tiny", "--revision-tag", "v1.0", "--public-key", str(keys[1]))
    pushed = hub.run("-m", "export.push", "--repository", str(folder), *options, COLUMNS="200")
    assert pushed.returncode == 0, pushed.stderr
    assert "signed   yes, checked" in pushed.stdout
    assert "model.sig" in hub.repository("hospital/bert-tiny").main_history[0].files
    pulled = hub.run(
        "-m", "carabin", "pull", "hospital/bert-tiny@v1.0", "--to", str(tmp_path / "usb"), "--public-key", str(keys[1]),
        HF_TOKEN="hf_bob",
    )  # fmt: skip
    assert pulled.returncode == 0, pulled.stderr
    assert "signature valid" in pulled.stdout
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {
        path.relative_to(tmp_path / "usb").as_posix() for path in (tmp_path / "usb").rglob("*") if path.is_file()
    } == files
    (tmp_path / "usb" / "README.md").write_text("another card\n")
    with pytest.raises(ModelError):
        verify(tmp_path / "usb", public_key=keys[1])
