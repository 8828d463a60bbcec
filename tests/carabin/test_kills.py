"""Killed at any instant and resumed, a run ends with the bytes of one that was not: no document missing, none twice."""

import random
import signal

import pytest

from tests.carabin.format_cases import OUTPUTS, write_notes
from tests.carabin.killed_process import run_for

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")

FOREVER = 300
LEFT = {"notes.jsonl", "whole", "whole.errors.jsonl", "whole.run.json", "out", "out.errors.jsonl", "out.run.json"}


def content(path):
    """Return the bytes of a file, or of each file of a folder."""
    if path.is_dir():
        return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}
    return path.read_bytes()


def survive_kills(tmp_path, student, form, kills, seed):
    notes = write_notes(tmp_path / "notes.jsonl", 100)
    command = ["annotate", notes, "--model", student, "--threads", "1", "--to", form]
    whole, out = tmp_path / "whole", tmp_path / "out"
    run_for(["--version"], FOREVER)
    code, duration = run_for([*command, "-o", whole], FOREVER)
    assert code == 3
    expected = [content(whole), content(tmp_path / "whole.errors.jsonl")]
    assert len(expected[0]) >= 100
    choose, survived = random.Random(seed), 0
    while survived < kills:
        code, taken = run_for([*command, "-o", out, "--resume"], choose.uniform(0.02, 0.7) * duration)
        assert code in (3, -signal.SIGKILL)
        survived += code == -signal.SIGKILL
        if out.exists():
            assert content(out) == expected[0]
        if code == 3:
            # On a machine that was busy while the whole run was timed, every kill would come too late, for ever.
            duration = min(duration, taken)
            (tmp_path / "out.run.json").unlink()
            out.rename(tmp_path / f"done-{survived}-{choose.random()}")
    assert run_for([*command, "-o", out, "--resume"], FOREVER)[0] == 3
    assert [content(out), content(tmp_path / "out.errors.jsonl")] == expected
    assert {path.name for path in tmp_path.iterdir() if not path.name.startswith("done-")} == LEFT


@pytest.mark.parametrize("form", ["jsonl", "brat"])
def test_killed_at_random_the_run_ends_with_the_same_bytes(tmp_path, lively_student, form):
    survive_kills(tmp_path, lively_student, form, kills=2, seed=3)


@pytest.mark.slow
@pytest.mark.parametrize("form", OUTPUTS)
def test_fifty_kills_over_every_form_of_output(tmp_path, lively_student, form):
    """Five of each of the ten forms."""
    survive_kills(tmp_path, lively_student, form, kills=-(-50 // len(OUTPUTS)), seed=50)
