"""The plan of a run: a recipe resolved, judged, and given its place, before anything is fetched or trained.

    python -m zoo.plan --student bert-small --profile local [--seed 2] [--dry-run]

writes `runs/<student>/<profile>/seed-<n>/plan.json` and `verdict.json`, which every later stage reads; `--dry-run`
prints the same and writes nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from zoo.corpora import revision_of
from zoo.errors import one_line_errors
from zoo.licences import Verdict, enforce, judge_recipe
from zoo.registry import REPOSITORY, Profile, Registry, Student, Teacher, Terminology
from zoo.registry.recipes import CorpusUse
from zoo.registry.terminologies import TransferChoice
from zoo.runs import read_json, write_json

ROLES = ("gold", "teacher_gold", "dev", "test", "transfer", "pretraining", "terminology")


@dataclass(frozen=True)
class Plan:
    """A recipe with everything it names resolved."""

    registry: Registry
    student: Student
    profile_name: str
    profile: Profile
    teacher: Teacher
    seed: int
    verdict: Verdict
    runs: Path

    @property
    def folder(self) -> Path:
        """Where this run writes."""
        return self.runs / self.student.id / self.profile_name / f"seed-{self.seed}"

    def corpora(self, role: str) -> list[dict[str, Any]]:
        """Return what a role reads: corpus, split, documents, revision, seed of generation, licence.

        `pretraining` is what the encoders of teacher and student have read, `terminology` the lists of names that teach
        or choose.
        """
        return [self._resolved(use, role) for use in self._uses(role)]

    def terminologies(self, ids: tuple[str, ...]) -> list[Terminology]:
        """Return these terminologies, in the order the profile names them in."""
        return [self.registry.terminology(terminology_id) for terminology_id in ids]

    def describe_terminologies(self, ids: tuple[str, ...]) -> list[dict[str, Any]]:
        """Return all that what these terminologies find depends on; it is part of a step's key."""
        return [
            asdict(entry)
            | {"summary": None}
            | {"revisions": [revision_of(self.registry.corpus(part.corpus), part.split) for part in entry.lists]}
            for entry in self.terminologies(ids)
        ]

    def _uses(self, role: str) -> list[CorpusUse]:
        if role == "pretraining":
            return self._read_by_encoders()
        if role == "terminology":
            named = self.terminologies(self.profile.all_terminologies)
            return list(dict.fromkeys(use for entry in named for use in entry.corpora))
        return list(getattr(self.profile, role))

    def _read_by_encoders(self) -> list[CorpusUse]:
        encoders = filter(None, (self.teacher.encoder, self.profile.encoder))
        return list(dict.fromkeys(use for encoder in encoders for use in self.registry.encoder(encoder).corpora))

    def _resolved(self, use: CorpusUse, role: str) -> dict[str, Any]:
        corpus = self.registry.corpus(use.corpus)
        choice = self.profile.choice if role == "transfer" else None
        # Said only where there is a choice, so that what other recipes made keeps its key.
        chosen = {"chosen": self._describe_choice(choice)} if choice and use.corpus in choice.corpora else {}
        return {
            "corpus": use.corpus,
            "split": use.split,
            "documents": use.documents,
            "role": role,
            "revision": revision_of(corpus, use.split),
            "data_seed": self.profile.data_seed if corpus.source == "synthetic" else None,
            "licence": corpus.licence.spdx,
            **chosen,
        }

    def _describe_choice(self, choice: TransferChoice) -> dict[str, Any]:
        return {
            "new_names": choice.new_names,
            "every": choice.every,
            "by": self.describe_terminologies(choice.terminologies),
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as it is written to plan.json."""
        return {
            "student": asdict(self.student) | {"profiles": [self.profile_name]},
            "profile_name": self.profile_name,
            "profile": asdict(self.profile),
            "seed": self.seed,
            "teacher": json.loads(json.dumps(asdict(self.teacher), default=str)),
            "corpora": [entry for role in ROLES for entry in self.corpora(role)],
            "folder": str(self.folder),
        }


def make_plan(
    student_id: str,
    profile_name: str,
    seed: int | None = None,
    registry: Registry | None = None,
    runs: Path | None = None,
) -> Plan:
    """Resolve a recipe and put it before the licence gate.

    Args:
        student_id: A folder of `models/`.
        profile_name: A profile of its student.toml.
        seed: None takes the profile's.
        registry: Where entries are found; the repository's by default.
        runs: Where runs are written; `runs/` of the repository by default.

    Raises:
        DeclarationError: an entry is unknown or malformed.
        LicenceRefused: the gate's verdict is beyond what the profile accepts.
    """
    registry = registry or Registry()
    student, profile = registry.profile(student_id, profile_name)
    verdict = judge_recipe(registry, student, profile)
    enforce(verdict, profile, f"student '{student_id}', profile '{profile_name}'")
    teacher = registry.teacher(profile.teacher)
    chosen = profile.seed if seed is None else seed
    return Plan(registry, student, profile_name, profile, teacher, chosen, verdict, runs or REPOSITORY / "runs")


def write_plan(plan: Plan) -> None:
    """Write plan.json and verdict.json into the run's folder, if they are not there as they should be."""
    for name, value in (("plan.json", plan.to_dict()), ("verdict.json", plan.verdict.to_dict())):
        path = plan.folder / name
        if not path.is_file() or read_json(path) != json.loads(json.dumps(value, default=str)):
            write_json(path, json.loads(json.dumps(value, default=str)))


def show_plan(plan: Plan) -> str:
    """Return the resolved plan and its verdict as JSON, as `--dry-run` prints them."""
    shown = plan.to_dict() | {"verdict": plan.verdict.to_dict()}
    return json.dumps(shown, indent=2, ensure_ascii=False, default=str)


def main(
    student: Annotated[str, typer.Option(help="A folder of models/.")],
    profile: Annotated[str, typer.Option(help="A profile of its student.toml.")] = "local",
    seed: Annotated[int | None, typer.Option(help="Of weights, order and noise; the profile's by default.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Print the plan and write nothing.")] = False,
) -> None:
    """Resolve a recipe, judge its licences, and write or print the plan."""
    with one_line_errors("refused"):
        plan = make_plan(student, profile, seed)
        if dry_run:
            typer.echo(show_plan(plan))
            return
        write_plan(plan)
    typer.echo(f"gate    {plan.verdict.level}: {student}, profile {profile}, seed {plan.seed} -> {plan.folder}")


if __name__ == "__main__":
    typer.run(main)
