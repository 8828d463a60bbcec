"""`carabin pull` against the loopback Hub: what arrives, what must not, and that each failure is one line."""

import hashlib
import json
import pickle
import shutil
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from typer.testing import CliRunner

from carabin import Annotator, ModelError
from carabin.cli import app, main
from carabin.errors import CarabinError
from carabin.pull import PullError, pull
from carabin.student_folder import find_student
from carabin.trust.hub_client import HubClient
from carabin.trust.student_store import StudentId
from tests.carabin.published_student import seal, sign, write_keys, write_published
from tests.hub.loopback import LoopbackHub
from tests.hub.store import MAIN_BRANCH

pytest_plugins = ["tests.hub.fixtures"]

ID = "hospital/essai"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    return write_published(tmp_path_factory.mktemp("published") / "essai")


@pytest.fixture
def folder(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "published")


@pytest.fixture
def store(tmp_path, monkeypatch, hub):
    """An empty student store, and an environment that points at the loopback Hub alone."""
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "CARABIN_PUBLIC_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("CARABIN_STUDENTS", str(tmp_path / "store"))
    return tmp_path / "store"


def publish(hub: LoopbackHub, folder: Path, tag: str | None = None, extra: dict[str, bytes] | None = None) -> str:
    """Make the folder, and files that no push would send, the whole content of the repository; return the commit."""
    kept = hub.state.store
    if ("model", ID) not in kept.repositories:
        kept.create_repository("model", ID, "alice", private=False)
    repository = hub.repository(ID)
    files = {".gitattributes": repository.main_history[-1].files[".gitattributes"]}
    contents = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for name, content in {**contents, **(extra or {})}.items():
        if name.endswith((".safetensors", ".onnx", ".bin")):
            sha256 = hashlib.sha256(content).hexdigest()
            kept.lfs_path(sha256).write_bytes(content)
            files[name] = kept.lfs_file(sha256)
        else:
            files[name] = kept.write_blob(content)
    commit = kept.commit(repository, MAIN_BRANCH, files, "publish", "", "alice").oid
    if tag:
        repository.references[f"refs/tags/{tag}"] = commit
    return commit


def downloads(hub: LoopbackHub) -> list[str]:
    """Return the names of the files that were asked for, once each, oldest first."""
    paths = [request.path for request in hub.requests if "/resolve/" in request.path]
    return list(dict.fromkeys(path.split("/resolve/")[1].split("/", 1)[1] for path in paths))


def relative_files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def refusal(*args, kind=CarabinError, **options) -> str:
    with pytest.raises(kind) as caught:
        pull(*args, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert "; " in message, "no way out is given"
    return message


# -- what arrives


def test_a_student_arrives_whole_and_is_found_with_no_network(hub, folder, store):
    commit = publish(hub, folder, "v1.0")
    output = CliRunner().invoke(app, ["pull", f"{ID}@v1.0"])
    assert output.exit_code == 0, output.output + repr(output.exception)
    assert output.stdout.splitlines()[0] == f"{ID}@v1.0 is {ID}@{commit}"
    assert "every sha256 as in manifest.json" in output.stdout
    assert "NOT SIGNED" in output.stdout
    assert f"--model {ID}@v1.0" in output.stdout

    arrived = store / "hospital--essai" / commit
    assert relative_files(arrived) == relative_files(folder)
    assert all((arrived / name).read_bytes() == (folder / name).read_bytes() for name in relative_files(folder))
    assert sorted(path.name for path in arrived.parent.iterdir()) == [commit, "refs"], "something was left behind"
    assert not any(path.is_symlink() for path in store.rglob("*"))

    before = len(hub.requests)
    for name in (f"{ID}@v1.0", f"{ID}@{commit}", f"{ID}@{commit[:8]}", ID):
        assert find_student(name) == arrived
        assert [entity.label for entity in Annotator.load(name)("De la fièvre.")] == ["DISO"]
    assert pull(f"{ID}@{commit}").found
    assert len(hub.requests) == before, "what is here must not need a network"


def test_without_a_revision_the_commit_is_resolved_and_said(hub, folder, store):
    first = publish(hub, folder)
    output = CliRunner().invoke(app, ["pull", ID])
    assert f"{ID} is {ID}@{first}" in output.stdout
    assert f"--model {ID}@{first}" in output.stdout, "the branch will move: the commit is what to write down"
    (folder / "README.md").write_text("another card\n")
    second = publish(hub, seal(folder))
    assert pull(ID).commit == second
    assert find_student(f"{ID}@main").name == second
    with pytest.raises(ModelError, match="several revisions"):
        find_student(ID)


def test_a_second_pull_fetches_nothing(hub, folder, store):
    publish(hub, folder, "v1.0")
    assert not pull(f"{ID}@v1.0").found
    seen = len(hub.requests)
    assert pull(f"{ID}@v1.0").found
    assert [request.path for request in hub.requests[seen:]] == [f"/api/models/{ID}/revision/v1.0"]


def test_a_folder_to_carry_across_the_air_gap(hub, folder, store, tmp_path):
    commit = publish(hub, folder, "v1.0")
    pulled = pull(f"{ID}@v1.0", to=tmp_path / "usb" / "essai")
    assert (pulled.folder, pulled.commit) == (tmp_path / "usb" / "essai", commit)
    assert relative_files(tmp_path / "usb") == {f"essai/{name}" for name in relative_files(folder)}
    assert not store.exists()
    assert Annotator.load(pulled.folder)("fièvre")
    assert "exists; name a folder that does not" in refusal(f"{ID}@v1.0", to=pulled.folder)
    (tmp_path / "empty").mkdir()
    assert pull(f"{ID}@v1.0", to=tmp_path / "empty").folder == tmp_path / "empty"


def test_a_signed_student_is_checked_with_the_key(hub, folder, store, tmp_path):
    private, public = write_keys(tmp_path)
    _, other = write_keys(tmp_path, "other")
    sign(folder, private)
    commit = publish(hub, folder, "v1.0")
    assert "not made by the owner" in refusal(f"{ID}@v1.0", public_key=other, kind=ModelError)
    assert "no key given" in refusal(f"{ID}@v1.0", require_signature=True)
    assert not list(store.rglob("*.onnx")), "a refused student was kept"
    assert pull(f"{ID}@v1.0").verification.signature == "not checked"
    pulled = pull(f"{ID}@v1.0", public_key=public, require_signature=True)
    assert (pulled.found, pulled.verification.signature) == (True, "valid")
    assert "delete" in refusal(f"{ID}@{commit}", public_key=other, kind=ModelError)


def test_only_what_the_manifest_lists_is_fetched(hub, folder, store):
    publish(hub, folder, "v1.0", extra={"notes.txt": b"not listed"})
    pulled = pull(f"{ID}@v1.0")
    assert sorted(downloads(hub)) == sorted(relative_files(folder))
    assert not (pulled.folder / "notes.txt").exists()
    assert not (pulled.folder / ".gitattributes").exists()


# -- what must not arrive

ATTACKS = {
    "a pickle beside": ({"pytorch_model.bin": pickle.dumps([1])}, "pytorch_model.bin: a pickle"),
    "remote code": ({"modeling_essai.py": b"import os\n"}, "modeling_essai.py: a program"),
    "another manifest": ({"manifest.json": b"{}"}, "lists nothing"),
    "a manifest that is huge": ({"manifest.json": b" " * (2 << 20)}, "manifest.json is larger"),
    "a listed path outside": (
        {"manifest.json": json.dumps({"files": {"../../evil": {"sha256": "0" * 64, "size": 1}}}).encode()},
        "leads out of the folder",
    ),
    "a listed program": (
        {"manifest.json": json.dumps({"files": {"evil.py": {"sha256": "0" * 64, "size": 1}}}).encode()},
        "a program",
    ),
    "listed, not there": (
        {"manifest.json": json.dumps({"files": {"config.json": {"sha256": "0" * 64, "size": 1}, "x.md": {}}}).encode()},
        "no sha256 of x.md",
    ),
    "another size": ({"config.json": b"{}"}, "config.json is not of the size"),
    "other bytes": ({"LICENSE": b"Apache License 1.0\n"}, "LICENSE: not the sha256"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_repository_that_cannot_be_trusted_leaves_nothing_behind(name, hub, folder, store):
    extra, cause = ATTACKS[name]
    publish(hub, folder, "v1.0", extra=extra)
    message = refusal(f"{ID}@v1.0", kind=ModelError)
    assert cause in message
    assert ID in message
    assert not [path for path in store.rglob("*") if path.is_file() and path.suffix != ".lock"]
    publish(hub, folder, "v1.0")
    assert pull(f"{ID}@v1.0").verification.files == 7, "once mended, it must come"


def test_a_file_that_is_listed_and_missing_is_said_before_the_rest_is_fetched(hub, folder, store):
    (folder / "onnx" / "model.onnx").unlink()
    publish(hub, folder, "v1.0")
    assert "onnx/model.onnx is listed in manifest.json, but not there" in refusal(f"{ID}@v1.0", kind=ModelError)
    assert downloads(hub) == ["manifest.json"]


def test_a_repository_of_somebody_else_is_no_student(hub, folder, store):
    (folder / "manifest.json").unlink()
    publish(hub, folder, "v1.0")
    assert "no manifest.json" in refusal(f"{ID}@v1.0", kind=PullError)
    assert downloads(hub) == []


@pytest.mark.parametrize("commit", ["../../../evil", "", "0" * 39, "A" * 40, "0" * 40 + "/.."])
def test_a_mirror_that_answers_nonsense_for_a_commit_is_refused(hub, folder, store, monkeypatch, commit):
    publish(hub, folder, "v1.0")
    sizes = HubClient(ID).find("v1.0")[1]
    monkeypatch.setattr(HubClient, "find", lambda self, revision: (commit, sizes))
    assert "do not use that mirror" in refusal(f"{ID}@v1.0")
    assert not store.exists()


def test_a_mirror_may_not_answer_another_commit_than_the_one_asked_for(hub, folder, store):
    """A tag can be called like a commit of forty digits."""
    commit = publish(hub, folder, "v1.0")
    asked = "f" * 40
    hub.repository(ID).references[f"refs/tags/{asked}"] = commit
    assert f"answered commit {commit} instead" in refusal(f"{ID}@{asked}")


# -- what goes wrong


def test_a_broken_pull_goes_on_where_it_stopped(hub, folder, store):
    publish(hub, folder, "v1.0")
    hub.fail_once("GET", "/_lfs/", 404)
    assert "pull again" in refusal(f"{ID}@v1.0", kind=PullError)
    seen = len(hub.requests)
    with pytest.raises(ModelError, match="not among the pulled students"):
        find_student(f"{ID}@v1.0")
    pull(f"{ID}@v1.0")
    bodies = [request.path for request in hub.requests[seen:] if request.method == "GET"]
    assert any("/_lfs/" in path for path in bodies), "nothing was left to fetch"
    assert not any(path.endswith(("manifest.json", "LICENSE")) for path in bodies), "a whole file was fetched again"


def test_the_users_own_cache_is_not_believed(hub, folder, store, monkeypatch, tmp_path):
    commit = publish(hub, folder, "v1.0")
    cached = tmp_path / "cache" / "models--hospital--essai" / "snapshots" / commit
    cached.mkdir(parents=True)
    (cached / "config.json").write_text("damaged")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    assert pull(f"{ID}@v1.0").verification.files == 7


def test_two_pulls_at_once_do_not_write_the_same_files(hub, folder, store):
    from filelock import FileLock

    commit = publish(hub, folder, "v1.0")
    lock = store / "hospital--essai" / f".{commit[:16]}.lock"
    lock.parent.mkdir(parents=True)
    with FileLock(lock):
        assert "another pull is fetching it" in refusal(f"{ID}@v1.0", kind=PullError)
    assert not pull(f"{ID}@v1.0").found


def test_a_lock_that_windows_does_not_let_go_does_not_fail_the_pull(hub, folder, store, monkeypatch):
    publish(hub, folder, "v1.0")

    def unlink(path, missing_ok=False, real=Path.unlink):
        if path.suffix == ".lock" and path.parent.parent == store:
            raise PermissionError(13, "The process cannot access the file", str(path))
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    assert pull(f"{ID}@v1.0").verification.files == 7


def test_a_damaged_copy_in_the_store_says_what_to_delete(hub, folder, store):
    commit = publish(hub, folder, "v1.0")
    arrived = pull(f"{ID}@v1.0").folder
    (arrived / "LICENSE").write_text("?")
    for revision in ("v1.0", commit):
        assert f"delete {arrived}, then pull" in refusal(f"{ID}@{revision}", kind=ModelError)


def no_room(monkeypatch):
    import collections

    usage = collections.namedtuple("usage", "total used free")(10, 10, 0)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)


@pytest.mark.filterwarnings("ignore:Not enough free disk space")
def test_no_room_is_said_before_anything_large_is_fetched(hub, folder, store, monkeypatch):
    publish(hub, folder, "v1.0")
    no_room(monkeypatch)
    assert "make room there" in refusal(f"{ID}@v1.0", kind=PullError)
    assert downloads(hub) == ["manifest.json"]


def failures(hub):
    """Return what goes wrong: how it is brought about, the name asked for, and what must be said."""
    repository = hub.repository(ID)

    def gate():
        repository.gated = "manual"

    def hide():
        repository.private = True

    return {
        "no repository": (lambda: None, "hospital/none@v1", "no such repository"),
        "no revision": (lambda: None, f"{ID}@v9", "no revision 'v9'"),
        "gated": (gate, f"{ID}@v1.0", "gated; ask for access"),
        "private": (hide, f"{ID}@v1.0", "or a private one; check the name, or set HF_TOKEN"),
        "broken": (lambda: hub.fail_once("GET", "/api/models/", 418), f"{ID}@v1.0", "HTTP 418"),
        "down": (lambda: hub.fail_once("GET", "manifest.json", 418), f"{ID}@v1.0", "HTTP 418"),
    }


@pytest.mark.parametrize("name", ["no repository", "no revision", "gated", "private", "broken", "down"])
def test_each_failure_of_the_hub_is_one_line(name, hub, folder, store):
    publish(hub, folder, "v1.0")
    arrange, student, expected = failures(hub)[name]
    arrange()
    assert expected in refusal(student, kind=PullError)


def test_a_token_opens_what_is_private_and_a_wrong_one_is_said(hub, folder, store, monkeypatch):
    publish(hub, folder, "v1.0")
    hub.repository(ID).private = True
    monkeypatch.setenv("HF_TOKEN", "hf_nobody")
    assert "does not accept the token of HF_TOKEN" in refusal(f"{ID}@v1.0", kind=PullError)
    monkeypatch.setenv("HF_TOKEN", "hf_alice")
    assert pull(f"{ID}@v1.0").verification.files == 7


def test_a_login_to_the_public_hub_is_not_shown_to_a_mirror(hub, folder, store, monkeypatch, tmp_path):
    publish(hub, folder, "v1.0")
    monkeypatch.setattr("huggingface_hub.utils._auth._get_token_from_file", lambda: "hf_alice")
    hub.repository(ID).private = True
    assert "no such repository" in refusal(f"{ID}@v1.0", kind=PullError)


@pytest.mark.parametrize("student", ["essai", "a/b/c", "../x@v1", "a/b@../c", "a/b@", "https://huggingface.co/a/b"])
def test_what_is_no_name_of_a_student_is_refused_before_the_network(student, hub, store):
    assert "write organisation/name@revision" in refusal(student, kind=PullError)
    assert hub.requests == []


def test_what_is_no_address_is_refused(store):
    assert "not the address of a Hub" in refusal(f"{ID}@v1", endpoint="file:///etc", kind=PullError)


def run(hub, *arguments, **changes):
    return hub.run("-m", "carabin", *arguments, **changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "http://127.0.0.1:9 cannot be reached"),
        ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE forbids the network; pull on a machine that has one"),
    ],
)
def test_no_network_is_one_line_and_exit_code_1(hub, tmp_path, changes, expected):
    """In a process of its own, since huggingface_hub reads its environment once."""
    failed = run(hub, "pull", f"{ID}@v1.0", CARABIN_STUDENTS=str(tmp_path / "store"), **changes)
    assert failed.returncode == 1
    assert expected in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1, failed.stderr
    assert failed.stdout == ""


def test_the_command_asks_one_host_for_listed_files_and_nothing_else(hub, folder, tmp_path):
    """No telemetry, no look for updates, no other host; and the settings for that do not stay in the environment."""
    publish(hub, folder, "v1.0")
    watched = tmp_path / "watched.py"
    watched.write_text(
        "import os, socket, sys\n"
        "reached = set()\n"
        "real = socket.getaddrinfo\n"
        "socket.getaddrinfo = lambda host, *a, **k: (reached.add(str(host)), real(host, *a, **k))[1]\n"
        "before = dict(os.environ)\n"
        "from carabin.pull import pull\n"
        "print(pull(sys.argv[1]).folder)\n"
        "assert dict(os.environ) == before, 'the environment was changed'\n"
        "assert reached <= {'127.0.0.1', 'localhost'}, reached\n"
    )
    done = hub.run(str(watched), f"{ID}@v1.0", PYTHONPATH=".", CARABIN_STUDENTS=str(tmp_path / "store"))
    assert done.returncode == 0, done.stderr
    asked = {request.path for request in hub.requests}
    assert {path.split("/resolve/")[1].split("/", 1)[1] for path in asked if "/resolve/" in path} == relative_files(
        folder
    )
    others = {path for path in asked if "/resolve/" not in path and "/_lfs/" not in path}
    assert others == {f"/api/models/{ID}/revision/v1.0"}


def test_without_huggingface_hub_the_extra_is_named():
    code = (
        "import sys; sys.modules['huggingface_hub'] = None\n"
        "from carabin.pull import pull\n"
        "try: pull('a/b@v1')\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'carabin[hub]'" in done.stdout


def test_a_student_id_is_a_fine_argument_too(hub, folder, store):
    commit = publish(hub, folder, "v1.0")
    assert pull(StudentId(ID, "v1.0")).commit == commit


def test_an_interrupted_pull_says_how_to_go_on(store, monkeypatch, capsys):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("carabin.pull.pull", interrupt)
    monkeypatch.setattr("sys.argv", ["carabin", "pull", f"{ID}@v1.0"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    assert capsys.readouterr().err == "carabin: interrupted; pull again, what was fetched whole is kept\n"


def test_what_a_killed_pull_left_is_finished_or_cleared_away(hub, folder, store):
    """A lock whose owner is dead, half a file, and a whole one."""
    commit = publish(hub, folder, "v1.0")
    partial = store / "hospital--essai" / f".{commit[:16]}.partial"
    half = partial / ".cache" / "huggingface" / "download" / "onnx" / "x.deadbeef.incomplete"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    (partial / "README.md").write_bytes((folder / "README.md").read_bytes()[:10])
    partial.with_suffix(".lock").touch()
    assert relative_files(pull(f"{ID}@v1.0").folder) == relative_files(folder)
    assert sorted(path.name for path in partial.parent.iterdir()) == [commit, "refs"]


def test_a_name_that_a_terminal_would_obey_is_shown_harmless(folder, monkeypatch, capsys):
    (folder / "\x1b[2J\x1b[31mevil.json").write_text("{}")
    monkeypatch.setattr("sys.argv", ["carabin", "verify", str(folder)])
    with pytest.raises(SystemExit):
        main()
    error = capsys.readouterr().err
    assert "not listed in manifest.json" in error
    assert error.removesuffix("\n").isprintable()


@pytest.fixture
def self_signed(tmp_path):
    """The address of a server with a certificate that nobody vouches for, as behind a hospital's proxy."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "proxy")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *arguments: None
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(timeout=10)
    server.server_close()


def test_a_certificate_that_is_not_trusted_is_not_called_a_broken_network(store, self_signed):
    assert "set SSL_CERT_FILE" in refusal(f"{ID}@v1.0", endpoint=self_signed, kind=PullError)
