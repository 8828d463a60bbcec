"""Is this folder fit to publish? Everything that can be checked without a network, and refused with a reason.

A publishable repository is the last step's output: model, tokenizer, ONNX, card, `lineage.json`, `metrics.json`,
`parity.json`, and `manifest.json`, which holds the size and sha256 of every other file but the signature made over it.
"""

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

from carabin.errors import CarabinError, ModelError
from carabin.trust.manifest import MANIFEST, SIGNATURE
from carabin.trust.signature import signed_files
from carabin.verify import Signed, verify
from zoo.runs import RECORD, hash_file

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
HEADLINE_METRICS = ("ner_exact_f1", "rougeLsum", "rougeL")
QUANTIZED_SUFFIXES = ("_quantized", "_int8", "_uint8", "_q4", "_q4f16", "_bnb4")
INT8_LIMIT = 0.005
"""Half a point of F1, the most that INT8 may lose."""
PICKLE_SUFFIXES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill", ".npy", ".npz")


class PublishError(CarabinError):
    """The folder must not be published; the message names the thing, the cause and the way out, on one line."""


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


def list_files(folder: Path) -> list[str]:
    """Return the files to publish, as sorted POSIX paths: all but the record that a run keeps for itself.

    Raises:
        PublishError: The folder holds a symbolic link, which could publish a file of another place.
    """
    names = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise PublishError(f"{path}: a symbolic link; put the file itself there")
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != RECORD:
            names.append(name)
    return names


def read_object(folder: Path, name: str, way_out: str) -> dict[str, Any]:
    """Return the JSON object that a file holds.

    Raises:
        PublishError: The file cannot be read or holds something else.
    """
    try:
        value = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PublishError(f"{folder / name}: unreadable ({error}); {way_out}") from error
    if not isinstance(value, dict):
        raise PublishError(f"{folder / name}: not a JSON object; {way_out}")
    return value


def refuse_pickles(folder: Path, names: list[str]) -> None:
    """Refuse files that run code when they are loaded, whatever their name."""
    for name in names:
        with (folder / name).open("rb") as file:
            start = file.read(9)
        if name.endswith(PICKLE_SUFFIXES) or looks_like_pickle(name, start):
            raise PublishError(f"{folder / name}: a pickle or an archive, which can run code; publish safetensors only")


def looks_like_pickle(name: str, start: bytes) -> bool:
    """Tell from the first 9 bytes whether a file is a pickle (protocols 2 to 5) or a zip, which torch.save writes."""
    if name.endswith(".safetensors"):
        # It starts with the length of its JSON header, which may happen to spell a pickle's or a zip's first bytes.
        return start[8:9] != b"{"
    return start[:2] == b"PK" or (start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"))


def check_manifest(folder: Path, names: list[str]) -> None:
    """Compare the files on disk with those the manifest lists, both ways."""
    way_out = "run the export again"
    listed = read_object(folder, MANIFEST, way_out).get("files")
    if not isinstance(listed, dict):
        raise PublishError(f'{folder / MANIFEST}: has no "files"; {way_out}')
    for name in names:
        if name not in listed and name not in (MANIFEST, SIGNATURE):
            raise PublishError(f"{folder / name}: not in {MANIFEST}; delete it, or {way_out}")
    for name, expected in listed.items():
        if name not in names:
            raise PublishError(f"{folder / name}: in {MANIFEST} but not on disk; {way_out}")
        path = folder / name
        if not isinstance(expected, dict) or expected.get("size") != path.stat().st_size:
            raise PublishError(f"{path}: not the size that {MANIFEST} gives; {way_out}")
        if expected.get("sha256") != hash_file(path):
            raise PublishError(f"{path}: not the sha256 that {MANIFEST} gives; {way_out}")


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


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether a JSON value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def check_onnx_parity(parity: dict[str, Any], folder: Path, names: list[str]) -> None:
    """Check that there is an ONNX model and that it answers as torch does; the figures count, not the word `passed`."""
    where = folder / "parity.json"
    if not any(name.startswith("onnx/") and name.endswith(".onnx") for name in names):
        raise PublishError(f"{folder / 'onnx'}: holds no ONNX file; export again")
    compared = parity.get("torch_vs_onnx")
    if not isinstance(compared, dict):
        raise PublishError(f"{where}: torch and ONNX were never compared; export again")
    difference, tolerance = compared.get("max_abs_logit_difference"), compared.get("tolerance")
    within = is_number(difference) and is_number(tolerance) and difference <= tolerance
    if compared.get("passed") is not True or not within:
        raise PublishError(
            f"{where}: torch and ONNX differ by {difference} (tolerance {tolerance}); correct the export, run it again"
        )


def check_int8_gate(parity: dict[str, Any], folder: Path, names: list[str]) -> None:
    """Check that a quantized file is there exactly when its task metric held; here too the figures count."""
    int8 = parity.get("int8")
    if not isinstance(int8, dict):
        raise PublishError(f"{folder / 'parity.json'}: INT8 was never judged; export again")
    quantized = [name for name in names if PurePosixPath(name).stem.endswith(QUANTIZED_SUFFIXES)]
    fp32, quantized_f1, limit = int8.get("f1_fp32"), int8.get("f1_int8"), int8.get("limit", INT8_LIMIT)
    # The last addend is for the last bit of a difference of floats.
    held = is_number(fp32) and is_number(quantized_f1) and is_number(limit) and fp32 - quantized_f1 <= limit + 1e-9
    if quantized and not (held and int8.get("passed") is True and int8.get("published") is True):
        why = int8.get("why") or f"F1 {int8.get('f1_int8')} against {int8.get('f1_fp32')}"
        raise PublishError(f"{folder / quantized[0]}: INT8 did not pass its gate ({why}); export again without it")
    if int8.get("published") is True and not quantized:
        raise PublishError(f"{folder / 'parity.json'}: says that INT8 is published, and no file is; export again")


def hash_git_blob(path: Path) -> str:
    """Return the SHA-1 under which git, and so the Hub, stores a small file."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
