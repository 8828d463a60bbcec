"""The journal of a run: finished parts beside the output, so that a killed run goes on where it stood.

`OUT.parts/` holds the run's plan, its parts, and `journal.jsonl` with one line a finished part. A part is written under
another name, renamed, and only then entered in the journal; a torn last line counts for nothing. When all parts are
there they are joined, the result renamed to OUT, and `OUT.run.json` says what made it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from carabin.errors import CarabinError
from carabin.outputs import is_device


class JournalError(CarabinError):
    """A run that cannot be resumed; the message says what changed."""


@dataclass(frozen=True, slots=True)
class PartRecord:
    """A finished part: what it read and what it wrote."""

    read: int
    """Documents taken from the inputs, good or bad."""
    documents: int
    entities: int
    errors: int
    blank: int
    """Documents with nothing but spaces in them."""
    digest: str
    errors_digest: str


class Journal:
    """The parts of one run."""

    def __init__(self, out: Path, suffix: str, plan: Mapping[str, Any], resume: bool) -> None:
        """Open a new journal, or go on with the one a killed run left.

        Args:
            out: The file or folder that the parts will become.
            suffix: Of the parts.
            plan: All that decides the output's bytes; `date` is kept from the first run.
            resume: Go on if there is a journal of the same plan; start afresh if there is none.

        Raises:
            JournalError: the journal there is of another plan, or the output is a folder with other files in it.
        """
        self.out = out
        self.suffix = suffix
        self.folder = out.with_name(out.name + ".parts")
        self.receipt = out.with_name(out.name + ".run.json")
        self.plan = dict(plan)
        self.records: list[PartRecord] = []
        self.complete = False
        shutil.rmtree(self._retired(), ignore_errors=True)
        if resume and (found := _read_json(self.folder / "plan.json")):
            self._compare(found)
            self.plan["date"] = found.get("date")
            self.records = self._finished()
            self._rewrite_lines()
        elif resume and not self.folder.exists() and self._already_done():
            self.complete = True
        else:
            self._keep_foreign_files()
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            self._write(self.folder / "plan.json", json.dumps(self.plan, indent=1) + "\n")

    @property
    def read(self) -> int:
        """Documents already taken from the inputs by finished parts."""
        return sum(record.read for record in self.records)

    def part(self, number: int) -> Path:
        """Return where a part's documents lie."""
        return self.folder / f"part-{number:06d}{self.suffix}"

    def errors(self, number: int) -> Path:
        """Return where a part's errors lie."""
        return self.folder / f"part-{number:06d}.errors"

    def commit(
        self, counts: Mapping[str, int], write_part: Callable[[Path], None], write_errors: Callable[[Path], None]
    ) -> None:
        """Write the next part whole, then enter it in the journal."""
        number = len(self.records)
        digests = []
        for target, write in ((self.part(number), write_part), (self.errors(number), write_errors)):
            written = target.with_name(target.name + ".new")
            write(written)
            digests.append(_settle(written, target))
        record = PartRecord(**counts, digest=digests[0], errors_digest=digests[1])
        with (self.folder / "journal.jsonl").open("a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(asdict(record)) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.records.append(record)

    def finish(
        self, join: Callable[[Sequence[Path], Path], None], join_errors: Callable[[Sequence[Path], Path], None],
        errors_path: Path,
    ) -> None:  # fmt: skip
        """Join the parts into the output and the errors file, say what made them, and drop the parts."""
        numbers = range(len(self.records))
        if any(record.errors for record in self.records):
            joined = self.folder / "errors.new"
            join_errors([self.errors(number) for number in numbers], joined)
            _settle(joined, errors_path)
        elif not is_device(errors_path):
            errors_path.unlink(missing_ok=True)
        joined = self.folder / "output.new"
        join([self.part(number) for number in numbers], joined)
        self._keep_foreign_files(joined)
        digest = _settle(joined, self.out)
        totals = {name: sum(getattr(record, name) for record in self.records) for name in COUNTS}
        receipt = {"plan": self.plan, "totals": totals, "sha256": digest}
        self._write(self.receipt, json.dumps(receipt, indent=1) + "\n")
        # Renamed first: a half-deleted folder must not be taken for a half-done run.
        self.folder.replace(self._retired())
        shutil.rmtree(self._retired(), ignore_errors=True)

    def totals(self) -> dict[str, int]:
        """Return the sums over all parts, those of a run that was already complete included."""
        if self.complete:
            return dict((_read_json(self.receipt) or {})["totals"])
        return {name: sum(getattr(record, name) for record in self.records) for name in COUNTS}

    def _retired(self) -> Path:
        return self.folder.with_name(self.folder.name + ".done")

    def _already_done(self) -> bool:
        receipt = _read_json(self.receipt)
        if receipt is None or not self.out.exists():
            return False
        if _without_date(receipt.get("plan", {})) != _without_date(self.plan):
            return False
        return _digest(self.out) == receipt.get("sha256")

    def _keep_foreign_files(self, joined: Path | None = None) -> None:
        """Raise JournalError if someone else has written into the output folder: corrected annotations, say."""
        if not self.out.is_dir() or not any(self.out.iterdir()):
            return
        ours = [(_read_json(self.receipt) or {}).get("sha256"), _digest(joined) if joined else None]
        if _digest(self.out) not in ours:
            cause = "holds files that this run did not write, or that were changed since"
            raise JournalError(f"{self.out}: {cause}; name another folder, or move it away")

    def _compare(self, found: Mapping[str, Any]) -> None:
        changed = [key for key in self.plan if key != "date" and found.get(key) != self.plan[key]]
        if changed:
            raise JournalError(
                f"{self.folder}: the run to resume had another {', '.join(changed)}; "
                "give the same, or start afresh without --resume"
            )

    def _finished(self) -> list[PartRecord]:
        """Return the records, up to the first whose files are not what the journal says."""
        records: list[PartRecord] = []
        path = self.folder / "journal.jsonl"
        for line in path.read_bytes().splitlines(keepends=True) if path.is_file() else []:
            try:
                record = PartRecord(**json.loads(line)) if line.endswith(b"\n") else None
            except (ValueError, TypeError):
                break
            number = len(records)
            files = (self.part(number), self.errors(number))
            if record is None or not all(file.is_file() for file in files):
                break
            if [_digest(file) for file in files] != [record.digest, record.errors_digest]:
                break
            records.append(record)
        return records

    def _rewrite_lines(self) -> None:
        lines = "".join(json.dumps(asdict(record)) + "\n" for record in self.records)
        self._write(self.folder / "journal.jsonl", lines)

    def _write(self, path: Path, content: str) -> None:
        new = path.with_name(path.name + ".new")
        new.write_text(content, encoding="utf-8", newline="\n")
        _settle(new, path)


def recorded_plan(out: Path) -> dict[str, Any]:
    """Return the plan of the run that was to make, or has made, an output; empty if there is none."""
    found = _read_json(out.with_name(out.name + ".parts") / "plan.json")
    if found is None:
        found = (_read_json(out.with_name(out.name + ".run.json")) or {}).get("plan")
    return found if isinstance(found, dict) else {}


COUNTS = ("read", "documents", "entities", "errors", "blank")


def _settle(written: Path, target: Path) -> str:
    """Push a file or folder to the disk, rename it, and return its digest."""
    if is_device(target):
        with written.open("rb") as file, target.open("ab") as device:
            shutil.copyfileobj(file, device)
        return _digest(written)
    target.parent.mkdir(parents=True, exist_ok=True)
    if written.is_dir():
        return _settle_folder(written, target)
    with written.open("rb+") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    try:
        written.replace(target)
    except OSError as error:
        import errno

        if error.errno != errno.EXDEV:
            raise
        # The errors file may be wanted on another disk, where a rename cannot go.
        near = target.with_name(target.name + ".new")
        shutil.copyfile(written, near)
        near.replace(target)
    return digest


def _settle_folder(written: Path, target: Path) -> str:
    digest = _digest(written)
    if hasattr(os, "sync"):
        os.sync()
    if target.is_dir():
        # No system renames a folder over one that holds files.
        aside = written.with_name(written.name + ".old")
        shutil.rmtree(aside, ignore_errors=True)
        target.replace(aside)
    written.replace(target)
    return digest


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of the names and digests of a folder's files."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        lines = (f"{file.relative_to(path).as_posix()} {_digest(file)}\n" for file in files)
        return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def _without_date(plan: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in plan.items() if key != "date"}
