"""Is this folder fit to publish? Everything that can be checked without a network, and refused with a reason.

A publishable repository is the last step's output: model, tokenizer, ONNX, card, `lineage.json`, `metrics.json`,
`parity.json`, and `manifest.json`, which holds the size and sha256 of every other file but the signature made over it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carabin.errors import ModelError
from carabin.trust.manifest import MANIFEST, SIGNATURE
from carabin.trust.signature import signed_files
from carabin.verify import Signed, verify
from export.push_files import PublishError, check_manifest, list_files, read_object, refuse_pickles
from export.push_model import check_family, check_int8_gate, check_onnx_parity, is_number
from zoo.runs import hash_file

CARD = "README.md"
REQUIRED_FILES = (
    CARD,
    "LICENSE",
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "lineage.json",
    "metrics.json",
    "parity.json",
    MANIFEST,
)
PUBLIC_LEVELS = ("open", "share-alike", "attribution-bound")
PRIVATE_LEVEL = "research-only"
HEADLINE_METRICS = ("rougeL", "ner_exact_f1")
"""What the quality gate holds: a student that writes has entities scored too, its texts come first."""


@dataclass(frozen=True)
class PublishableRepository:
    """What is known of a folder that passed every check."""

    folder: Path
    student: str | None
    """Name of the student, from `lineage.json`, None when it has none."""
    verdict: str
    """Licence verdict: `open`, `share-alike`, `attribution-bound` or `research-only`."""
    headline: str
    """The figure to quote, such as `test ner_exact_f1 0.8123`."""
    manifest_sha256: str
    signature: Signed
    """`valid` with the public key given, `not checked` without one, or `absent`."""

    @property
    def must_be_private(self) -> bool:
        """Tell whether only a private repository may hold it."""
        return self.verdict == PRIVATE_LEVEL


def check_publishable(folder: Path) -> None:
    """Check that a folder may be published.

    Raises:
        PublishError: It may not; the message says why and what to do.
    """
    read_publishable(folder)


def read_publishable(folder: Path, public_key: Path | None = None) -> PublishableRepository:
    """Check a folder, as `check_publishable`, and return what a push needs to know of it.

    Args:
        folder: A finished repository.
        public_key: With it, the folder must be signed with its private half.
    """
    if not folder.is_dir():
        raise PublishError(f"{folder}: no such folder; export the student first")
    for name in REQUIRED_FILES:
        if not (folder / name).is_file():
            raise PublishError(f"{folder}: {name} is missing; run the export again, to its end")
    files = list_files(folder)
    check_manifest(folder, files)
    refuse_pickles(folder, files)
    lineage = read_object(folder, "lineage.json", "render the card again")
    if lineage.get("card_sha256") != hash_file(folder / CARD):
        raise PublishError(f"{folder / CARD}: stale, it is not the card rendered from this run; render the card again")
    check_onnx_parity(read_object(folder, "parity.json", "export again"), folder, files)
    check_int8_gate(read_object(folder, "parity.json", "export again"), folder, files)
    check_family(folder, files)
    student = lineage.get("student")
    return PublishableRepository(
        folder=folder,
        student=student if isinstance(student, str) else None,
        verdict=read_verdict(lineage, folder),
        headline=read_headline(read_object(folder, "metrics.json", "evaluate again"), folder),
        manifest_sha256=hash_file(folder / MANIFEST),
        signature=check_trust(folder, files, public_key),
    )


def check_trust(folder: Path, names: list[str], public_key: Path | None) -> Signed:
    """Check that a hospital's `carabin verify` accepts the folder, and that a signature is of the files as they are."""
    if SIGNATURE in names:
        try:
            stated = signed_files(folder)
        except ModelError as error:
            raise PublishError(f"{error}, or sign it again") from error
        present = {name: hash_file(folder / name) for name in names if name != SIGNATURE}
        for name in sorted(stated.keys() | present.keys()):
            if stated.get(name) != present.get(name):
                raise PublishError(f"{folder / SIGNATURE}: stale, not made over {name} as it is; sign the folder again")
    try:
        return verify(folder, public_key).signature
    except ModelError as error:
        raise PublishError(f"{error} (as a hospital's `carabin verify` would say)") from error


def read_verdict(lineage: dict[str, Any], folder: Path) -> str:
    """Return the licence verdict's level when it allows publishing at all."""
    verdict = lineage.get("verdict")
    if not isinstance(verdict, dict) or not isinstance(verdict.get("level"), str):
        raise PublishError(f"{folder / 'lineage.json'}: has no licence verdict; run the licence gate again")
    level, reasons = verdict["level"], verdict.get("reasons")
    if level not in (*PUBLIC_LEVELS, PRIVATE_LEVEL):
        because = f" ({shown_reason(reasons[0])})" if isinstance(reasons, list) and reasons else ""
        raise PublishError(
            f"{folder}: the licence verdict is {level}{because}; train with another teacher or another corpus"
        )
    return level


def shown_reason(reason: object) -> str:
    """Return a reason of the licence gate, which puts the strictest first, as a few words."""
    if isinstance(reason, dict):
        return ": ".join(str(reason[key]) for key in ("subject", "why") if reason.get(key))
    return str(reason)


def read_headline(metrics: dict[str, Any], folder: Path) -> str:
    """Return the figure to quote: a known metric of a clean test split if there is one, else of the first split."""
    splits = metrics.get("splits")
    if not isinstance(splits, dict) or not splits:
        raise PublishError(f"{folder / 'metrics.json'}: has no split; evaluate again")
    for split in sorted(splits, key=lambda name: (is_noised(name, splits[name]), name.rsplit("/")[-1] != "test")):
        for metric in HEADLINE_METRICS:
            for value in find_values(splits[split], metric):
                return f"{split} {metric} {value:.4f}"
    wanted = ", ".join(HEADLINE_METRICS)
    raise PublishError(f"{folder / 'metrics.json'}: no split has any of {wanted}; evaluate again")


def is_noised(name: str, split: object) -> bool:
    """Tell whether a split was damaged on purpose: its score is not the one to quote."""
    return "+" in name or (isinstance(split, dict) and bool(split.get("noise")))


def find_values(node: object, metric: str) -> Iterator[float]:
    """Yield the finite values of a metric, written `{metric: value}` or `{metric: {"value": value}}`, at any depth."""
    if not isinstance(node, dict):
        return
    for key, child in node.items():
        value = child.get("value") if isinstance(child, dict) else child
        if key == metric and is_number(value):
            yield float(value)
        elif key != metric:
            yield from find_values(child, metric)
