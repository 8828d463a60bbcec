"""Where a student comes from, as data: `lineage.json`; and what its repository holds: `manifest.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from carabin.trust.manifest import MANIFEST, SIGNATURE
from zoo.registry import Registry
from zoo.runs import RECORD, hash_file, provenance, write_json

CARD = "README.md"
LINEAGE = "lineage.json"
TARGETS = "targets.json"
"""Of a run whose student learned from generated texts: `texts_written` and `rejected`, the share that the filter
refused."""
GENERATED = "generated-text"
"""The method by which targets are generated (`zoo.registry.recipes.Method`)."""


def make_lineage(
    plan: Mapping[str, Any],
    verdict: Mapping[str, Any],
    registry: Registry,
    weights_sha256: str,
    teacher_sha256: str | None = None,
    targets: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return lineage.json, but for `card_sha256`, which `write_lineage` adds once the card is rendered.

    Args:
        plan: plan.json, as `zoo.plan` wrote it.
        verdict: verdict.json, as `zoo.plan` wrote it.
        registry: Says of each corpus where it is on the Hub and whether it is generated.
        weights_sha256: Of the student's model.safetensors.
        teacher_sha256: Of the weights of the teacher that was really asked, where they are a file.
        targets: targets.json, where the run has one.
    """
    record, student = provenance(plan["seed"]), plan["student"]["id"]
    teacher = {key: plan["teacher"].get(key) for key in ("id", "kind", "hub_id", "revision", "parameters", "summary")}
    return {
        **_generated(plan, teacher_sha256, targets or {}),
        "student": student,
        "profile": plan["profile_name"],
        "seed": plan["seed"],
        "teacher": {**teacher, "sha256": teacher_sha256},
        "methods": list(plan["profile"]["methods"]),
        "corpora": [_corpus(entry, registry) for entry in plan["corpora"]],
        "verdict": dict(verdict),
        "weights_sha256": weights_sha256,
        "commit": record["commit"],
        "software": record["software"],
        "command": f"make train-{student} PROFILE={plan['profile_name']} SEED={plan['seed']}",
    }


def _generated(
    plan: Mapping[str, Any], teacher_sha256: str | None, targets: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return `targets`: who generated what the student learned from, and how much was refused; nothing for the rest."""
    if GENERATED not in plan["profile"]["methods"]:
        return {}
    teacher = plan["teacher"]
    counts = {key: targets.get(key) for key in ("texts_written", "rejected")}
    return {"targets": {"generator": teacher["id"], "revision": teacher.get("revision") or teacher_sha256, **counts}}


def _corpus(entry: Mapping[str, Any], registry: Registry) -> dict[str, Any]:
    card = registry.corpus(entry["corpus"])
    published = [asdict(score) for score in card.published if score.split == entry["split"]]
    return {
        "id": entry["corpus"],
        **{key: entry.get(key) for key in ("split", "role", "documents", "revision", "data_seed", "licence")},
        "source": card.source,
        "hub_id": card.hub_id,
        **({"published": published} if published and entry["role"] == "test" else {}),
    }


def write_lineage(folder: Path, lineage: Mapping[str, Any]) -> None:
    """Write lineage.json, with the hash by which a card that was edited, or not rendered again, is known as stale."""
    write_json(folder / LINEAGE, {**lineage, "card_sha256": hash_file(folder / CARD)})


def write_manifest(folder: Path) -> None:
    """Write manifest.json, last: size and sha256 of every other file that is published."""
    apart = {MANIFEST, SIGNATURE, RECORD, "claim.json"}
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in apart)
    listed = {
        path.relative_to(folder).as_posix(): {"sha256": hash_file(path), "size": path.stat().st_size} for path in files
    }
    write_json(folder / MANIFEST, {"files": listed})
