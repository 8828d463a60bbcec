"""What the front door promises: targets that do something, a tree that is the tree, files that may be in git."""

from __future__ import annotations

import re
import subprocess

import pytest

from zoo.registry import REPOSITORY, Registry

STUDENTS = Registry().student_ids()


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)


def tracked() -> list[str]:
    result = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip("not a git checkout")
    return [name for name in result.stdout.splitlines() if (REPOSITORY / name).exists()]


@pytest.mark.parametrize("student", STUDENTS)
def test_every_student_has_a_target_that_trains_it(student):
    """A phony target that only a pattern rule matches says "nothing to be done" and exits with 0."""
    result = make("--dry-run", f"train-{student}", "SEED=7")
    assert result.returncode == 0, result.stderr
    family = student.partition("-")[0]
    assert f"training.train_{family} --student {student} --profile local --seed 7" in result.stdout
    assert f"runs/{student}/local/seed-7" in result.stdout


def test_make_alone_prints_every_target():
    printed = set(re.findall(r"^  make (\S+)", make().stdout, re.M))
    phony = re.search(r"^\.PHONY: (.*)$", make("--print-data-base", "--dry-run", "help").stdout, re.M)
    assert phony is not None
    assert printed == set(phony[1].split())


def test_a_push_without_a_place_says_what_to_type():
    result = make("push-bert-small", "-o", "environments")
    assert result.returncode != 0 and "REPO=org/name" in result.stderr


def test_the_readme_prints_the_tree_and_the_test_command():
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    folders = {name.split("/")[0] for name in tracked() if "/" in name} - {".ci"}
    assert {name for name in folders if f"{name}/ " not in readme} == set()
    assert "make test" in readme and "make test" in (REPOSITORY / ".ci" / "run").read_text()


def test_no_file_is_too_large_or_named_after_nothing():
    for name in tracked():
        path = REPOSITORY / name
        assert path.stat().st_size <= 1_000_000 or path.suffix == ".onnx", name
        assert path.name not in {"utils.py", "helpers.py", "misc.py", "common.py"}, name
