"""What `carabin verify` must find.

Every trick is really built, and the manifest is written anew over it wherever a forger could do that: the hash of a
pickle is as right as any other.
"""

import base64
import gzip
import io
import json
import os
import pickle
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from carabin import Annotator, ModelError
from carabin.cli import app
from carabin.trust.manifest import read_manifest
from carabin.verify import verify
from tests.carabin.published_student import seal, sign, write_keys, write_published


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    return write_published(tmp_path_factory.mktemp("published") / "essai")


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    return write_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def folder(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "essai")


def refusal(folder, **options):
    with pytest.raises(ModelError) as caught:
        verify(folder, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert "; " in message, "no way out is given"
    return message


def test_a_whole_student_passes_and_says_that_nobody_signed_it(folder):
    found = verify(folder)
    assert (found.files, found.signature) == (7, "absent")
    assert (
        found.size
        == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        - (folder / "manifest.json").stat().st_size
    )
    output = CliRunner().invoke(app, ["verify", str(folder)])
    assert output.exit_code == 0
    assert "every sha256 as in manifest.json" in output.stdout
    assert "NOT SIGNED" in output.stdout


def test_what_the_hub_and_the_lab_put_beside_the_files_is_no_intruder(folder):
    (folder / ".gitattributes").write_text("*.onnx filter=lfs\n")
    (folder / "run.json").write_text("{}")
    verify(folder)


# -- the files against the manifest


@pytest.mark.parametrize("name", ["config.json", "onnx/model.onnx", "model.safetensors", "LICENSE"])
def test_every_changed_byte_is_found(folder, name):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    assert f"{folder / name}: not the sha256" in refusal(folder)
    (folder / name).write_bytes(content[:-1])
    assert f"{folder / name}: not the size" in refusal(folder)
    (folder / name).unlink()
    assert f"{folder / name}: listed in manifest.json, but not there" in refusal(folder)


@pytest.mark.parametrize("name", ["extra.json", "onnx/model_q4.onnx", ".hidden.txt", "deep/er/notes.txt"])
def test_a_file_that_nobody_listed_is_found(folder, name):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("{}")
    assert f"{folder / name}: not listed" in refusal(folder)


def good_entry():
    return {"sha256": "0" * 64, "size": 1}


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        ("", "not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "lists nothing"),
        ('{"files": {}}', "lists nothing"),
        ('{"files": ["config.json"]}', "not by name"),
        ('{"files": {"config.json": null}}', "no sha256 of config.json"),
        ('{"files": {"config.json": {"sha256": "abc", "size": 1}}}', "no sha256 of config.json"),
        (json.dumps({"files": {"config.json": {**good_entry(), "sha256": "Z" * 64}}}), "no sha256"),
        (json.dumps({"files": {"config.json": {**good_entry(), "size": -1}}}), "no size"),
        (json.dumps({"files": {"config.json": {**good_entry(), "size": True}}}), "no size"),
        (json.dumps({"files": {"config.json": {**good_entry(), "size": 1e3}}}), "no size"),
        (json.dumps({"files": {f"{n}.txt": good_entry() for n in range(1001)}}), "more than 1,000"),
        ('{"files": {"a.txt": {}, "a.txt": {}}}', "the same key twice"),
        ('{"files": ' + "[" * 100_000, "not JSON"),
        ('{"files": {"a": ' + "9" * 5000 + "}}", "not JSON"),
        ("\udcff".encode("utf-8", "surrogateescape"), "not JSON"),
        (b'{"files": ' + b" " * (1 << 20) + b"{}}", "larger than"),
    ],
)
def test_a_malformed_manifest_is_refused(folder, content, cause):
    (folder / "manifest.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    message = refusal(folder)
    assert f"{folder / 'manifest.json'}: " in message
    assert cause in message


ESCAPES = [
    "../config.json", "onnx/../../config.json", "/etc/passwd", "..", ".", "", "onnx//model.onnx", "onnx/",
    "./config.json",
    "C:/Windows/win.ini", "C:config.json", "\\\\server\\share", "..\\config.json", "config.json:stream", "a\0b", "a\nb",
    "\x1b[31mred.json", "con", "aux.json", "LPT1.txt", "config.json.", "config.json ", "é.json", "manifest.json",
    "model.sig", "~/x", "$HOME", "%APPDATA%", "a" * 300,
]  # fmt: skip


@pytest.mark.parametrize("name", ESCAPES)
def test_a_name_that_leads_elsewhere_is_refused_before_any_file_is_opened(folder, name):
    listed = json.loads((folder / "manifest.json").read_text())
    listed["files"][name] = good_entry()
    (folder / "manifest.json").write_text(json.dumps(listed))
    message = refusal(folder)
    assert f"{folder / 'manifest.json'}: lists " in message
    assert message.isprintable(), "a name may hold what a terminal obeys"


def test_names_that_are_one_file_on_windows_are_refused(folder):
    listed = json.loads((folder / "manifest.json").read_text())
    listed["files"]["Config.json"] = good_entry()
    (folder / "manifest.json").write_text(json.dumps(listed))
    assert "'Config.json', which is config.json on Windows" in refusal(folder)


@given(name=st.text(max_size=40) | st.sampled_from(ESCAPES) | st.text("./\\:aA-_", max_size=12))
def test_no_name_that_is_accepted_leaves_the_folder(name, tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    (folder / "manifest.json").write_text(json.dumps({"files": {name: good_entry()}}))
    try:
        read_manifest(folder)
    except ModelError:
        return
    path = Path(os.path.normpath(folder / name))
    assert path.is_relative_to(folder)
    assert path != folder
    assert path.relative_to(folder).as_posix() == name


def test_links_and_special_files_are_refused(folder, tmp_path):
    (tmp_path / "secret.json").write_text("{}")
    for target in (tmp_path / "secret.json", Path("config.json"), tmp_path, Path("nowhere")):
        (folder / "link.json").symlink_to(target)
        assert "link.json: a link" in refusal(folder)
        (folder / "link.json").unlink()
    shutil.rmtree(folder / "onnx")
    (folder / "onnx").symlink_to(tmp_path)
    assert "onnx: a link" in refusal(folder)
    (folder / "onnx").unlink()
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "config.json.fifo")
        assert "neither a file nor a folder" in refusal(folder)


def test_what_is_no_folder_of_a_student_is_said(tmp_path):
    assert "no such folder" in refusal(tmp_path / "none")
    assert "manifest.json: no such file" in refusal(tmp_path)
    for number in range(2_001):
        (tmp_path / f"{number}.txt").touch()
    assert "more than 2,000 files" in refusal(tmp_path)


# -- what is in the files


class Boom:
    def __reduce__(self):
        return (os.system, ("touch /tmp/carabin-was-here",))


def pickled(protocol=4):
    return pickle.dumps(Boom(), protocol=protocol)


def zipped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", pickled())
        archive.writestr("../../bomb.txt", b"0" * 10_000_000)
    return buffer.getvalue()


def tarred():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("../../evil.json")
        archive.addfile(member, io.BytesIO())
    return buffer.getvalue()


def object_array():
    buffer = io.BytesIO()
    np.save(buffer, np.array([Boom()], dtype=object), allow_pickle=True)
    return buffer.getvalue()


FILES = {
    "pytorch_model.bin": (pickled(), "pickle"),
    "model.pt": (zipped(), "pickle"),
    "model.pth": (pickled(), "pickle"),
    "vocab.pkl": (pickled(), "pickle"),
    "vocab.PICKLE": (pickled(), "pickle"),
    "last.ckpt": (zipped(), "pickle"),
    "model.joblib": (pickled(), "pickle"),
    "array.npy": (object_array(), "pickle"),
    "model.h5": (b"\x89HDF\r\n", "pickle"),
    "modeling_evil.py": (b"import os\n", "a program"),
    "setup.sh": (b"#!/bin/sh\n", "a program"),
    "onnx/custom_ops.so": (b"\x7fELF", "a library"),
    "onnx/model.ort": (b"\0\0\0\0ORTM", "a library or a compiled model"),
    "onnx/model.onnx_data": (bytes(100), "weights outside"),
    "onnx/model.onnx.data": (bytes(100), "weights outside"),
    "weights.zip": (zipped(), "an archive"),
    "weights.tar": (tarred(), "an archive"),
    "weights.json.gz": (gzip.compress(bytes(10_000_000)), "an archive"),
    "unknown.xyz": (b"x", "not a kind of file"),
    "noextension": (b"x", "not a kind of file"),
    "evil.txt": (pickled(), "not text"),
    "zip.md": (zipped(), "not text"),
    "tar.txt": (tarred(), "not text"),
    "elf.json": (b"\x7fELF\x02\x01\x01\0", "not text"),
    "evil.safetensors": (pickled(), "not safetensors"),
    "zip.safetensors": (zipped(), "not safetensors"),
    "short.safetensors": (b"{", "not safetensors"),
    "huge.safetensors": ((1 << 40).to_bytes(8, "little") + b"{}", "not safetensors"),
    "onnx/evil.onnx": (pickled(), "damaged"),
    "onnx/zip.onnx": (zipped(), ""),
    "other_config.json": (b'{"model": {"auto_map": {"AutoModel": "evil--modeling.Evil"}}}', "auto_map"),
    "x.json": (b'{"trust_remote_code": true}', "trust_remote_code"),
    "y.json": (b'{"a": [{"_target_": "os.system"}]}', "_target_"),
    "z.json": (b'{"custom_pipelines": {"x": {"impl": "evil.P"}}}', "custom_pipelines"),
    "twice.json": (b'{"auto_map": null, "auto_map": {"AutoModel": "evil.E"}}', "the same key twice"),
    "deep.json": (b'{"a":' * 100_000, "not JSON"),
}


@pytest.mark.parametrize("name", FILES)
def test_what_could_run_code_is_refused_though_its_hash_is_right(folder, name):
    content, cause = FILES[name]
    (folder / name).write_bytes(content)
    seal(folder)
    message = refusal(folder)
    assert str(folder / name) in message
    assert cause in message


def test_no_code_is_asked_for_by_a_key_that_is_off(folder):
    (folder / "x.json").write_text('{"trust_remote_code": false, "auto_map": null}')
    verify(seal(folder))


# -- signatures


def test_a_valid_signature_is_said_to_be_one(folder, keys):
    sign(folder, keys[0])
    assert verify(folder, public_key=keys[1], require_signature=True).signature == "valid"
    (folder / ".gitattributes").write_text("*.onnx filter=lfs\n")
    (folder / "run.json").write_text("{}")
    moved = folder.rename(folder.parent / "another name")
    output = CliRunner().invoke(app, ["verify", str(moved), "--public-key", str(keys[1])])
    assert output.exit_code == 0, output.output
    assert "signature valid" in output.stdout


@pytest.mark.parametrize("curve", ["SECP384R1", "SECP521R1"])
def test_the_other_curves_are_read(folder, tmp_path, curve):
    private, public = write_keys(tmp_path, curve=curve)
    sign(folder, private)
    assert verify(folder, public_key=public).signature == "valid"


def test_a_signature_that_nobody_checked_never_passes_in_silence(folder, keys):
    sign(folder, keys[0])
    assert verify(folder).signature == "not checked"
    output = CliRunner().invoke(app, ["verify", str(folder)])
    assert "signature present but not checked: give --public-key" in output.stdout
    assert "no key given" in refusal(folder, require_signature=True)
    (folder / "model.sig").unlink()
    assert "the student is not signed" in refusal(folder, public_key=keys[1])


def test_the_key_may_come_from_the_environment(folder, keys, monkeypatch):
    monkeypatch.setenv("CARABIN_PUBLIC_KEY", str(keys[1]))
    output = CliRunner().invoke(app, ["verify", str(folder)])
    assert isinstance(output.exception, ModelError), "the key was given, and the student is not signed"


def test_another_publishers_signature_is_refused(folder, keys, tmp_path):
    private, _ = write_keys(tmp_path, "stranger")
    sign(folder, private)
    assert "not made by the owner" in refusal(folder, public_key=keys[1])


def test_files_changed_after_the_signature_are_refused_though_the_manifest_was_written_anew(folder, keys):
    sign(folder, keys[0])
    (folder / "README.md").write_text("another card\n")
    seal(folder)
    assert "not made by the owner" in refusal(folder, public_key=keys[1])


def test_a_signature_of_another_student_is_refused(folder, keys, pristine, tmp_path):
    other = shutil.copytree(pristine, tmp_path / "other")
    (other / "README.md").write_text("another student\n")
    sign(seal(other), keys[0])
    shutil.copy(other / "model.sig", folder / "model.sig")
    assert "not made by the owner" in refusal(folder, public_key=keys[1])


def test_a_file_added_to_the_manifest_after_the_signature_is_refused(folder, keys):
    sign(folder, keys[0])
    (folder / "added.json").write_text("{}")
    seal(folder)
    assert "does not cover added.json" in refusal(folder, public_key=keys[1])


@pytest.mark.parametrize("left_out", ["manifest.json", "onnx", "config.json"])
def test_a_signature_that_leaves_files_out_is_refused(folder, keys, left_out):
    """model-signing writes into the signature which paths it ignored, and ignores them again when it verifies."""
    sign(folder, keys[0], ignored=(left_out,))
    assert f"does not cover {left_out}" in refusal(folder, public_key=keys[1])


@pytest.mark.parametrize(
    "change",
    [
        lambda bundle: b"",
        lambda bundle: b"[]",
        lambda bundle: b"{}",
        lambda bundle: b"\xff" * 40,
        lambda bundle: b"[" * 100_000,
        lambda bundle: b" " * (5 << 20),
        lambda bundle: json.dumps({**bundle, "dsseEnvelope": {"payload": "!!!"}}).encode(),
        lambda bundle: json.dumps({**bundle, "verificationMaterial": {}}).encode(),
        lambda bundle: json.dumps({**bundle, "verificationMaterial": {"certificate": {"rawBytes": "AAAA"}}}).encode(),
        lambda bundle: json.dumps({**bundle, "mediaType": "other"}).encode(),
        lambda bundle: json.dumps({**bundle, "dsseEnvelope": {**bundle["dsseEnvelope"], "signatures": []}}).encode(),
    ],
)
def test_a_damaged_signature_is_one_line(folder, keys, change):
    sign(folder, keys[0])
    bundle = json.loads((folder / "model.sig").read_text())
    (folder / "model.sig").write_bytes(change(bundle))
    assert str(folder / "model.sig") in refusal(folder, public_key=keys[1])


def test_a_forged_statement_under_a_real_signature_is_refused(folder, keys, capsys):
    """The hashes in the statement are changed to those of other files; the signature over the old statement is kept."""
    sign(folder, keys[0])
    bundle = json.loads((folder / "model.sig").read_text())
    statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
    statement["predicate"]["resources"][0]["digest"] = "0" * 64
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    del bundle["verificationMaterial"]["publicKey"]["hint"]
    (folder / "model.sig").write_text(json.dumps(bundle))
    assert "not made by the owner" in refusal(folder, public_key=keys[1])
    assert capsys.readouterr().out == "", "the library's own warning was printed among our output"


def test_what_is_no_public_key_is_said(folder, keys, tmp_path):
    sign(folder, keys[0])
    assert "no key" not in refusal(folder, public_key=keys[0])
    (tmp_path / "text.pub").write_text("hello")
    for path in (keys[0], tmp_path / "text.pub"):
        assert f"{path}: not a public key" in refusal(folder, public_key=path)
    assert f"{tmp_path / 'none.pub'}: No such file" in refusal(folder, public_key=tmp_path / "none.pub")
    _, wrong_curve = write_keys(tmp_path, "k1", curve="SECP256K1")
    assert "P-256" in refusal(folder, public_key=wrong_curve)


def test_without_the_library_a_key_is_never_taken_for_checked(folder, keys, monkeypatch):
    sign(folder, keys[0])
    monkeypatch.setitem(__import__("sys").modules, "model_signing", None)
    assert "pip install 'carabin[verify]'" in refusal(folder, public_key=keys[1])


# -- at every load


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "onnx/model.onnx"])
def test_a_changed_file_is_not_loaded(folder, name):
    Annotator.load(folder)
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    with pytest.raises(ModelError, match="not the size"):
        Annotator.load(folder)
    content = bytearray((folder / name).read_bytes()[:-1])
    content[-2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match="not the sha256"):
        Annotator.load(folder)


def test_a_file_that_the_manifest_does_not_list_is_not_loaded(folder):
    """An INT8 file put beside the published ones would be preferred to them."""
    shutil.copy(folder / "onnx" / "model.onnx", folder / "onnx" / "model_quantized.onnx")
    with pytest.raises(ModelError, match=r"model_quantized\.onnx: not listed"):
        Annotator.load(folder)
    assert Annotator.load(folder, quantized=False).labels
    (folder / "calibration.json").write_text("{}")
    with pytest.raises(ModelError, match=r"calibration\.json: not listed"):
        Annotator.load(folder, quantized=False)


def test_weights_that_are_not_loaded_may_be_left_out_of_a_copy(folder):
    (folder / "model.safetensors").unlink()
    assert Annotator.load(folder).labels
    assert "model.safetensors" in refusal(folder)
