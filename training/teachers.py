"""Making a teacher: trained on the spot, or a pinned Hub encoder fine-tuned on the recipe's gold.

Teachers are kept apart from students, `runs/teachers/<teacher>/<key>/`, because many students share one.
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from carabin.tokens.tagging import bio_tags
from training.endpoint_teacher import check_recipe, endpoint_key
from training.hub_encoders import open_hub_tagger
from training.passages import gold_text
from training.processes import Processes
from training.stages import TaggerRecipe, train_tagger
from training.starts import Start, start_afresh, start_from
from training.texts import teacher_documents, transfer_documents
from zoo.checkpoints import model_file, write_ensemble
from zoo.labels import LABEL_SETS
from zoo.plan import Plan
from zoo.registry import Encoder, Teacher
from zoo.registry.recipes import Distillation, NoiseRecipe
from zoo.runs import RECORD, RunError, fingerprint, hash_file, read_json, run_step

MEMBER_STRIDE = 1000
"""Between the seeds of an ensemble's members: runs of neighbouring seeds share none."""
_NO_TAGGERS = ("endpoint", "decoder", "corruption")
"""Sections that no tagger, nor its encoder, has: what they say must not change its key."""
GOLD_ONLY = Distillation(soft_weight=0.0, gold_weight=1.0, noise=NoiseRecipe(share=0.0))


def teacher_folder(plan: Plan) -> Path:
    """Return where this plan's teacher belongs: its key covers the teacher, its gold, its texts, the seed."""
    key = fingerprint(
        {
            "teacher": _describe(plan.teacher) | {"licence": None},
            "corpora": teacher_corpora(plan) + (plan.corpora("transfer") if plan.teacher.kind == "trained" else []),
            "encoder": _describe(plan.registry.encoder(plan.teacher.encoder)) if plan.teacher.encoder else None,
            "labels": plan.student.labels,
            "seed": plan.seed,
        }
    )
    return plan.runs / "teachers" / plan.teacher.id / key[:12]


def _describe(entry: Teacher | Encoder) -> dict[str, Any]:
    return {name: value for name, value in asdict(entry).items() if name not in _NO_TAGGERS}


def teacher_corpora(plan: Plan) -> list[dict[str, Any]]:
    """Return what the teacher learns the task from, resolved."""
    return plan.corpora("teacher_gold") or plan.corpora("gold")


def make_teacher(plan: Plan) -> Path | None:
    """Train the plan's teacher unless it is there; return its checkpoint, None for one that answers over HTTP.

    Raises:
        RunError: the teacher is no tagger, or the recipe asks of an endpoint what it cannot give.
    """
    if plan.teacher.kind == "endpoint":
        check_recipe(plan)
        return None
    folder = teacher_folder(plan)
    if plan.teacher.kind == "trained":
        return _train_on_the_spot(plan, folder)
    if plan.teacher.kind == "hub-encoder":
        return _fine_tune(plan, folder)
    raise RunError(f"teacher '{plan.teacher.id}' is of kind {plan.teacher.kind}: it has no tagger's checkpoint")


def identify_teacher(plan: Plan, checkpoint: Path | None) -> str | dict[str, Any]:
    """Return what tells this teacher's answers from any other's: its weights' sha256, or how an endpoint is asked."""
    if checkpoint is None:
        return {"endpoint": endpoint_key(plan.teacher, plan.student.labels)}
    return hash_file(model_file(checkpoint, "torch"))


def _train_on_the_spot(plan: Plan, folder: Path) -> Path:
    teacher = plan.teacher
    start = start_from(plan, teacher.encoder) if teacher.encoder else _start_afresh(plan)
    if teacher.members == 1:
        return _train_member(plan, start, folder, plan.seed, f"teacher {teacher.id}")
    if plan.profile.distillation.relation_weight > 0:
        raise RunError(f"teacher '{teacher.id}' has {teacher.members} members: relation_weight needs a single one")
    members = [
        _train_member(
            plan, start, folder.with_name(f"{folder.name}-{number + 1}"), plan.seed + number * MEMBER_STRIDE,
            f"teacher {teacher.id}, {number + 1} of {teacher.members}",
        )
        for number in range(teacher.members)
    ]  # fmt: skip
    weights = [hash_file(member / "model.safetensors") for member in members]
    run_step(
        folder,
        {"stage": "ensemble", "members": weights},
        lambda into: write_ensemble(members, into) | _sum_figures(members),
        plan.seed,
        Processes(),
    )
    return folder


def _train_member(plan: Plan, start: Start, folder: Path, seed: int, title: str) -> Path:
    labels = LABEL_SETS[plan.student.labels]
    tags = bio_tags(labels)
    training = plan.teacher.training
    assert training  # the registry has checked it
    train_tagger(
        (gold_text(document, labels) for document in teacher_documents(plan)),
        lambda: start.build(tags, seed, training.dropout),
        TaggerRecipe(tags, training, GOLD_ONLY, seed),
        folder,
        {**start.key, "gold": teacher_corpora(plan)},
        title,
    )
    return folder


def _sum_figures(members: list[Path]) -> dict[str, Any]:
    """Return what an ensemble's members have and cost together."""
    records = [read_json(member / RECORD) for member in members]
    spent = [record["energy"] for record in records]
    sums = {name: sum(entry[name] for entry in spent) for name in ("kwh", "grams_co2", "seconds")}
    return {
        "parameters": sum(record["parameters"] for record in records),
        "energy": {**spent[0], **sums, "estimate": any(entry["estimate"] for entry in spent)},
    }


def _start_afresh(plan: Plan) -> Start:
    teacher = plan.teacher
    assert teacher.architecture and teacher.tokenizer  # the registry has checked it
    texts = {"corpora": teacher_corpora(plan) + plan.corpora("transfer")}
    key = fingerprint([texts, asdict(teacher.tokenizer), teacher.architecture.max_tokens])[:12]
    tokenizer = plan.runs / "teachers" / teacher.id / f"tokenizer-{key}"
    readable = (document.text for document in chain(teacher_documents(plan), transfer_documents(plan)))
    return start_afresh(readable, teacher.tokenizer, teacher.architecture, tokenizer, texts)


def _fine_tune(plan: Plan, folder: Path) -> Path:
    teacher = plan.teacher
    if teacher.training is None:
        raise RunError(f"teacher '{teacher.id}': models/teachers/{teacher.id}.toml has no [training] section; add one")
    tags = bio_tags(LABEL_SETS[plan.student.labels])
    train_tagger(
        (gold_text(document, LABEL_SETS[plan.student.labels]) for document in teacher_documents(plan)),
        lambda: open_hub_tagger(teacher, tags, plan.seed),
        TaggerRecipe(tags, teacher.training, GOLD_ONLY, plan.seed),
        folder,
        {"hub_id": teacher.hub_id, "revision": teacher.revision, "gold": teacher_corpora(plan)},
        f"teacher {teacher.id}",
    )
    return folder
