"""Steps: what would be taken for whole though it is not, or reused though it is another's."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from zoo.registry import REPOSITORY
from zoo.runs import RECORD, RunError, fingerprint, hash_files, is_done, read_json, run_step, write_json


def write_two(into):
    (into / "a.txt").write_text("a")
    (into / "b.txt").write_text("b")


def test_a_step_is_done_once_and_says_for_what(tmp_path):
    calls = []
    step = tmp_path / "step"
    for _ in range(2):
        run_step(step, {"x": 1}, lambda into: calls.append(write_two(into)), seed=7)
    assert len(calls) == 1
    record = read_json(step / RECORD)
    assert record["files"] == hash_files(step) and set(record["files"]) == {"a.txt", "b.txt"}
    assert record["inputs"] == {"x": 1} and record["seed"] == 7
    assert {"command", "commit", "date", "software"} <= set(record)


def test_two_runs_that_share_a_step_make_it_once(tmp_path, capsys):
    """Two seeds started side by side would write their common encoder into one folder."""
    step, begun, may_end, calls = tmp_path / "step", Event(), Event(), []

    def slow(into):
        begun.set()
        calls.append(write_two(into))
        assert may_end.wait(30)

    with ThreadPoolExecutor() as pool:
        first = pool.submit(run_step, step, {"x": 1}, slow)
        assert begun.wait(30)
        second = pool.submit(run_step, step, {"x": 1}, lambda into: calls.append(write_two(into)))
        while "waiting for it" not in (said := capsys.readouterr().err):
            time.sleep(0.01)
        assert not second.done() and str(step) in said
        may_end.set()
    assert (first.result(), second.result(), len(calls)) == (True, False, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["step"]


def test_other_inputs_never_reuse_it(tmp_path):
    step = tmp_path / "step"
    run_step(step, {"x": 1}, write_two)
    assert not is_done(step, {"x": 2})
    run_step(step, {"x": 2}, lambda into: (into / "only.txt").write_text("2") and None)
    assert set(hash_files(step)) == {"only.txt"}, "a file of the earlier inputs survived"


def test_a_failed_step_leaves_no_folder_and_keeps_what_it_had(tmp_path):
    step = tmp_path / "step"

    def fail(into):
        write_two(into)
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        run_step(step, {"x": 1}, fail)
    assert not step.exists()
    seen = []
    run_step(step, {"x": 1}, lambda into: seen.append(sorted(path.name for path in into.iterdir())) or write_two(into))
    assert {"a.txt", "b.txt"} <= set(seen[0]), "the same inputs go on from what is there"


def test_what_a_killed_call_left_is_not_taken_up_by_other_inputs(tmp_path):
    step = tmp_path / "step"
    with pytest.raises(KeyboardInterrupt):
        run_step(step, {"x": 1}, lambda into: write_two(into) or (_ for _ in ()).throw(KeyboardInterrupt))
    seen = []
    run_step(step, {"x": 2}, lambda into: seen.append(sorted(path.name for path in into.iterdir())))
    assert seen == [["claim.json"]]


def test_kill_9_leaves_nothing_that_looks_whole(tmp_path):
    code = (
        "import sys, time, pathlib\nfrom zoo.runs import run_step\n"
        "def work(into):\n (into/'a.txt').write_text('a'); print('there', flush=True); time.sleep(60)\n"
        "run_step(pathlib.Path(sys.argv[1]), {'x': 1}, work)"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", code, str(tmp_path / "step")]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "step").exists()
    assert not is_done(tmp_path / "step", {"x": 1})


def test_a_full_disk_is_one_line_with_the_way_out(tmp_path):
    """A real refusal of the kernel: no file may grow past 100 kB."""
    code = (
        "import sys, pathlib\nfrom zoo.runs import RunError, run_step\n"
        "def work(into):\n (into/'big').write_bytes(bytes(1_000_000))\n"
        "try: run_step(pathlib.Path(sys.argv[1]), {'x': 1}, work)\nexcept RunError as e: print(e)"
    )

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code, str(tmp_path / "step")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, preexec_fn=limit, check=False)
    assert "run the same command again" in result.stdout and result.stdout.count("\n") == 1, result.stderr
    assert not (tmp_path / "step").exists()


def test_write_json_shows_the_old_file_or_the_new_one(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1}


def test_damaged_json_names_the_file_and_the_way_out(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('{"a": ')
    with pytest.raises(RunError, match=r"x\.json: damaged .* delete it"):
        read_json(path)


def test_fingerprints_are_the_same_in_every_process():
    """`hash()` of a string differs between processes: a key made with it would never be found again."""
    code = "from zoo.runs import fingerprint; print(fingerprint({'b': [1, 'é'], 'a': {'x', 'y'}}))"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**environment, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert outputs == {fingerprint({"a": {"y", "x"}, "b": [1, "é"]}) + "\n"}


def test_a_record_does_not_depend_on_the_clock(tmp_path):
    run_step(tmp_path / "one", {"x": 1}, write_two)
    time.sleep(0.01)
    run_step(tmp_path / "two", {"x": 1}, write_two)
    one, two = (read_json(tmp_path / name / RECORD) for name in ("one", "two"))
    assert one["inputs_sha256"] == two["inputs_sha256"] and one["files"] == two["files"]
