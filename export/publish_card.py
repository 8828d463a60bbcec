"""A finished run's card and figures -> `models/<student>/`, where git keeps them; and whether they are fresh.

    python -m export.publish_card --run runs/bert-small/quaero/seed-1   # take this run's, whatever was there
    python -m export.publish_card                                       # render what is there with today's template
    python -m export.publish_card --check                               # exit 2 if a card would come out otherwise

1. Copy metrics.json, lineage.json and parity.json of the run's `repository/`; they say profile, seed and commit.
2. Render README.md from them and from student.toml, which git keeps too: whoever has the repository can check it.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from export.card import CardError, write_card
from export.lineage import CARD, LINEAGE
from zoo.errors import one_line_errors
from zoo.registry import REPOSITORY, Registry
from zoo.runs import RunError, read_json

FACTS = ("metrics.json", LINEAGE, "parity.json")
"""What a card is rendered from, beside the student's declaration."""


def publish_run(run: Path, registry: Registry) -> str:
    """Copy a run's facts into its student's folder and render the card there; return the student's id.

    Raises:
        RunError: the run is not finished.
        CardError: a file names this machine's folders.
    """
    repository = run / "repository"
    student = str(read_json(repository / LINEAGE)["student"])
    for name in FACTS:
        if not (repository / name).is_file():
            raise RunError(f"{repository / name}: no such file; run `make train-{student}` to its end first")
        if str(REPOSITORY) in (repository / name).read_text(encoding="utf-8"):
            raise CardError(f"{repository / name}: names {REPOSITORY}, which is nobody's business; make the run again")
    for name in FACTS:
        shutil.copyfile(repository / name, card_folder(registry, student) / name)
    render(student, registry, card_folder(registry, student))
    return student


def card_folder(registry: Registry, student: str) -> Path:
    """Return where a student's card is kept."""
    return registry.root / "models" / student


def render(student: str, registry: Registry, folder: Path) -> None:
    """Write README.md, and its hash into lineage.json, from the facts in a folder."""
    lineage = {key: value for key, value in read_json(folder / LINEAGE).items() if key != "card_sha256"}
    if lineage.get("student") != student:
        raise CardError(
            f"{folder / LINEAGE}: is of '{lineage.get('student')}', not of '{student}'; publish its own run"
        )
    write_card(folder, registry.student(student), lineage)


def published_students(registry: Registry) -> list[str]:
    """Return the students with any file of a card, sorted: half a card is one too, and stale."""
    names = (CARD, *FACTS)
    return [
        one for one in registry.student_ids() if any((card_folder(registry, one) / name).exists() for name in names)
    ]


def is_fresh(student: str, registry: Registry) -> bool:
    """Would the committed facts give the committed card, to the byte?

    Raises:
        RunError: one of the files is missing or damaged.
        CardError: the facts do not say all that a card must say.
    """
    folder = card_folder(registry, student)
    with tempfile.TemporaryDirectory() as scratch:
        for name in FACTS:
            read_json(folder / name)
            shutil.copyfile(folder / name, Path(scratch) / name)
        render(student, registry, Path(scratch))
        return all(
            (folder / name).is_file() and (folder / name).read_bytes() == (Path(scratch) / name).read_bytes()
            for name in (CARD, LINEAGE)
        )


def main(
    run: Annotated[Path | None, typer.Option(help="Folder of the finished run whose card to keep.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 2 if a card is stale.")] = False,
) -> None:
    """Keep a run's card in git, render the kept cards anew, or check that they are fresh."""
    registry = Registry()
    with one_line_errors("card"):
        if run is not None and not check:
            typer.echo(f"card    kept: {card_folder(registry, publish_run(run, registry)) / CARD}")
            return
        students = published_students(registry)
        if not check:
            for student in students:
                render(student, registry, card_folder(registry, student))
                typer.echo(f"card    rendered: {card_folder(registry, student) / CARD}")
            return
        stale = [student for student in students if not is_fresh(student, registry)]
    for student in stale:
        path = card_folder(registry, student) / CARD
        typer.echo(f"card: {path}: stale, its figures or the template changed; run `make cards`", err=True)
    if stale:
        raise typer.Exit(2)
    typer.echo(f"cards   fresh: {', '.join(students) or 'none is kept yet'}")


if __name__ == "__main__":
    typer.run(main)
