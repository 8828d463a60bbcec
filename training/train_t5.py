"""Train a student of the T5 family: one that writes conclusions, exercises and entities.

    make train-t5-small
    python -m training.train_t5 --student t5-small --profile local [--seed 2] [--dry-run]

1. Resolve the recipe and put it before the licence gate; nothing is fetched or trained before.
2. Train the tokenizer that teacher and student share, then the teacher; or find them made. Where the profile names a
   pretrained encoder-decoder, its tokenizer is theirs, and teacher and twin start from its weights.
3. Let the teacher write over the transfer texts; reject what its source does not support; keep the rest.
4. Distil: a student of fewer layers, taken from the teacher's, learns gold and what the teacher wrote, token by token
   beside the teacher, reading a noised copy of what the teacher read clean.
5. Train its undistilled twin: same shape, same budget, same noise, from gold alone and not from a teacher's weights.

Every step is skipped if it is done for the same inputs, and goes on where a kill left it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.denormals import flush_denormals
from zoo.errors import one_line_errors
from zoo.plan import Plan, make_plan, show_plan, write_plan
from zoo.registry.recipes import CorpusUse, Distillation
from zoo.runs import RunError, fingerprint, hash_file, read_json, run_step, write_json

if TYPE_CHECKING:
    from training.lessons import Text
    from training.writing_start import Shared


def main(
    student: Annotated[str, typer.Option(help="A folder of models/.")],
    profile: Annotated[str, typer.Option(help="A profile of its student.toml.")] = "local",
    seed: Annotated[int | None, typer.Option(help="The profile's by default.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Print the resolved plan and stop.")] = False,
) -> None:
    """Train a T5 student, its teacher and its undistilled twin."""
    with one_line_errors("stopped"):
        plan = make_plan(student, profile, seed)
        if dry_run:
            typer.echo(show_plan(plan))
            return
        if plan.student.decoder is None:
            raise RunError(f"student '{student}' is of family '{plan.student.family}': train it with train_bert")
        write_plan(plan)
        flush_denormals()
        train(plan)


def train(plan: Plan) -> None:
    """Do steps 2 to 5 of the plan."""
    from training.costs import sum_energy
    from training.starts import encoder_folders
    from training.writing_start import share_words

    folder = plan.folder
    shared = share_words(plan)
    teacher = make_teacher(plan, shared)
    identity = teacher and hash_file(teacher / "model.safetensors")
    known = {"folder": str(teacher), "sha256": identity} if teacher else {"endpoint": plan.teacher.id}
    write_json(folder / "teacher.json", known)
    targets = write_targets(plan, teacher)
    train_student(plan, shared, teacher, targets)
    train_twin(plan, shared)
    asked = None if teacher else read_json(targets / "run.json")["endpoint"]
    write_json(folder / "energy.json", sum_energy(folder, teacher, targets, encoder_folders(plan), asked))


def make_teacher(plan: Plan, shared: Shared) -> Path | None:
    """Step 2: train the teacher unless it is there; None for one that answers over HTTP."""
    from training.teachers import GOLD_ONLY, teacher_corpora
    from training.texts import teacher_gold
    from training.writers import begin_writer, t5_config
    from training.writing_stages import WriterRecipe, train_writer

    teacher = plan.teacher
    if teacher.kind == "endpoint":
        return None
    if teacher.decoder is None or teacher.architecture is None or teacher.training is None:
        raise RunError(f"teacher '{teacher.id}' does not write; name one with a [decoder], or an endpoint")
    config = t5_config(
        teacher.architecture,
        teacher.decoder,
        shared.vocabulary,
        shared.labels,
        shared.writing,
        teacher.training.dropout,
    )
    shape = asdict(teacher.architecture) | asdict(teacher.decoder)
    inputs = {**shared.key, "config": shape, "gold": teacher_corpora(plan)}
    key = fingerprint({**inputs, "seed": plan.seed, "training": teacher.training})
    folder = plan.runs / "teachers" / teacher.id / key[:12]
    train_writer(
        gold_lessons(plan, teacher_gold(plan)), shared.tokenizer,
        lambda: begin_writer(config, plan.seed, shared.start), shared.words,
        WriterRecipe(teacher.training, GOLD_ONLY, plan.seed), folder, inputs, f"teacher {teacher.id}",
    )  # fmt: skip
    return folder


def write_targets(plan: Plan, teacher: Path | None) -> Path:
    """Step 3: return the folder of what the teacher wrote."""
    from training.endpoint_writer import writer_key
    from training.written_targets import drug_names
    from training.written_targets import write_targets as write
    from zoo.energy import measure_energy
    from zoo.torch_seq2seq import load_writer

    writing = plan.profile.writing
    assert writing  # the registry has checked it
    labels, exercises = plan.student.labels, writing.exercises
    if teacher:
        made_by: Any = hash_file(teacher / "model.safetensors")
    else:
        made_by = {task: writer_key(plan.teacher, task, labels, exercises) for task in writing.tasks}
    inputs = {"stage": "written", "teacher": made_by, "corpora": plan.corpora("transfer"), "writing": asdict(writing)}

    def work(into: Path) -> dict[str, Any]:
        figures: dict[str, Any] = {}
        with measure_energy(figures):
            figures |= write(plan, load_writer(teacher, "torch") if teacher else None, into, drug_names())
        return figures

    folder = plan.folder / "targets"
    run_step(folder, inputs, work)
    made = [figures["writing"] for figures in read_json(folder / "run.json")["written"].values()]
    kept = sum(figures["texts_written"] for figures in made)
    whole = sum(count for figures in made for name, count in figures.items() if name != "rejected")
    write_json(plan.folder / "targets.json", {"texts_written": kept, "rejected": round(1 - kept / max(whole, 1), 4)})
    return folder


def train_student(plan: Plan, shared: Shared, teacher: Path | None, targets: Path) -> None:
    """Step 4: distil the teacher into the student."""
    from training.written_targets import read_targets

    def texts() -> Iterator[Text]:
        for _ in range(plan.profile.distillation.gold_repeats):
            yield from gold_lessons(plan, plan.profile.gold)
        yield from read_targets(plan, targets)

    distillation = plan.profile.distillation
    start = teacher if teacher and "weights" in plan.profile.methods else shared.start
    beside = teacher if distillation.soft_weight > 0 else None
    inputs = {"targets": read_json(targets / "run.json")["inputs_sha256"], "methods": plan.profile.methods}
    _train(plan, shared, texts(), start, distillation, "student", inputs, beside)


def train_twin(plan: Plan, shared: Shared) -> None:
    """Step 5: train the same student without a teacher."""
    alone = replace(plan.profile.distillation, soft_weight=0.0, gold_weight=1.0)
    texts = gold_lessons(plan, plan.profile.gold)

    _train(plan, shared, texts, shared.start, alone, "twin", {}, None)


def gold_lessons(plan: Plan, uses: Iterable[CorpusUse]) -> Iterator[Text]:
    """Yield what annotated corpora teach to write, each what it can tell."""
    from training.lessons import gold_texts
    from training.texts import read_gold, taught_by

    for use in uses:
        if writing := taught_by(plan, use):
            yield from gold_texts(read_gold(plan, use), "train", writing, plan.profile.data_seed)


def student_config(plan: Plan, shared: Shared) -> Any:  # noqa: ANN401 - T5Config, imported late
    """Return the student's configuration."""
    from training.writers import t5_config

    student, dropout = plan.student, plan.profile.training.dropout
    assert student.decoder
    return t5_config(student.architecture, student.decoder, shared.vocabulary, shared.labels, shared.writing, dropout)


def _train(
    plan: Plan, shared: Shared, texts: Iterator, start: Path | None, distillation: Distillation, name: str,
    inputs: dict[str, Any], beside: Path | None,
) -> None:  # fmt: skip
    from training.writers import begin_writer
    from training.writing_stages import WriterRecipe, train_writer

    assert plan.student.decoder
    config = student_config(plan, shared)
    shape = asdict(plan.student.architecture) | asdict(plan.student.decoder)
    key = {**shared.key, "config": shape, "gold": plan.corpora("gold"), **inputs}
    recipe = WriterRecipe(plan.profile.training, distillation, plan.seed)
    title = f"{name} {plan.student.id}"
    train_writer(
        texts, shared.tokenizer, lambda: begin_writer(config, plan.seed, start), shared.words,
        recipe, plan.folder / name, key, title, beside,
    )  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
