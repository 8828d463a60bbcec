"""The job `carabin pseudonymise`, as a typed call.

1. check the inputs, the output, the key and the student before anything is written;
2. read the inputs in parts, with the entities they hold;
3. find the identities of each part, replace them, move the other entities, set aside what fails;
4. join the parts into the output, the errors file and, if one is wanted, the sealed mapping.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TextIO

from carabin.formats.base import (
    BadDocument,
    InputError,
    Item,
    OutputError,
    Provenance,
    ReadOptions,
    WriteOptions,
    Writer,
)
from carabin.formats.reading import check_inputs, holds_one_document, read_inputs
from carabin.formats.writing import check_places, output_writer
from carabin.jobs.job import PART_DOCUMENTS, Job, Report, errors_place, kept_engine
from carabin.jobs.parts import PartMaker
from carabin.outputs import is_device
from carabin.pseudonyms.detection import Detector, StudentError
from carabin.pseudonyms.keys import KeyFileError, Secret
from carabin.pseudonyms.leaks import LeakReport, measure_leaks
from carabin.pseudonyms.mapping import Lock, MappingError, MappingWriter
from carabin.pseudonyms.pseudonymiser import CONSISTENCIES, Policy, PseudonymisedPart, Pseudonymiser
from carabin.pseudonyms.sealed_output import SealedWriter
from carabin.pseudonyms.spans import LABELS

_WITHOUT_TEXT = {"csv": "jsonl", "parquet": "parquet-documents", "omop": "parquet-documents"}
"""Forms that write entities and no text, and what to say instead."""


@dataclass(frozen=True, slots=True)
class PseudonymOptions:
    """How documents are pseudonymised."""

    policy: Policy = field(default_factory=Policy)
    rules_only: bool = False
    """No student: names and places are then found only where a title, a field or a list tells them."""
    key: Secret | None = None
    """None draws a fresh key, which nothing keeps."""
    mapping: Path | None = None
    """Where the sealed mapping goes; None writes none."""
    passphrase: str | None = field(default=None, repr=False)
    """Seals the mapping in place of the key."""
    drop_entities: bool = False
    """Leave out the entities that the inputs hold."""
    to: str | None = None
    engine: str | None = None
    """`int8`, `fp32`, `openvino` or `auto`; None takes INT8 where the student was published with it, else fp32."""
    threads: int | None = None
    resume: bool = False
    errors: Path | None = None
    reading: ReadOptions = field(default_factory=ReadOptions)
    writing: WriteOptions = field(default_factory=WriteOptions)

    def __post_init__(self) -> None:
        if self.policy.consistent not in CONSISTENCIES:
            raise InputError(f"--consistent '{self.policy.consistent}': choose {', '.join(CONSISTENCIES)}")
        if self.policy.consistent == "patient" and self.policy.patient_field is None:
            raise InputError("--consistent patient needs --patient-field NAME, the field that tells the patient")
        if self.resume and self.key is None:
            raise KeyFileError("--resume needs --key FILE: a run without one has a fresh key, which nothing kept")


def pseudonymise_files(
    inputs: Sequence[str | Path],
    out: Path | None,
    model: Path | str | None = None,
    options: PseudonymOptions | None = None,
    stream: TextIO | None = None,
    on_progress: Callable[[int], None] | None = None,
    on_error: Callable[[BadDocument], None] | None = None,
) -> Report:
    """Pseudonymise every document of the inputs.

    Args:
        inputs: Files, folders, or `-`.
        out: Output file or folder; None writes JSONL to `stream` as it goes.
        model: A `pii` student's folder or the name of a shipped one; None for the shipped one, if there is one.
        options: How.
        stream: Where JSONL goes when there is no output.
        on_progress: Called with the number of documents done, after each part.
        on_error: Called with each document set aside, for a run without an errors file.

    Returns:
        The report; its `entities` are the identities replaced.

    Raises:
        InputError: an input cannot be read at all.
        OutputError: the output cannot hold texts, or is one of the inputs.
        StudentError: the student finds no identities.
        KeyFileError, MappingError: the key or passphrase does not do.
        JournalError: the run to resume is not this one.
    """
    options = _carrying_fields(options or PseudonymOptions())
    names = [str(name) for name in inputs]
    entities = not options.drop_entities and carry_entities(names, options.reading)
    form = _form(names, out, options)
    errors_path = errors_place(out, options.errors)
    check_places(names, out, errors_path, form, options.reading)
    _check_mapping_place(names, out, errors_path, options.mapping)
    secret = options.key or Secret.random()
    if options.mapping is not None:
        lock = Lock(secret, options.passphrase)
        form = SealedWriter(form, MappingWriter(lock), options.mapping)
    detector = load_detector(model, replace(options, engine=kept_engine(options.engine, options.resume, out)))
    maker = PartMaker(Pseudonymiser(detector, secret, options.policy), form.refuses)

    def make_part(items: Sequence[Item]) -> PseudonymisedPart:
        part = maker(items)
        return PseudonymisedPart(part.read, part.documents, part.bad)

    plan = {
        "key": secret.fingerprint(),
        "policy": {**asdict(options.policy), "keep_fields": list(options.policy.keep_fields)},
        "mapping": options.mapping is not None,
        "engine": detector.annotator.engine_name if detector.annotator else None,
        "threads": options.threads or os.cpu_count(),
        "output": type(form.form if isinstance(form, SealedWriter) else form).__name__,
    }
    job = Job(
        partial(map, make_part), form, _provenance(detector), plan, options.reading, options.resume, entities,
        part_documents=PART_DOCUMENTS,
    )  # fmt: skip
    return job.run(names, out, errors_path, stream, on_progress, on_error)


def _carrying_fields(options: PseudonymOptions) -> PseudonymOptions:
    """Return the options with the fields that the policy needs read from tables too."""
    policy = options.policy
    fields = dict.fromkeys((*([policy.patient_field] if policy.patient_field else []), *policy.keep_fields))
    return replace(options, reading=replace(options.reading, other_columns=tuple(fields)))


def leaks_of_files(
    gold: Sequence[str | Path],
    model: Path | str | None = None,
    options: PseudonymOptions | None = None,
    show_texts: bool = False,
) -> LeakReport:
    """Return what would leak of the identities that gold files hold: by rules, by the student, by both.

    Raises:
        InputError: the gold cannot be read, or its form holds no entities.
        StudentError: the student finds no identities.
        LeakError: there is no identity in the gold.
    """
    options = options or PseudonymOptions()
    names = [str(name) for name in gold]
    check_inputs(names, options.reading, entities=True)
    detector = load_detector(model, options)
    return measure_leaks(read_inputs(names, options.reading, entities=True), detector, show_texts)


def load_detector(model: Path | str | None, options: PseudonymOptions) -> Detector:
    """Return the detector of a run: rules, and a student unless rules alone are wanted. Raises StudentError."""
    if options.rules_only:
        return Detector(None)
    from carabin.annotator import Annotator
    from carabin.student_folder import find_student

    folder = find_student(model if model is not None else shipped_student())
    return Detector(Annotator.load(folder, threads=options.threads, engine=options.engine))


def shipped_student() -> str:
    """Return the name of the first shipped student that finds identities. Raises StudentError: none is shipped."""
    from carabin.student_folder import SHIPPED, config_tags, is_writer, read_config, shipped_students
    from carabin.tokens.tagging import labels_of

    for name in shipped_students():
        folder = SHIPPED / name
        config = read_config(folder)
        if not is_writer(config) and set(labels_of(config_tags(config, folder))) <= set(LABELS):
            return name
    raise StudentError(
        "no student that finds identities is shipped in this installation; name one with --model DIR, or say "
        "--rules-only (names and places are then found only where a title, a field or a list tells them)"
    )


def carry_entities(names: Sequence[str], options: ReadOptions) -> bool:
    """Return whether the inputs can hold entities, to be moved along.

    Raises:
        InputError: an input cannot be read; or some can and some cannot, and the entities of the former would be lost.
    """
    check_inputs(names, options)
    without = []
    for name in names:
        try:
            check_inputs([name], options, entities=True)
        except InputError:
            without.append(name)
    if without and len(without) < len(names):
        raise InputError(
            f"{without[0]}: holds no entities, but other inputs may: run them apart, or say --drop-entities"
        )
    return not without


def _form(names: Sequence[str], out: Path | None, options: PseudonymOptions) -> Writer:
    """Return the writer of the texts."""
    to = options.to
    if to is None and out is not None and out.suffix.lower() == ".parquet":
        to = "parquet-documents"
    wanted = to or (out.suffix.lower().removeprefix(".") if out is not None else "jsonl")
    if wanted in _WITHOUT_TEXT:
        raise OutputError(f"'{wanted}' is a table of entities, without the texts; say --to {_WITHOUT_TEXT[wanted]}")
    if out is None and options.resume:
        raise OutputError("--resume needs an output file (-o): standard output cannot be taken up again")
    if out is None and options.mapping is not None:
        raise OutputError("--mapping needs an output file (-o): a stream that breaks off would leave half a mapping")
    return output_writer(out, to, options.writing, holds_one_document(names, options.reading))


def _check_mapping_place(names: Sequence[str], out: Path | None, errors: Path | None, mapping: Path | None) -> None:
    taken = {Path(name).resolve() for name in names} | {path.resolve() for path in (out, errors) if path is not None}
    if mapping is not None and (mapping.resolve() in taken or mapping.is_dir() or is_device(mapping)):
        raise MappingError(f"{mapping}: is an input, an output, a folder or a device; name another file")


def _provenance(detector: Detector) -> Provenance:
    from datetime import UTC, datetime

    from carabin import __version__

    software = f"carabin {__version__}"
    annotator = detector.annotator
    model = "rules" if annotator is None else f"{annotator.model_id}@{annotator.model_version} and rules"
    return Provenance(model, software, datetime.now(UTC).date().isoformat())
