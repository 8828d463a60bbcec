"""The teacher pass over several processes: nothing labelled twice, skipped, or lost but what a kill was at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from training.teacher_pass import read_targets
from zoo.registry import REPOSITORY
from zoo.runs import read_json

DOCUMENTS, SHARD = 22, 4
PASS = """
import os, signal, sys
from pathlib import Path
import numpy as np
from carabin.documents import Document
from carabin.tokens.words import find_words
from training.processes import Processes
from training.teacher_pass import write_targets
from zoo.runs import run_step

group = Processes()
kill_at, n_documents, shard = map(int, sys.argv[2:])

class Labeller:
    '''Signs each distribution with the number of the process that gave it; process 1 may be killed at its n-th call.'''
    tags = ("O", "B-DISO", "I-DISO")
    calls = 0
    def word_probabilities(self, texts):
        self.calls += 1
        if group.number == group.count - 1 and self.calls == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        rows = np.asarray([0.5, 0.25 * group.number, 0.5 - 0.25 * group.number], np.float32)
        return [(find_words(text), np.tile(rows, (len(find_words(text)), 1))) for text in texts]

documents = [Document(f"d{n}", "mot " * (1 + n)) for n in range(n_documents)]
run_step(
    Path(sys.argv[1]), "inputs",
    lambda into: write_targets(Labeller(), documents, into, shard_documents=shard, group=group), group=group,
)
"""


def label(folder: Path, processes: int, kill_at: int = 0) -> int:
    """Run the pass in so many processes; return the exit status."""
    program = folder.with_suffix(".py")
    program.write_text(PASS, encoding="utf-8")
    launch = [sys.executable]
    if processes > 1:
        launch += ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    command = [*launch, str(program), str(folder), *map(str, (kill_at, DOCUMENTS, SHARD))]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert kill_at or result.returncode == 0, result.stderr[-3000:]
    return result.returncode


def check_whole(folder: Path) -> list[int]:
    """Check that every document is there, once, in order; return which process labelled each."""
    rows = list(read_targets(folder, 3))
    assert [name for name, _, _ in rows] == [f"d{number}" for number in range(DOCUMENTS)]
    assert [len(words) for _, words, _ in rows] == [1 + number for number in range(DOCUMENTS)]
    return [int(probabilities[0, 1] / np.float16(0.25)) for _, _, probabilities in rows]


@pytest.mark.slow
def test_two_processes_share_the_shards_and_a_kill_costs_one(tmp_path: Path):
    folder = tmp_path / "targets"
    assert label(folder, 2, kill_at=2) != 0
    assert not folder.exists(), "a pass that lacks shards has the name of a whole one"
    left = sorted(path.name for path in (tmp_path / "targets.partial").glob("*.parquet"))
    assert "shard-00001.parquet" in left, "the killed process had finished this one"
    assert "shard-00003.parquet" not in left, "it was at this one"
    kept = {name: (tmp_path / "targets.partial" / name).stat().st_mtime_ns for name in left}

    assert label(folder, 2) == 0
    assert check_whole(folder) == [number // SHARD % 2 for number in range(DOCUMENTS)]
    record = read_json(folder / "run.json")
    assert (record["documents"], record["words"], record["shards"]) == (DOCUMENTS, DOCUMENTS * (DOCUMENTS + 1) // 2, 6)
    assert record["shards_found"] == len(left)
    assert {name: (folder / name).stat().st_mtime_ns for name in left} == kept, "a whole shard was labelled again"
    assert not list(folder.glob("*.writing"))


@pytest.mark.slow
def test_one_process_goes_on_where_two_were_killed(tmp_path: Path):
    folder = tmp_path / "targets"
    label(folder, 2, kill_at=1)
    (tmp_path / "targets.partial" / "shard-00001.writing").write_bytes(b"half a shard")
    label(folder, 1)
    signed = check_whole(folder)
    assert signed[SHARD : 2 * SHARD] == [0] * SHARD
    assert not list(folder.glob("*.writing"))
