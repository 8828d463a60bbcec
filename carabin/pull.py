"""Get a student from the Hub or a mirror: fetched beside its place, verified whole, then named by rename.

>>> from carabin.pull import pull
>>> pull("organisation/bert-small@v1.0", public_key="publisher.pub")

Only files that the repository's manifest lists are fetched, each of a kind that students hold; a repository with a
pickle or a program in it is refused as a whole. A broken pull goes on, file by file, when it is called again.

For a machine with no network, pull on another one and copy what came:

    carabin pull organisation/bert-small@v1.0 --to bert-small --public-key publisher.pub
    # carry the folder bert-small and the key across, then on the machine without network:
    carabin verify bert-small --public-key publisher.pub
    carabin annotate notes.parquet -o entities.parquet --model bert-small

or copy the whole store (`carabin.trust.student_store`) and go on calling the student organisation/bert-small@v1.0.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from carabin.errors import ModelError
from carabin.trust.hub_client import HubClient, PullError
from carabin.trust.manifest import LARGEST_MANIFEST, MANIFEST, SIGNATURE, ListedFile, read_manifest
from carabin.trust.student_store import COMMIT, StudentId, pulled_commits, ref_path, repository_folder
from carabin.verify import Verification, refuse_kinds, verify

__all__ = ["PullError", "Pulled", "pull"]

MAIN = "main"


@dataclass(frozen=True, slots=True)
class Pulled:
    """A student that is on this machine, and verified."""

    student: StudentId
    """As it was asked for."""
    commit: str
    found: bool
    """It was here already; nothing was fetched."""
    verification: Verification

    @property
    def folder(self) -> Path:
        """The student's folder."""
        return self.verification.folder


def pull(
    student: str | StudentId,
    to: Path | str | None = None,
    endpoint: str | None = None,
    public_key: Path | str | None = None,
    require_signature: bool = False,
) -> Pulled:
    """Fetch a student, verify it, and put it in its place.

    Args:
        student: `organisation/name@revision`; without a revision, the main branch as it is now.
        to: A folder that does not exist yet, or is empty; without it, the student store.
        endpoint: Address of a mirror; else HF_ENDPOINT, else the public Hub. HF_TOKEN opens private repositories.
        public_key: PEM file of the publisher's public key; with it, a valid signature is required.
        require_signature: Refuse to go without a checked signature.

    Raises:
        PullError: not fetched: no network, no right, no such revision, no room.
        ModelError: fetched, but not a student to be trusted; nothing is kept.
    """
    wanted = _parse(student)
    if require_signature and public_key is None:
        raise PullError(f"{wanted}: a signature is required, and no key given to check it; give --public-key FILE")
    if to is not None and Path(to).exists() and (not Path(to).is_dir() or any(Path(to).iterdir())):
        raise PullError(f"{to}: exists; name a folder that does not, or delete it")
    if to is None and wanted.revision in pulled_commits(wanted):
        # A commit never changes: it is here, and no network is needed to know it.
        folder = repository_folder(wanted) / str(wanted.revision)
        return Pulled(wanted, folder.name, True, _verify_found(folder, public_key, require_signature))
    hub = HubClient(wanted.repository, endpoint)
    commit, sizes = hub.find(wanted.revision or MAIN)
    _check_commit(wanted, commit)
    folder = Path(to) if to is not None else repository_folder(wanted) / commit
    found = to is None and folder.is_dir()
    if found:
        verification = _verify_found(folder, public_key, require_signature)
    else:
        verification = _fetch(hub, wanted, commit, sizes, folder, public_key, require_signature)
    if to is None:
        _write_ref(wanted, commit)
    return Pulled(wanted, commit, found, verification)


def _parse(student: str | StudentId) -> StudentId:
    if isinstance(student, StudentId):
        return student
    parsed = StudentId.parse(student)
    if parsed is None:
        raise PullError(f"{student!r}: not the name of a student on a Hub; write organisation/name@revision")
    return parsed


def _check_commit(wanted: StudentId, commit: str) -> None:
    # It becomes the name of a folder; and a tag may be called like somebody else's commit.
    if not COMMIT.fullmatch(commit):
        raise PullError(f"{wanted}: the mirror answered {commit[:80]!r} for a commit; do not use that mirror")
    if wanted.revision and COMMIT.fullmatch(wanted.revision) and wanted.revision != commit:
        raise PullError(f"{wanted}: the mirror answered commit {commit} instead; do not use that mirror")


def _fetch(
    hub: HubClient,
    wanted: StudentId,
    commit: str,
    sizes: Mapping[str, int | None],
    folder: Path,
    public_key: Path | str | None,
    require_signature: bool,
) -> Verification:
    """Fetch a commit into `.<commit>.partial` beside the folder, verify it there, and give it the folder's name."""
    from filelock import FileLock, Timeout

    partial = folder.absolute().parent / f".{commit[:16]}.partial"
    partial.mkdir(parents=True, exist_ok=True)
    lock = FileLock(partial.with_suffix(".lock"), timeout=0)
    try:
        with lock:
            _fetch_files(hub, wanted, commit, sizes, partial)
            shutil.rmtree(partial / ".cache", ignore_errors=True)
            verification = _verify_fetched(wanted, partial, public_key, require_signature)
            if folder.is_dir():
                folder.rmdir()
            partial.rename(folder)
    except Timeout:
        raise PullError(f"{wanted}: another pull is fetching it into {partial}; wait for that one") from None
    with suppress(OSError):
        # Windows deletes no file that another pull has just opened to wait for.
        Path(lock.lock_file).unlink()
    return replace(verification, folder=folder)


def _fetch_files(
    hub: HubClient, wanted: StudentId, commit: str, sizes: Mapping[str, int | None], partial: Path
) -> None:
    refuse_kinds(str(wanted), sizes)
    if MANIFEST not in sizes:
        raise PullError(f"{wanted}: has no {MANIFEST}, so it is not a student that Carabin published; check the name")
    if (sizes[MANIFEST] or 0) > LARGEST_MANIFEST:
        raise ModelError(f"{wanted}: its {MANIFEST} is larger than {LARGEST_MANIFEST:,} bytes; do not use this student")
    hub.fetch(MANIFEST, commit, partial)
    try:
        listed = read_manifest(partial)
        _check_plan(wanted, listed, sizes, partial)
    except ModelError as error:
        _discard(wanted, partial, error)
    for name in (*sorted(listed), *([SIGNATURE] if SIGNATURE in sizes else [])):
        hub.fetch(name, commit, partial)


def _check_plan(
    wanted: StudentId, listed: Mapping[str, ListedFile], sizes: Mapping[str, int | None], partial: Path
) -> None:
    """Refuse, before it is fetched, what could not be right once it is here."""
    refuse_kinds(str(wanted), listed)
    for name, entry in listed.items():
        if name not in sizes:
            raise ModelError(f"{wanted}: {name} is listed in {MANIFEST}, but not there; ask its publisher")
        if sizes[name] not in (None, entry.size):
            raise ModelError(f"{wanted}: {name} is not of the size that {MANIFEST} gives; ask its publisher")
    needed = sum(entry.size for name, entry in listed.items() if not (partial / name).is_file())
    free = shutil.disk_usage(partial).free
    if needed > free:
        raise PullError(f"{partial.parent}: {needed / 1e6:,.0f} MB needed, {free / 1e6:,.0f} free; make room there")


def _verify_fetched(
    wanted: StudentId, partial: Path, public_key: Path | str | None, require_signature: bool
) -> Verification:
    try:
        return verify(partial, public_key, require_signature)
    except ModelError as error:
        _discard(wanted, partial, error)


def _verify_found(folder: Path, public_key: Path | str | None, require_signature: bool) -> Verification:
    try:
        return verify(folder, public_key, require_signature)
    except ModelError as error:
        raise ModelError(f"{error} (it was pulled before: delete {folder}, then pull)") from None


def _discard(wanted: StudentId, partial: Path, error: ModelError) -> NoReturn:
    """Delete what cannot be trusted, so that nobody uses it and the next pull starts anew; and say why."""
    shutil.rmtree(partial, ignore_errors=True)
    raise ModelError(f"{str(error).replace(str(partial) + os.sep, f'{wanted}: ')} (nothing is kept)") from None


def _write_ref(wanted: StudentId, commit: str) -> None:
    revision = wanted.revision or MAIN
    if revision == commit:
        return
    path = ref_path(wanted, revision)
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_name(f".{path.name}.{os.getpid()}")
    written.write_text(f"{commit}\n", encoding="ascii")
    written.replace(path)
