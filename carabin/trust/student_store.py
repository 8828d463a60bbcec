"""The student store: where `carabin pull` puts students, so that `--model ID@REVISION` finds them with no network.

    <store>/<organisation>--<name>/<commit>/        a student's folder, verified
    <store>/<organisation>--<name>/refs/<tag>       the commit that a tag or branch named when it was pulled

The store is the folder that CARABIN_STUDENTS names, else `carabin/students` in the user's data folder. It holds nothing
of the machine: copy it whole across an air gap.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from carabin.errors import ModelError

STORE_VARIABLE = "CARABIN_STUDENTS"
COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REPOSITORY = re.compile(r"[A-Za-z0-9_][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95}", re.ASCII)
_REVISION = re.compile(r"[A-Za-z0-9_][\w./+-]{0,199}", re.ASCII)


@dataclass(frozen=True, slots=True)
class StudentId:
    """A student of the Hub: `organisation/name`, or `organisation/name@revision`."""

    repository: str
    revision: str | None = None
    """A commit, tag or branch; None for whichever there is."""

    @classmethod
    def parse(cls, text: str) -> StudentId | None:
        """Return the student that a text names, None if it is not of that form."""
        repository, separator, revision = text.partition("@")
        name = repository.split("/")[-1]
        if not _REPOSITORY.fullmatch(repository) or "--" in repository or ".." in repository or name.endswith(".git"):
            return None
        if not separator:
            return cls(repository)
        # What git allows, and no more: a revision becomes a file name and a part of an address.
        if not _REVISION.fullmatch(revision) or ".." in revision or revision.endswith((".", "/", ".lock")):
            return None
        return cls(repository, revision)

    def __str__(self) -> str:
        return f"{self.repository}@{self.revision}" if self.revision else self.repository


def student_store() -> Path:
    """Return the folder of pulled students; it need not exist."""
    if named := os.environ.get(STORE_VARIABLE):
        return Path(named).expanduser()
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "carabin" / "students"


def repository_folder(student: StudentId) -> Path:
    """Return where the store keeps the commits of a repository."""
    return student_store() / student.repository.replace("/", "--")


def ref_path(student: StudentId, revision: str) -> Path:
    """Return the file that says which commit a tag or branch named."""
    return repository_folder(student) / "refs" / quote(revision, safe="")


def pulled_commits(student: StudentId) -> list[str]:
    """Return the commits of a repository that the store holds, sorted."""
    folder = repository_folder(student)
    if not folder.is_dir():
        return []
    return sorted(path.name for path in folder.iterdir() if COMMIT.fullmatch(path.name) and path.is_dir())


def pulled_student(student: StudentId) -> Path:
    """Return the folder of a pulled student.

    Raises:
        ModelError: it is not in the store, or its revision is not given and there are several.
    """
    commits = pulled_commits(student)
    chosen = [commit for commit in commits if _is_revision(student, commit)]
    if len(chosen) == 1:
        return repository_folder(student) / chosen[0]
    if chosen:
        several = ", ".join(f"{student.repository}@{commit[:12]}" for commit in chosen)
        raise ModelError(f"{student}: several revisions are pulled; name one of {several}")
    others = f"; pulled of it: {', '.join(commit[:12] for commit in commits)}" if commits else ""
    raise ModelError(
        f"{student}: not among the pulled students of {student_store()}{others}; run `carabin pull {student}` where "
        "there is a network"
    )


def _is_revision(student: StudentId, commit: str) -> bool:
    if student.revision is None or commit == student.revision:
        return True
    if (ref := ref_path(student, student.revision)).is_file():
        return ref.read_text(encoding="ascii", errors="replace").strip() == commit
    return len(student.revision) >= 7 and commit.startswith(student.revision)
