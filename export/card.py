"""The model card: rendered from a run's files, never edited by hand, stale as soon as one of them changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from huggingface_hub import ModelCardData

from carabin.errors import CarabinError
from export import card_facts
from export.calibration_facts import calibration_facts
from export.card_family import CardFamily
from export.card_tagger import TAGGER_CARD
from export.card_writer import WRITER_CARD
from export.lineage import CARD, LINEAGE, write_lineage
from zoo.licences import Reason
from zoo.registry import Student
from zoo.runs import read_json, write_json

TEMPLATES = Path(__file__).with_name("templates")
FAMILIES = {"bert": TAGGER_CARD, "t5": WRITER_CARD}
"""A student's `family` -> what its card says beside what every card says."""
OPEN_LICENCE = "apache-2.0"
CO2_FIELDS = {"location": "geographical_location", "hardware": "hardware_used"}
"""Field of energy.json -> the Hub's; what nobody knows is left out."""
LEVEL_MEANINGS = {
    "open": "free for any use, with the notices and attributions below",
    "share-alike": "what is made from it must be shared under the same terms as the texts it learned from",
    "attribution-bound": "usable if the notices its sources ask for are carried on",
    "research-only": "for non-commercial research only",
    "evaluation-only": "for evaluation under the user agreements of its corpora only, not to be passed on",
    "refused": "not to be passed on",
}


class CardError(CarabinError):
    """A card that cannot be rendered; the message names what is missing and which step writes it."""


@dataclass(frozen=True)
class CardInputs:
    """Everything a card is rendered from."""

    student: Student
    lineage: Mapping[str, Any]
    """From `export.lineage`: profile, seed, teacher, corpora, methods, verdict, commit, command."""
    metrics: Mapping[str, Any]
    """Role (`student`, `teacher`, `twin`, `int8`, and `baselines` of what writes) -> metrics of `evaluation.score_ner`
    or `evaluation.score_writing`; `student` must be there."""
    frugality: Mapping[str, Any]
    energy: Mapping[str, Any]
    """`kwh`, `grams_co2`, `source`, and optionally `stages`, `location`, `hardware`."""
    parity: Mapping[str, Any]
    sizes: Mapping[str, int]
    """Published file -> bytes."""
    calibration: Mapping[str, Any] | None = None
    """From `export.calibration_facts`; None for a student whose scores were not calibrated."""

    @classmethod
    def of_published(cls, folder: Path, student: Student) -> CardInputs:
        """Return the inputs that a folder's own metrics.json, lineage.json and parity.json hold.

        Raises:
            RunError: a file is missing or damaged.
            CardError: the files do not say all that a card must say.
        """
        record, lineage, parity = (read_json(folder / f"{name}.json") for name in ("metrics", "lineage", "parity"))
        if missing := {"splits", "beside", "frugality", "energy", "files"} - record.keys():
            raise CardError(f"{folder / 'metrics.json'}: lacks {', '.join(sorted(missing))}; build the card again")
        metrics = {"student": record, **record["beside"]}
        return cls(student, lineage, metrics, record["frugality"], record["energy"], parity, record["files"],
                   record.get("calibration"))  # fmt: skip

    @property
    def family(self) -> CardFamily:
        """What this student's family says."""
        return FAMILIES[self.student.family]

    def __post_init__(self) -> None:
        if "student" not in self.metrics or not card_facts.clean_splits(self.metrics["student"]):
            raise CardError(f"card of '{self.student.id}': no metrics of the student; score it first")
        if missing := {"kwh", "grams_co2", "source"} - self.energy.keys():
            raise CardError(f"card of '{self.student.id}': energy.json lacks {', '.join(sorted(missing))}")
        if self.lineage["verdict"]["level"] not in LEVEL_MEANINGS:
            raise CardError(f"card of '{self.student.id}': no such licence level {self.lineage['verdict']['level']!r}")


def render_card(inputs: CardInputs) -> str:
    """Return the card's text, front matter included. The same inputs give the same bytes."""
    # Markdown, not HTML: escaping would turn quotes into entities.
    environment = jinja2.Environment(  # noqa: S701
        loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, keep_trailing_newline=True,
        autoescape=False,
    )  # fmt: skip
    environment.filters["tojson_fr"] = lambda text: json.dumps(text, ensure_ascii=False)
    return environment.get_template(inputs.family.template).render(
        front_matter=front_matter(inputs).to_yaml(), **_body(inputs)
    )


def write_card(folder: Path, student: Student, lineage: Mapping[str, Any]) -> None:
    """Write README.md from a folder's metrics.json and parity.json, and lineage.json with the card's hash.

    The card is a function of these three files, the student's declaration and the template, and of nothing else: who
    has the files can render it again.
    """
    write_json(folder / LINEAGE, lineage)
    card = render_card(CardInputs.of_published(folder, student))
    (folder / CARD).write_text(card, encoding="utf-8")
    write_lineage(folder, lineage)


def front_matter(inputs: CardInputs) -> ModelCardData:
    """Return the card's YAML, by the Hub's conventions (https://huggingface.co/docs/hub/model-cards)."""
    student, lineage, energy = inputs.student, inputs.lineage, inputs.energy
    teacher, verdict = lineage["teacher"], lineage["verdict"]
    hub_corpora = list(dict.fromkeys(corpus["hub_id"] for corpus in lineage["corpora"] if corpus.get("hub_id")))
    is_open = verdict["level"] == "open"
    return ModelCardData(
        language="fr",
        license=OPEN_LICENCE if is_open else "other",
        license_name=None if is_open else f"carabin-{verdict['level']}",
        license_link=None if is_open else "LICENSE",
        library_name="transformers",
        pipeline_tag=inputs.family.pipeline_tag,
        # "finetune" is the nearest of the Hub's four relations; the tag `distillation` says what it was.
        base_model=teacher.get("hub_id"),
        base_model_relation="finetune" if teacher.get("hub_id") else None,
        tags=card_tags(inputs),
        datasets=hub_corpora or None,
        metrics=list(inputs.family.metrics),
        widget=[{"text": text} for text in student.widget] or None,
        model_name=student.id,
        eval_results=inputs.family.eval_results(inputs.metrics["student"]),
        co2_eq_emissions={
            "emissions": energy["grams_co2"],
            "source": energy["source"],
            "training_type": "distillation, the teacher's share included",
            **{key: energy[name] for name, key in CO2_FIELDS.items() if energy.get(name)},
        },
    )


def card_tags(inputs: CardInputs) -> list[str]:
    """Return the Hub tags."""
    level = inputs.lineage["verdict"]["level"]
    tags = [
        "carabin",
        "distillation",
        "medical",
        "clinical",
        "french",
        *inputs.family.tags(inputs.student, inputs.metrics["student"]),
        "onnx",
        "transformers.js",
    ]
    if card_facts.is_synthetic_only(inputs.lineage["corpora"]):
        tags.append("synthetic-data-only")
    return tags if level == "open" else [*tags, level]


def _body(inputs: CardInputs) -> dict[str, Any]:
    """Return the template's variables but the front matter."""
    student, lineage, parity = inputs.student, inputs.lineage, inputs.parity
    int8, compared = parity["int8"], parity["torch_vs_onnx"]
    own = inputs.family.facts(student, inputs.metrics, parity)
    return {
        "student": student,
        "synthetic_only": card_facts.is_synthetic_only(lineage["corpora"]),
        "privacy": card_facts.privacy_sentence(lineage["corpora"]),
        "verdict": {**lineage["verdict"], "reasons": [reason_text(one) for one in lineage["verdict"]["reasons"]]},
        "licence_summary": OPEN_LICENCE if lineage["verdict"]["level"] == "open" else lineage["verdict"]["level"],
        "licence_paragraph": licence_paragraph(lineage["verdict"]["level"]),
        **{key: lineage[key] for key in ("profile", "seed", "teacher", "corpora", "methods", "commit", "command")},
        "targets": lineage.get("targets"),
        "sizes": [(name, f"{size / 1e6:.1f}") for name, size in inputs.sizes.items()],
        "published": {
            f"{one['id']}/{one['split']}": one["published"] for one in lineage["corpora"] if "published" in one
        },
        "calibration": calibration_facts(inputs.calibration),
        "frugality": card_facts.frugality_rows(inputs.frugality),
        "energy": inputs.energy,
        "parity": {
            "texts": compared["texts"],
            "difference": f"{compared['max_abs_logit_difference']:.1e}",
            "tolerance": f"{compared['tolerance']:.0e}",
        },
        "int8": int8,
        **own,
        "failures": _failures(own["failures"], int8),
    }


def _failures(measured: Sequence[str], int8: Mapping[str, Any]) -> list[str]:
    withheld = [] if int8["published"] else [f"INT8 is not published: {int8['why']}."]
    return [*measured, *withheld] or ["None measured; that is no proof that there is none."]


def licence_paragraph(level: str) -> str:
    """Return what the verdict means for whoever takes the student."""
    name = "Apache-2.0" if level == "open" else f"other (`carabin-{level}`)"
    return f"Licence of these weights: {name}. The level `{level}` means: {LEVEL_MEANINGS[level]}."


def reason_text(reason: str | Mapping[str, Any]) -> str:
    """Return a reason of the verdict as the licence gate words it."""
    return reason if isinstance(reason, str) else str(Reason(**{**reason, "obligations": ()}))
