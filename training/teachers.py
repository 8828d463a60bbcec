"""Making a teacher: trained on the spot, or a pinned Hub encoder fine-tuned on the recipe's gold.

Teachers are kept apart from students, `runs/teachers/<teacher>/<key>/`, because many students share one.
"""

from __future__ import annotations

from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from carabin.tagging import bio_tags
from training.endpoint_teacher import check_recipe, endpoint_key
from training.hub_encoders import open_hub_tagger
from training.passages import gold_text
from training.stages import build_tagger, make_tokenizer, pretrain_encoder, train_tagger
from training.texts import teacher_documents, transfer_documents
from zoo.labels import LABEL_SETS
from zoo.plan import Plan
from zoo.registry.recipes import Distillation, NoiseRecipe
from zoo.runs import RunError, fingerprint, hash_file

GOLD_ONLY = Distillation(soft_weight=0.0, gold_weight=1.0, noise=NoiseRecipe(share=0.0))


def teacher_folder(plan: Plan) -> Path:
    """Return where this plan's teacher belongs: its key covers the teacher, its gold, its texts, the seed."""
    key = fingerprint(
        {
            "teacher": {name: value for name, value in asdict(plan.teacher).items() if name != "endpoint"}
            | {"licence": None},
            "corpora": teacher_corpora(plan) + (plan.corpora("transfer") if plan.teacher.kind == "trained" else []),
            "labels": plan.student.labels,
            "seed": plan.seed,
        }
    )
    return plan.runs / "teachers" / plan.teacher.id / key[:12]


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
    return hash_file(checkpoint / "model.safetensors")


def _train_on_the_spot(plan: Plan, folder: Path) -> Path:
    teacher = plan.teacher
    assert teacher.architecture and teacher.tokenizer and teacher.training  # the registry has checked it
    shape, tags = teacher.architecture, bio_tags(LABEL_SETS[plan.student.labels])
    texts = {"corpora": teacher_corpora(plan) + plan.corpora("transfer")}
    shared = plan.runs / "teachers" / teacher.id
    tokenizer = shared / f"tokenizer-{fingerprint([texts, asdict(teacher.tokenizer), shape.max_tokens])[:12]}"
    readable = (document.text for document in chain(teacher_documents(plan), transfer_documents(plan)))
    make_tokenizer(readable, teacher.tokenizer, shape.max_tokens, tokenizer, texts)
    inputs: dict[str, Any] = {"tokenizer": hash_file(tokenizer / "tokenizer.json"), "shape": asdict(shape)}
    encoder = None
    if teacher.pretraining is not None:
        # Without the run's seed: runs of several seeds share one pretrained encoder.
        encoder = shared / f"encoder-{fingerprint([texts, inputs, asdict(teacher.pretraining)])[:12]}"
        documents = chain(teacher_documents(plan), transfer_documents(plan))
        pretrain_encoder(documents, teacher.pretraining, shape, tokenizer, encoder, {**inputs, **texts})
        inputs["encoder"] = hash_file(encoder / "model.safetensors")
    train_tagger(
        (gold_text(document, LABEL_SETS[plan.student.labels]) for document in teacher_documents(plan)),
        tags,
        lambda: build_tagger(shape, tags, tokenizer, plan.seed, encoder),
        teacher.training,
        GOLD_ONLY,
        folder,
        {**inputs, "gold": teacher_corpora(plan)},
        plan.seed,
        f"teacher {teacher.id}",
    )
    return folder


def _fine_tune(plan: Plan, folder: Path) -> Path:
    teacher = plan.teacher
    if teacher.training is None:
        raise RunError(f"teacher '{teacher.id}': models/teachers/{teacher.id}.toml has no [training] section; add one")
    tags = bio_tags(LABEL_SETS[plan.student.labels])

    train_tagger(
        (gold_text(document, LABEL_SETS[plan.student.labels]) for document in teacher_documents(plan)),
        tags,
        lambda: open_hub_tagger(teacher, tags, plan.seed),
        teacher.training,
        GOLD_ONLY,
        folder,
        {"hub_id": teacher.hub_id, "revision": teacher.revision, "gold": teacher_corpora(plan)},
        plan.seed,
        f"teacher {teacher.id}",
    )
    return folder
