"""Who may ask, where the service listens, and what is refused before it does."""

import socket
import subprocess
import sys

import pytest

from carabin import serve as serving
from carabin.serve import ServeError, ServeSettings, create_app, hosts_for, serve
from carabin.serving.settings import LOOPBACK_HOSTS, check_exposure, read_token, resolve_address

TOKEN = "0123456789-abcdefghij"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.8.8"])
def test_this_machine_alone_needs_no_token(host):
    family, address = resolve_address(host, 0)
    assert family == socket.AF_INET
    check_exposure(host, address, token=None, no_token=False)
    assert hosts_for(host, ["carabin.hospital"]) == (*LOOPBACK_HOSTS, "carabin.hospital")


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "::"])
def test_an_address_that_others_reach_wants_a_token_or_a_word(host):
    _, address = resolve_address(host, 0)
    with pytest.raises(ServeError, match="--token-file FILE"):
        check_exposure(host, address, token=None, no_token=False)
    check_exposure(host, address, token=TOKEN, no_token=False)
    check_exposure(host, address, token=None, no_token=True)
    assert hosts_for(host) == ("*",)
    assert hosts_for(host, ["carabin.hospital"]) == ("carabin.hospital",)


def test_the_typed_call_refuses_to_open_itself_to_others(annotator):
    with pytest.raises(ServeError, match="can be reached from other machines"):
        serve(annotator, host="0.0.0.0", port=0)


def test_a_port_that_is_taken_and_a_host_that_is_none(annotator):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(ServeError, match="port .*name another with --port"):
            serve(annotator, port=taken.getsockname()[1])
    with pytest.raises(ServeError, match="no such address"):
        resolve_address("999.1.1.1", 0)


def test_a_token_comes_from_a_file_else_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.delenv("CARABIN_TOKEN", raising=False)
    assert read_token(None) is None
    monkeypatch.setenv("CARABIN_TOKEN", f"{TOKEN}\n")
    assert read_token(None) == TOKEN
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}-of-the-file\r\n")
    assert read_token(path) == f"{TOKEN}-of-the-file"


@pytest.mark.parametrize("content", [b"", b"\n", b"short", b"two words of a token", "é".encode() * 20, b"\xff" * 20])
def test_a_token_that_cannot_guard_is_refused_and_not_shown(content, tmp_path, monkeypatch):
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(ServeError) as caught:
        read_token(path)
    assert str(path) in str(caught.value)
    if content.strip():
        assert content.decode(errors="replace").strip() not in str(caught.value)
    with pytest.raises(ServeError, match="No such file"):
        read_token(tmp_path / "gone")
    # An empty variable is a mistake of whoever set it, not the wish for no token.
    monkeypatch.setenv("CARABIN_TOKEN", "")
    with pytest.raises(ServeError, match="CARABIN_TOKEN"):
        read_token(None)


@pytest.mark.parametrize(
    "options",
    [{"queue": 0}, {"timeout_seconds": 0}, {"timeout_seconds": float("inf")}, {"timeout_seconds": float("nan")},
     {"max_body_bytes": 0}, {"max_documents": 0}, {"max_characters": -1}, {"token": "short"}, {"hosts": ()}],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused(options):
    with pytest.raises(ServeError):
        ServeSettings(**options)


def test_without_the_extra_the_way_out_is_told(annotator, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("fastapi", "carabin.serving.app"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    with pytest.raises(ServeError, match=r"package 'fastapi' is not installed; pip install 'carabin\[serve\]'"):
        create_app(annotator)


@pytest.mark.parametrize(
    ("options", "code", "cause"),
    [
        (["--host", "0.0.0.0"], 1, "--token-file FILE"),
        (["--threshold", "DISEASE=0.5"], 1, "not a label"),
        (["--token-file", "gone"], 1, "gone: No such file"),
        (["--port", "99999"], 2, "port"),
    ],
)
def test_what_cannot_be_served_is_one_line_and_an_exit_code(student, options, code, cause):
    command = [sys.executable, "-m", "carabin", "serve", "--model", str(student), "--port", "0", *options]
    result = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert result.returncode == code, result.stderr
    assert cause in result.stderr
    assert result.stderr.startswith("carabin: ")
    assert result.stderr.count("\n") == 1


def test_importing_the_typed_calls_loads_no_web_framework():
    # `carabin --help` and every other command import this module's neighbours.
    code = "import sys, carabin.serve, carabin.cli; print({'fastapi', 'uvicorn', 'pydantic'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180, check=True)
    assert result.stdout.strip() == "set()"
    assert serving.create_app is create_app
