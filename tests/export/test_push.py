"""Publishing: what reaches the Hub, what must never reach it, and that a failed push says so."""

import math
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from typer.testing import CliRunner

from export.push import PublishError, app, check_publishable
from export.push_files import looks_like_pickle
from tests.export.repository_fixture import build_repository, edit_json, seal, write_manifest
from tests.hub.loopback import LoopbackHub

pytest_plugins = ["tests.hub.fixtures"]

TARGET = "hospital/bert-tiny"
Change = Callable[[Path], object]
PASSED = {"max_abs_logit_difference": 1e-6, "tolerance": 1e-4, "passed": True}


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A publishable repository, built once."""
    return build_repository(tmp_path_factory.mktemp("pristine") / "repository")


@pytest.fixture
def folder(pristine: Path, tmp_path: Path) -> Path:
    """A publishable repository that the test may damage."""
    return Path(shutil.copytree(pristine, tmp_path / "repository"))


def run_push(hub: LoopbackHub, folder: Path, *options: str, to: str = TARGET, **env: str) -> CompletedProcess[str]:
    """Run the command as `make push-…` does."""
    return hub.run("-m", "export.push", "--repository", str(folder), "--to", to, *options, COLUMNS="200", **env)


def actions(output: str) -> dict[str, str]:
    """Return {file: action} from the printed table."""
    rows = [line.split() for line in output.splitlines()]
    return {row[0]: row[-1] for row in rows if row and row[-1] in ("add", "update", "delete", "unchanged")}


def test_first_push_is_one_commit_that_loads_and_second_is_none(hub: LoopbackHub, folder: Path) -> None:
    """A push that uploads something other than the folder, or a commit a day for nothing, would go unseen."""
    first = run_push(hub, folder, "--revision-tag", "v1.0")
    assert first.returncode == 0, first.stderr
    head, *older = hub.repository(TARGET).main_history
    assert f"published {hub.url}/{TARGET}/tree/{head.oid}" in first.stdout
    assert [commit.title for commit in older] == ["initial commit"]
    assert head.title == "Publish bert-tiny: essai/test ner_exact_f1 0.8123"
    assert "manifest sha256: " in head.description
    assert hub.repository(TARGET).references["refs/tags/v1.0"] == head.oid

    second = run_push(hub, folder, "--revision-tag", "v1.0")
    assert second.returncode == 0, second.stderr
    assert "nothing to do" in second.stdout
    assert hub.repository(TARGET).main_history[0] == head

    seen = hub.run_python(
        f"""
        from huggingface_hub import snapshot_download
        from transformers import AutoModelForTokenClassification, AutoTokenizer
        path = snapshot_download("{TARGET}", revision="v1.0")
        model = AutoModelForTokenClassification.from_pretrained("{TARGET}", revision="v1.0").eval()
        ids = AutoTokenizer.from_pretrained("{TARGET}", revision="v1.0")("Fièvre et toux.", return_tensors="pt")
        answer({{"path": path, "shape": list(model(**ids).logits.shape), "labels": model.config.id2label}})
        """,
        HF_TOKEN="hf_bob",
    )
    assert seen["shape"] == [1, 6, 3], "[CLS] fièvre et toux . [SEP]"
    assert seen["labels"] == {"0": "O", "1": "B-DISO", "2": "I-DISO"}
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    snapshot = Path(seen["path"])
    downloaded = {path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file()}
    assert downloaded == {*files, ".gitattributes"}
    assert all((snapshot / name).read_bytes() == path.read_bytes() for name, path in files.items())


def test_only_what_changed_is_committed_and_stale_files_go(hub: LoopbackHub, folder: Path) -> None:
    """An INT8 file that no longer passes its gate must leave the Hub, in the same commit as the rest."""
    run_push(hub, folder)
    (folder / "onnx/model_quantized.onnx").unlink()
    edit_json(folder / "parity.json", int8={"published": False, "passed": False, "why": "F1 fell by 2 points"})
    seal(folder)
    planned = actions(run_push(hub, folder, "--dry-run").stdout)
    assert {name: action for name, action in planned.items() if action != "unchanged"} == {
        "manifest.json": "update",
        "onnx/model_quantized.onnx": "delete",
        "parity.json": "update",
    }
    result = run_push(hub, folder)
    assert result.returncode == 0, result.stderr
    assert len(hub.repository(TARGET).main_history) == 3
    assert "onnx/model_quantized.onnx" not in hub.repository(TARGET).main_history[0].files
    assert hub.content(TARGET, "parity.json") == (folder / "parity.json").read_bytes()


def test_dry_run_sends_no_write_request(hub: LoopbackHub, folder: Path) -> None:
    """A dry run that creates the repository, or uploads before it asks, publishes by accident."""
    result = run_push(hub, folder, "--dry-run", "--revision-tag", "v1.0")
    assert result.returncode == 0, result.stderr
    assert f"{hub.url}/{TARGET} (new)" in result.stdout
    assert "verdict  open" in result.stdout
    assert set(actions(result.stdout).values()) == {"add"}
    assert len(actions(result.stdout)) == sum(path.is_file() for path in folder.rglob("*"))
    assert hub.write_requests == []
    assert hub.state.store.repositories == {}


def test_research_only_goes_to_private_repositories_only(hub: LoopbackHub, folder: Path) -> None:
    """`exist_ok` leaves an existing public repository public: asking for a private one would not be enough."""
    verdict = {"level": "research-only", "reasons": ["CC-BY-NC"], "obligations": []}
    edit_json(folder / "lineage.json", verdict=verdict)
    write_manifest(folder)
    refused = run_push(hub, folder)
    assert (refused.returncode, hub.write_requests) == (2, [])
    assert "--private" in refused.stderr

    accepted = run_push(hub, folder, "--private")
    assert accepted.returncode == 0, accepted.stderr
    assert hub.repository(TARGET).private

    hub.repository(TARGET).private = False
    (folder / "LICENSE").write_text("other\n")
    write_manifest(folder)
    public = run_push(hub, folder, "--private")
    assert public.returncode == 2
    assert "is public" in public.stderr


def test_a_failed_upload_is_a_failed_push(hub: LoopbackHub, folder: Path) -> None:
    """A publish step that swallows its failure lets a release believe it happened; the next try must complete it."""
    hub.fail_once("POST", "/commit/", 500)
    assert run_push(hub, folder).returncode == 1
    hub.fail_once("POST", "/commit/", 412)
    overtaken = run_push(hub, folder)
    assert overtaken.returncode == 2
    assert "someone else committed meanwhile" in overtaken.stderr
    for method, path in (("POST", "/objects/batch"), ("PUT", "/_lfs/")):
        shutil.rmtree(hub.state.store.root / "lfs")
        (hub.state.store.root / "lfs").mkdir()
        hub.fail_once(method, path, 400)
        failed = run_push(hub, folder)
        assert failed.returncode == 1
        assert len(failed.stderr.strip().splitlines()) == 1, failed.stderr
    assert len(hub.repository(TARGET).main_history) == 1, "a failed push left a commit"
    assert run_push(hub, folder).returncode == 0
    assert len(hub.repository(TARGET).main_history) == 2


def test_targets_that_are_not_ours(hub: LoopbackHub, folder: Path) -> None:
    """A mistyped name must not empty somebody's repository, nor a tag move to other files."""
    hub.state.store.create_repository("model", TARGET, "alice", private=False)
    repository = hub.repository(TARGET)
    files = {**repository.main_history[0].files, "thesis.txt": hub.state.store.write_blob(b"ten years of work")}
    hub.state.store.commit(repository, "refs/heads/main", files, "thesis", "", "alice")
    foreign = run_push(hub, folder)
    assert (foreign.returncode, hub.write_requests) == (2, [])
    assert "thesis.txt" in foreign.stderr

    assert run_push(hub, folder, "--revision-tag", "v1", to="hospital/other").returncode == 0
    (folder / "LICENSE").write_text("other\n")
    write_manifest(folder)
    moved = run_push(hub, folder, "--revision-tag", "v1", to="hospital/other")
    assert moved.returncode == 2
    assert len(hub.repository("hospital/other").main_history) == 2

    rights = run_push(hub, folder, HF_TOKEN="hf_bob")
    assert rights.returncode == 2, "bob sees the public repository, and that it is not a student's"


FAILURES = {
    "no right": ({"HF_TOKEN": "hf_bob"}, "HF_TOKEN may write"),
    "unknown token": ({"HF_TOKEN": "hf_nobody"}, "HF_TOKEN may write"),
    "no token": ({"HF_TOKEN": ""}, "HF_TOKEN may write"),
    "offline": ({"HF_HUB_OFFLINE": "1"}, "HF_HUB_OFFLINE"),
    "nobody listens": ({"HF_ENDPOINT": "http://127.0.0.1:9"}, "check HF_ENDPOINT"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_hub_that_says_no_is_one_line(name: str, hub: LoopbackHub, folder: Path) -> None:
    """Exit code 1, the address that was used, the cause and the way out; no traceback, nothing created."""
    environment, expected = FAILURES[name]
    failed = run_push(hub, folder, **environment)
    assert failed.returncode == 1
    assert expected in failed.stderr
    assert len(failed.stderr.strip().splitlines()) == 1, failed.stderr
    assert environment.get("HF_ENDPOINT", hub.url) in failed.stderr
    assert hub.state.store.repositories == {}


def damage(change: Change, *, then: Change = write_manifest) -> Change:
    """Return a change of a folder followed by what the exporter would do after it."""

    def apply(folder: Path) -> None:
        change(folder)
        then(folder)

    return apply


def nothing(_: Path) -> None:
    """Leave the folder, and so its manifest, as it is."""


def set_verdict(level: str, reason: object = "clause 2") -> Change:
    """Return a change of the licence verdict."""
    verdict = {"level": level, "reasons": [reason, "clause 9"]}
    return damage(lambda folder: edit_json(folder / "lineage.json", verdict=verdict))


def set_parity(**fields: object) -> Change:
    """Return a change of parity.json."""
    return damage(lambda folder: edit_json(folder / "parity.json", **fields))


REFUSALS: dict[str, tuple[Change, str]] = {
    "no metrics": (damage(lambda f: (f / "metrics.json").unlink()), "metrics.json is missing"),
    "unreadable metrics": (
        damage(lambda f: (f / "metrics.json").write_text('{"splits": ')),
        "unreadable",
    ),
    "binary metrics": (damage(lambda f: (f / "metrics.json").write_bytes(b"\xff\xfe{}")), "unreadable"),
    "metrics are a list": (damage(lambda f: (f / "metrics.json").write_text("[]")), "not a JSON object"),
    "no split": (damage(lambda f: edit_json(f / "metrics.json", splits={})), "has no split"),
    "no known metric": (damage(lambda f: edit_json(f / "metrics.json", splits={"test": {"f1": 1}})), "ner_exact_f1"),
    "NaN metric": (
        damage(lambda f: edit_json(f / "metrics.json", splits={"test": {"ner_exact_f1": math.nan}})),
        "ner_exact_f1",
    ),
    "no verdict": (damage(lambda f: edit_json(f / "lineage.json", verdict=None)), "has no licence verdict"),
    "evaluation-only": (set_verdict("evaluation-only"), "evaluation-only (clause 2)"),
    "refused": (
        set_verdict("refused", {"subject": "teacher 'x'", "level": "refused", "why": "no licence"}),
        "refused (teacher 'x': no licence)",
    ),
    "unknown verdict": (set_verdict("Open"), "verdict is Open"),
    "no parity": (damage(lambda f: (f / "parity.json").unlink()), "parity.json is missing"),
    "never compared": (set_parity(torch_vs_onnx=None), "never compared"),
    "not passed": (set_parity(torch_vs_onnx={**PASSED, "passed": False}), "torch and ONNX differ"),
    "says passed, is not": (set_parity(torch_vs_onnx={**PASSED, "max_abs_logit_difference": 0.1}), "differ by 0.1"),
    "NaN logits": (set_parity(torch_vs_onnx={**PASSED, "max_abs_logit_difference": math.nan}), "differ by nan"),
    "INT8 failed": (set_parity(int8={"published": False, "passed": False, "why": "lost 2 points"}), "lost 2 points"),
    "INT8 passed, unpublished": (set_parity(int8={"published": False, "passed": True}), "did not pass its gate"),
    "INT8 says passed, is not": (
        set_parity(int8={"published": True, "passed": True, "f1_fp32": 0.81, "f1_int8": 0.80}),
        "F1 0.8 against 0.81",
    ),
    "INT8 unmeasured": (set_parity(int8={"published": True, "passed": True}), "never measured"),
    "INT8 never judged": (set_parity(int8=None), "never judged"),
    "INT8 vanished": (damage(lambda f: (f / "onnx/model_quantized.onnx").unlink()), "and no file is"),
    "no ONNX": (damage(lambda f: shutil.rmtree(f / "onnx")), "holds no ONNX file"),
    "stale card": (damage(lambda f: (f / "README.md").write_text("---\nlicense: mit\n---\n")), "README.md: stale"),
    "changed weights": (
        damage(lambda f: (f / "model.safetensors").write_bytes(b"\0" * 8), then=nothing),
        "model.safetensors: not the size",
    ),
    "same size, other bytes": (
        damage(lambda f: (f / "LICENSE").write_text("Apache License 1.0\n"), then=nothing),
        "LICENSE: not the sha256",
    ),
    "unlisted file": (
        damage(lambda f: (f / "notes.txt").write_text("Mme X"), then=nothing),
        "notes.txt: not in",
    ),
    "listed, not there": (damage(lambda f: (f / "onnx/model.onnx").unlink(), then=nothing), "model.onnx: in"),
    "no file list": (damage(lambda f: edit_json(f / "manifest.json", files=None), then=nothing), 'has no "files"'),
    "pickle by name": (damage(lambda f: (f / "training_args.bin").write_bytes(b"x")), "can run code"),
    "pickle by content": (damage(lambda f: (f / "data.txt").write_bytes(pickle.dumps([1]))), "data.txt: a pickle"),
    "pickle called safetensors": (
        damage(lambda f: (f / "model.safetensors").write_bytes(pickle.dumps([1] * 9))),
        "model.safetensors: a pickle",
    ),
    "link": (damage(lambda f: (f / "link.txt").symlink_to("/etc/hostname")), "symbolic link"),
    "no weights": (damage(lambda f: (f / "model.safetensors").unlink()), "model.safetensors is missing"),
    "no folder": (damage(shutil.rmtree, then=nothing), "no such folder"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_unfit_folders_are_refused_before_any_request(name: str, folder: Path) -> None:
    """Each refusal names the thing, the cause and the way out on one line, with exit code 2 (no Hub is running)."""
    change, expected = REFUSALS[name]
    check_publishable(folder)
    change(folder)
    with pytest.raises(PublishError):
        check_publishable(folder)
    result = CliRunner().invoke(app, ["--repository", str(folder), "--to", TARGET])
    assert result.exit_code == 2, result.output
    assert expected in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "; " in result.stderr, "no way out is given"


@pytest.mark.parametrize("target", ["bert-tiny", "a/b/c", "hospital/", "hospital/bert--tiny", "models:x/y"])
def test_bad_targets_are_refused(target: str, folder: Path) -> None:
    """A name without namespace would publish under whoever's token is at hand."""
    result = CliRunner().invoke(app, ["--repository", str(folder), "--to", target])
    assert result.exit_code == 2
    assert "organisation/name" in result.stderr


def test_a_repository_without_int8_is_fit(tmp_path: Path) -> None:
    """No INT8 file, because the gate refused it, is an honest outcome and must not block the rest."""
    check_publishable(build_repository(tmp_path / "repository", int8=False))


@pytest.mark.parametrize("length", [0x0280, 0x4B50])
def test_weights_may_start_like_a_pickle(length: int) -> None:
    """A header of 640 or 19,280 bytes spells the first bytes of a pickle or a zip: good weights, not to be refused."""
    start = length.to_bytes(8, "little") + b"{"
    assert not looks_like_pickle("model.safetensors", start)
    assert looks_like_pickle("data.txt", start)
