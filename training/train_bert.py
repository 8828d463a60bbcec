"""Train a student of the BERT family.

    make train-bert-small
    python -m training.train_bert --student bert-small --profile local [--seed 2] [--dry-run]

1. Resolve the recipe and put it before the licence gate; nothing is fetched or trained before.
2. Make the teacher, or find it made.
3. Let the teacher read the gold and the transfer texts once; keep its word distributions. Let the recipe's
   terminologies, if it names any, label the transfer texts once too.
4. Start student and twin from the recipe's pretrained encoder, or from a tokenizer trained on the same texts.
5. Distil: the student learns from gold and from the teacher, reading a noised copy of what the teacher read clean.
6. Train its undistilled twin: same shape, same start, same budget, same noise, gold alone.

Every step is skipped if it is done for the same inputs, and goes on where a kill left it.
`accelerate launch -m training.train_bert …` runs it on several GPUs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.denormals import flush_denormals
from zoo.errors import one_line_errors
from zoo.plan import Plan, make_plan, show_plan, write_plan
from zoo.registry.recipes import Distillation
from zoo.runs import RunError, read_json, run_step, write_json

if TYPE_CHECKING:
    from training.starts import Start


def main(
    student: Annotated[str, typer.Option(help="A folder of models/.")],
    profile: Annotated[str, typer.Option(help="A profile of its student.toml.")] = "local",
    seed: Annotated[int | None, typer.Option(help="The profile's by default.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Print the resolved plan and stop.")] = False,
) -> None:
    """Train a BERT student, its teacher and its undistilled twin."""
    with one_line_errors("stopped"):
        plan = make_plan(student, profile, seed)
        if dry_run:
            typer.echo(show_plan(plan))
            return
        write_plan(plan)
        flush_denormals()
        train(plan)


def train(plan: Plan) -> None:
    """Do steps 2 to 6 of the plan."""
    from training.costs import sum_energy
    from training.silver import describe_silver, label_by_names
    from training.starts import encoder_folders
    from training.teachers import identify_teacher, make_teacher

    folder = plan.folder
    teacher = make_teacher(plan)
    identity = identify_teacher(plan, teacher)
    write_json(folder / "teacher.json", {"folder": str(teacher), "sha256": identity} if teacher else identity)
    targets = label_texts(plan, teacher)
    silver = label_by_names(plan)
    if silver:
        typer.echo(describe_silver(silver))
    start = prepare_student(plan)
    train_student(plan, teacher, targets, silver, start)
    train_twin(plan, start)
    asked = None if teacher else read_json(targets / "run.json")["endpoint"]
    others = encoder_folders(plan) | ({"silver": silver} if silver else {})
    write_json(folder / "energy.json", sum_energy(folder, teacher, targets, others, asked))


def label_texts(plan: Plan, teacher: Path | None) -> Path:
    """Step 3: return the folder of the teacher's distributions over gold, then transfer texts."""
    from training.endpoint_teacher import write_endpoint_targets
    from training.processes import Processes
    from training.teacher_pass import write_targets
    from training.teachers import identify_teacher
    from training.texts import gold_documents, transfer_documents
    from zoo.energy import measure_energy
    from zoo.torch_engine import load_annotator

    folder = plan.folder / "targets"
    inputs = {
        "teacher": identify_teacher(plan, teacher),
        "corpora": plan.corpora("gold") + plan.corpora("transfer"),
        "labels": plan.student.labels,
    }

    group = Processes()

    def work(into: Path) -> dict[str, Any]:
        figures: dict[str, Any] = {}
        documents = chain(gold_documents(plan), transfer_documents(plan))
        with measure_energy(figures):
            if teacher is not None:
                annotator = load_annotator(teacher, "torch", device=group.device)
                figures |= write_targets(annotator, documents, into, group=group)
            elif group.leader:  # one process asks: the endpoint's own limit is on requests at a time
                figures |= write_endpoint_targets(plan, documents, into)
        return figures

    run_step(folder, inputs, work, group=group)
    return folder


def prepare_student(plan: Plan) -> Start:
    """Step 4: return what student and twin start from."""
    from training.starts import start_afresh, start_from
    from training.texts import gold_documents, transfer_documents

    if plan.profile.encoder:
        return start_from(plan, plan.profile.encoder)
    texts = {"corpora": plan.corpora("gold") + plan.corpora("transfer")}
    readable = (document.text for document in chain(gold_documents(plan), transfer_documents(plan)))
    tokenizer = plan.runs / plan.student.id / plan.profile_name / "tokenizer"
    return start_afresh(readable, plan.student.tokenizer, plan.student.architecture, tokenizer, texts)


def train_student(plan: Plan, teacher: Path | None, targets: Path, silver: Path | None, start: Start) -> None:
    """Step 5: distil the teacher, and what the terminologies know, into the student."""
    from training.passages import NO_TAG, LabelledText, bare_text, gold_text
    from training.silver import mix_with_teacher, read_silver
    from training.teacher_pass import read_targets
    from training.texts import gold_documents, transfer_documents
    from zoo.labels import LABEL_SETS

    labels = LABEL_SETS[plan.student.labels]

    def taught() -> Iterator[LabelledText]:
        n_tags = 1 + 2 * len(labels)
        gold = ((gold_text(document, labels), None) for document in gold_documents(plan))
        # Not strict: without terminologies the silver rows have no end, and too few of them end the strict zip below.
        transfer = zip(map(bare_text, transfer_documents(plan)), read_silver(silver, n_tags), strict=False)
        rows = read_targets(targets, n_tags)
        for (text, named), (_, words, probabilities) in zip(chain(gold, transfer), rows, strict=True):
            for folder, found in ((targets, words), (silver, words if named is None else named)):
                if len(found) != len(text.tags):
                    raise RunError(f"{folder}: its words are not the corpus's; delete it and run again")
            mixed = probabilities if named is None else mix_with_teacher(probabilities, named)
            yield replace(text, probabilities=mixed)

    def mixed() -> Iterator[LabelledText]:
        gold = []
        for text in taught():
            if (text.tags != NO_TAG).any():
                gold.append(text)
            yield text
        for _ in range(plan.profile.distillation.gold_repeats - 1):
            yield from gold

    beside = teacher if plan.profile.distillation.relation_weight > 0 else None
    inputs = {"targets": read_json(targets / "run.json")["inputs_sha256"]}
    if silver:
        inputs["silver"] = read_json(silver / "run.json")["inputs_sha256"]
    _train(plan, mixed(), "student", plan.profile.distillation, start, inputs, beside)


def train_twin(plan: Plan, start: Start) -> None:
    """Step 6: train the same student without a teacher."""
    from training.passages import gold_text
    from training.texts import gold_documents
    from zoo.labels import LABEL_SETS

    labels = LABEL_SETS[plan.student.labels]
    alone = replace(plan.profile.distillation, soft_weight=0.0, relation_weight=0.0, gold_weight=1.0)
    texts = (gold_text(document, labels) for document in gold_documents(plan))
    _train(plan, texts, "twin", alone, start, {"gold": plan.corpora("gold")}, None)


def _train(
    plan: Plan,
    texts: Iterator,
    name: str,
    distillation: Distillation,
    start: Start,
    inputs: dict[str, Any],
    beside: Path | None,
) -> None:
    from carabin.tokens.tagging import bio_tags
    from training.stages import TaggerRecipe, train_tagger
    from zoo.labels import LABEL_SETS

    tags = bio_tags(LABEL_SETS[plan.student.labels])
    train_tagger(
        texts,
        lambda: start.build(tags, plan.seed, plan.profile.training.dropout),
        TaggerRecipe(tags, plan.profile.training, distillation, plan.seed),
        plan.folder / name,
        {**start.key, **inputs},
        f"{name} {plan.student.id}",
        beside,
    )


if __name__ == "__main__":
    typer.run(main)
