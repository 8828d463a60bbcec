"""Print the verdict on every student and profile, then on every teacher and corpus.

Command:
    python -m zoo.licences                                      (make licences)
    python -m zoo.licences --student bert-small --profile local (the whole reasoning of one recipe)

Steps:
    1. read every declaration of the registry;
    2. judge each recipe, then each teacher and corpus by itself;
    3. exit with 1 if a recipe is refused or needs a level that its profile does not accept, 2 if a file is at fault.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from zoo.licences.gate import find_objection, judge_corpus, judge_recipe, judge_teacher
from zoo.licences.verdicts import Reason, Verdict
from zoo.registry import REPOSITORY, DeclarationError, Profile, Registry
from zoo.registry.recipes import LicenceLevel

COLOURS: dict[LicenceLevel, str] = {
    "open": "green",
    "share-alike": "yellow",
    "attribution-bound": "yellow",
    "research-only": "dark_orange",
    "evaluation-only": "red",
    "refused": "red",
}
FEWEST_COLUMNS = 160
"""Width of the tables where the output is not a terminal, which would otherwise be 80."""

app = typer.Typer(add_completion=False)


@app.command()
def main(
    student: Annotated[str | None, typer.Option(help="Only this student, with its whole reasoning.")] = None,
    profile: Annotated[str | None, typer.Option(help="Which of its profiles; needs --student.")] = None,
    root: Annotated[Path, typer.Option(help="Folder that holds models/ and datasets_cards/.")] = REPOSITORY,
) -> None:
    """Print what the licence gate says of the zoo's recipes, teachers and corpora."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, FEWEST_COLUMNS))
    registry = Registry(root)
    if profile is not None and student is None:
        raise typer.BadParameter("--profile needs --student")
    try:
        if student is not None:
            refused = _print_reasoning(console, registry, student, profile)
        else:
            refused = _print_recipes(console, registry)
            _print_teachers(console, registry)
            _print_corpora(console, registry)
    except DeclarationError as error:
        Console(stderr=True, soft_wrap=True).print(f"[red]error[/red]: {escape(str(error))}")
        raise typer.Exit(2) from None
    raise typer.Exit(1 if refused else 0)


def _print_recipes(console: Console, registry: Registry) -> bool:
    """Print the table of recipes; return whether one of them may not go ahead."""
    table = _table("Recipes", "student", "profile", "verdict", "accepted", "what binds", "obligations")
    refused = False
    for student, name, profile in registry.recipes():
        verdict = judge_recipe(registry, student, profile)
        objection = find_objection(verdict, profile)
        refused = refused or objection is not None
        answer = "[green]yes[/green]" if objection is None else "[red]no[/red]"
        binding = escape(_shortly(objection or verdict.reasons[0]))
        table.add_row(student.id, name, _level(verdict.level), answer, binding, str(len(verdict.obligations)))
    console.print(table)
    return refused


def _print_teachers(console: Console, registry: Registry) -> None:
    columns = ("teacher", "today", "weights, once pinned", "outputs, once pinned", "licence", "what binds today")
    table = _table("Teachers, by themselves", *columns)
    for teacher_id in registry.teacher_ids():
        teacher = registry.teacher(teacher_id)
        today = judge_teacher(teacher, ("logits",))
        if teacher.licence is None:
            table.add_row(teacher_id, _level(today.level), "", "", "that of its corpora", escape(_causes(today)))
            continue
        weights = judge_teacher(teacher, ("weights",)).once_pinned()
        levels = [_level(verdict.level) for verdict in (today, weights, today.once_pinned())]
        table.add_row(teacher_id, *levels, escape(teacher.licence.spdx), escape(_causes(today)))
    console.print(table)


def _print_corpora(console: Console, registry: Registry) -> None:
    columns = ("corpus", "today", "once pinned", "by upstream", "licence", "what binds today")
    table = _table("Corpora, to learn from", *columns)
    for corpus_id in registry.corpus_ids():
        corpus = registry.corpus(corpus_id)
        verdict = judge_corpus(registry, corpus)
        upstream = _level(judge_corpus(registry, corpus, upstream=True).level) if corpus.upstream else ""
        levels = (_level(verdict.level), _level(verdict.once_pinned().level), upstream)
        table.add_row(corpus_id, *levels, escape(corpus.licence.spdx), escape(_causes(verdict)))
    console.print(table)
    console.print("To pin one, after reading it (dataset_info for a corpus), and write the answer as its revision:")
    console.print(
        """  python -c "from huggingface_hub import HfApi; print(HfApi().model_info('HUB_ID').sha)\"""", markup=False
    )


def _print_reasoning(console: Console, registry: Registry, student_id: str, profile_id: str | None) -> bool:
    """Print every reason and obligation of a student's profiles; return whether one may not go ahead."""
    names = [profile_id] if profile_id else sorted(registry.student(student_id).profiles)
    refused = False
    for name in names:
        student, profile = registry.profile(student_id, name)
        verdict = judge_recipe(registry, student, profile)
        objection = find_objection(verdict, profile)
        refused = refused or objection is not None
        console.print(f"\n[bold]{student.id}[/bold], profile {name}: {_level(verdict.level)}, {_accepts(profile)}")
        for reason in verdict.reasons:
            _print_reason(console, reason)
        console.print("obligations:" if verdict.obligations else "obligations: none")
        for obligation in verdict.obligations:
            console.print(f"  - {escape(obligation)}")
        if objection is not None:
            console.print(f"[red]stops at[/red] {escape(objection.subject)}; way out: {escape(objection.way_out)}")
    return refused


def _print_reason(console: Console, reason: Reason) -> None:
    console.print(f"  {_level(reason.level)}  {escape(reason.subject)}: {escape(reason.why)}")
    if reason.spdx:
        console.print(f"      {escape(reason.spdx)}: {escape(reason.clause) or 'no clause quoted'}", style="dim")
        console.print(f"      read at: {escape(reason.read_at)}", style="dim")


def _accepts(profile: Profile) -> str:
    return f"accepts {', '.join(profile.accept)} beyond open" if profile.accept else "accepts open only"


def _causes(verdict: Verdict) -> str:
    """Return in a few words all that holds the verdict at its level."""
    return "; ".join(reason.why for reason in verdict.reasons if reason.level == verdict.level)


def _shortly(reason: Reason) -> str:
    return f"{reason.subject}: {reason.why}" if reason.level != "open" else "nothing beyond open"


def _level(level: LicenceLevel) -> str:
    return f"[{COLOURS[level]}]{level}[/{COLOURS[level]}]"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", expand=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in {"student", "profile", "teacher", "corpus"})
    return table


if __name__ == "__main__":
    app()
