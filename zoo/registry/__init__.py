"""The zoo's entries as data: students, teachers, encoders and corpora, found by id.

Adding an entry is adding a file: `models/<student>/student.toml`, `models/teachers/<teacher>.toml`,
`models/encoders/<encoder>.toml`, `models/terminologies/<terminology>.toml` or `datasets_cards/<corpus>.md`. The file's
name is the id.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from zoo.registry.corpora import Corpus
from zoo.registry.encoders import Encoder
from zoo.registry.reading import DeclarationError, build, read_front_matter, read_toml
from zoo.registry.students import Profile, Student
from zoo.registry.teachers import Teacher
from zoo.registry.terminologies import Terminology

Entry = TypeVar("Entry", Student, Teacher, Encoder, Terminology, Corpus)
REPOSITORY = Path(__file__).resolve().parents[2]

__all__ = [
    "REPOSITORY",
    "Corpus",
    "DeclarationError",
    "Encoder",
    "Profile",
    "Registry",
    "Student",
    "Teacher",
    "Terminology",
]


@dataclass(frozen=True)
class Registry:
    """Every declared student, teacher and corpus below one root (the repository, or a folder in a test)."""

    root: Path = REPOSITORY

    def student_ids(self) -> list[str]:
        """Return the ids of all students, sorted."""
        return sorted(path.parent.name for path in (self.root / "models").glob("*/student.toml"))

    def teacher_ids(self) -> list[str]:
        """Return the ids of all teachers, sorted."""
        return sorted(path.stem for path in (self.root / "models" / "teachers").glob("*.toml"))

    def encoder_ids(self) -> list[str]:
        """Return the ids of all pretrained encoders, sorted."""
        return sorted(path.stem for path in (self.root / "models" / "encoders").glob("*.toml"))

    def terminology_ids(self) -> list[str]:
        """Return the ids of all terminologies, sorted."""
        return sorted(path.stem for path in (self.root / "models" / "terminologies").glob("*.toml"))

    def corpus_ids(self) -> list[str]:
        """Return the ids of all corpora, sorted."""
        return sorted(path.stem for path in (self.root / "datasets_cards").glob("*.md"))

    def student(self, student_id: str) -> Student:
        """Return a student. Raises DeclarationError: unknown id, or a file at fault."""
        path = self._find(self.root / "models" / student_id / "student.toml", "student", student_id, self.student_ids())
        return self._checked(build(Student, read_toml(path), path), student_id, path)

    def teacher(self, teacher_id: str) -> Teacher:
        """Return a teacher. Raises DeclarationError: unknown id, or a file at fault."""
        path = self.root / "models" / "teachers" / f"{teacher_id}.toml"
        self._find(path, "teacher", teacher_id, self.teacher_ids())
        return self._checked(build(Teacher, read_toml(path), path), teacher_id, path)

    def encoder(self, encoder_id: str) -> Encoder:
        """Return a pretrained encoder. Raises DeclarationError: unknown id, or a file at fault."""
        path = self.root / "models" / "encoders" / f"{encoder_id}.toml"
        self._find(path, "encoder", encoder_id, self.encoder_ids())
        return self._checked(build(Encoder, read_toml(path), path), encoder_id, path)

    def terminology(self, terminology_id: str) -> Terminology:
        """Return a terminology. Raises DeclarationError: unknown id, or a file at fault."""
        path = self.root / "models" / "terminologies" / f"{terminology_id}.toml"
        self._find(path, "terminology", terminology_id, self.terminology_ids())
        return self._checked(build(Terminology, read_toml(path), path), terminology_id, path)

    def corpus(self, corpus_id: str) -> Corpus:
        """Return a corpus, from the `carabin:` block of its card. Raises DeclarationError likewise."""
        path = self._find(self.root / "datasets_cards" / f"{corpus_id}.md", "corpus", corpus_id, self.corpus_ids())
        matter, _ = read_front_matter(path)
        if not isinstance(matter.get("carabin"), dict):
            raise DeclarationError(f"{path}: front matter has no 'carabin:' block")
        return self._checked(build(Corpus, matter["carabin"], path), corpus_id, path)

    def profile(self, student_id: str, profile_id: str) -> tuple[Student, Profile]:
        """Return a student and one of its profiles. Raises DeclarationError: no such student or profile."""
        student = self.student(student_id)
        if profile_id not in student.profiles:
            known = ", ".join(sorted(student.profiles)) or "none"
            raise DeclarationError(f"student '{student_id}' has no profile '{profile_id}'; it has: {known}")
        profile = student.profiles[profile_id]
        if profile.encoder and (misfit := self._find_misfit(student, profile, self.encoder(profile.encoder))):
            raise DeclarationError(
                f"student '{student_id}', profile '{profile_id}': encoder '{profile.encoder}' {misfit}; make them "
                "agree, or name another encoder"
            )
        return student, profile

    def _find_misfit(self, student: Student, profile: Profile, start: Encoder) -> str | None:
        """Return what is at odds between a start and who starts from it: of a student that writes, its teacher too."""
        if misfit := start.find_misfit(student.family, student.architecture, student.decoder):
            return f"{misfit} than the student"
        teacher = self.teacher(profile.teacher) if student.decoder else None
        if teacher is None or teacher.kind != "trained" or teacher.architecture is None:
            return None
        misfit = start.find_misfit("t5" if teacher.decoder else "bert", teacher.architecture, teacher.decoder)
        return f"{misfit} than teacher '{teacher.id}'" if misfit else None

    def recipes(self) -> Iterator[tuple[Student, str, Profile]]:
        """Yield (student, profile name, profile) for every recipe of the zoo."""
        for student_id in self.student_ids():
            student = self.student(student_id)
            for name, profile in student.profiles.items():
                yield student, name, profile

    @staticmethod
    def _find(path: Path, kind: str, entry_id: str, known: list[str]) -> Path:
        if entry_id not in known:
            near = difflib.get_close_matches(entry_id, known, n=3, cutoff=0.5) or known[:8]
            hint = f"use one of the {len(known)}, such as: {', '.join(near)}" if near else "there is none yet"
            raise DeclarationError(f"unknown {kind} '{entry_id}'; add {path}, or {hint}")
        return path

    @staticmethod
    def _checked(entry: Entry, entry_id: str, path: Path) -> Entry:
        if entry.id != entry_id:
            raise DeclarationError(f"{path}: id is '{entry.id}', its place says '{entry_id}'; make them agree")
        return entry
