"""From a corpus's name to its documents.

A corpus resolves in one order: generated here if it is synthetic; else `CARABIN_DATA/<id>/` if that folder exists; else
the Hub, at the card's pinned revision; else an error that says both ways to get it. Nothing falls back silently.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from carabin.documents import Document, DocumentError, Entity, read_json_lines, without_nesting
from carabin.errors import CarabinError
from zoo.labels import LABEL_SETS
from zoo.registry import Corpus, Registry
from zoo.registry.recipes import CorpusUse
from zoo.runs import fingerprint, hash_file

DATA_VARIABLE = "CARABIN_DATA"


class CorpusError(CarabinError):
    """A corpus that cannot be read; the message names it, the cause and the ways to get it."""


def read_documents(registry: Registry, use: CorpusUse, labels: str | None, seed: int = 1) -> Iterator[Document]:
    """Yield the documents of one use of a corpus, streamed.

    Args:
        registry: Where the corpus's card is found.
        use: Corpus, split and number of documents.
        labels: Label set whose entities are wanted, nested ones flattened to the outermost (`nested_dropped` in the
            attributes counts what that cost); None drops all annotations, as a transfer text's are.
        seed: Of a synthetic corpus; the others do not depend on it.

    Raises:
        CorpusError: the corpus is not to be had, or its file is not the one the card pins.
        DocumentError: a record is malformed.
    """
    corpus = registry.corpus(use.corpus)
    if use.split not in corpus.splits:
        raise CorpusError(f"corpus '{corpus.id}' has no split '{use.split}'; it has: {', '.join(corpus.splits)}")
    if corpus.source == "synthetic":
        documents = _generate(corpus, use, labels, seed)
    else:
        documents = _read_file(resolve_file(corpus, use.split), corpus)
    return (_keep_labels(document, labels, corpus) for document in islice(documents, use.documents))


def is_annotated(corpus: Corpus, labels: str) -> bool:
    """Tell whether a corpus's documents carry the entities of a label set: what is not marked is then none."""
    return corpus.source == "synthetic" or corpus.labels == labels


def revision_of(corpus: Corpus, split: str) -> str:
    """Return what pins the text of a split: a generator version, a commit, or `sha256:…` of the local file."""
    if corpus.source == "synthetic":
        return f"generator-{_generator_fingerprint()[:12]}"
    pinned = corpus.sha256.get(split)
    return f"sha256:{pinned}" if pinned else str(corpus.revision)


def resolve_file(corpus: Corpus, split: str) -> Path:
    """Return the file that holds a split, from CARABIN_DATA or from the Hub.

    Raises:
        CorpusError: neither place has it, or its sha256 is not the card's.
    """
    name = corpus.splits[split]
    home = corpus.folder or corpus.id
    root = os.environ.get(DATA_VARIABLE)
    if root and (folder := Path(root) / home).is_dir():
        path = folder / name
        if not path.is_file():
            raise CorpusError(f"corpus '{corpus.id}': {path} is missing though its folder is there; put the file back")
    elif corpus.source == "hub" and corpus.hub_id and corpus.revision:
        path = _download(corpus, name, home)
    else:
        hub = f"; or the Hub: {corpus.hub_id}" if corpus.hub_id else ""
        raise CorpusError(
            f"corpus '{corpus.id}' is not at hand: set {DATA_VARIABLE} to a folder that holds {home}/{name} "
            f"(now {root or 'unset'}){hub}"
        )
    expected = corpus.sha256.get(split)
    if expected and (found := hash_file(path)) != expected:
        raise CorpusError(f"{path}: sha256 {found[:12]}… is not the card's {expected[:12]}…; fetch the pinned version")
    return path


def _download(corpus: Corpus, name: str, home: str) -> Path:
    assert corpus.hub_id  # the registry has checked it
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(corpus.hub_id, name, repo_type="dataset", revision=corpus.revision))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise CorpusError(
            f"corpus '{corpus.id}': {corpus.hub_id}@{corpus.revision} could not be fetched "
            f"({type(error).__name__}); connect to the Hub, or set {DATA_VARIABLE} to a folder that holds {home}/{name}"
        ) from error


def _generate(corpus: Corpus, use: CorpusUse, labels: str | None, seed: int) -> Iterator[Document]:
    from zoo.synthesis import generate_reports

    if use.documents is None:
        raise CorpusError(f"corpus '{corpus.id}' is endless: say how many documents of '{use.split}' the recipe wants")
    records = generate_reports(use.split, use.documents, seed, labels or corpus.labels or "umls")
    return (Document.from_dict(record, f"{corpus.id}/{use.split}") for record in records)


def _read_file(path: Path, corpus: Corpus) -> Iterator[Document]:
    for number, (where, record) in enumerate(_records(path)):
        if isinstance(record, dict):
            record = {**record, "text": record.get(corpus.text_column), "id": record.get("id", number)}
        yield Document.from_dict(record, where)


def _records(path: Path) -> Iterable[tuple[str, object]]:
    if path.suffix != ".parquet":
        return read_json_lines(path)
    import pyarrow.parquet

    batches = pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=256)
    return (
        (f"{path}:{number}", row) for number, row in enumerate(row for batch in batches for row in batch.to_pylist())
    )


def _keep_labels(document: Document, labels: str | None, corpus: Corpus) -> Document:
    attributes: dict[str, Any] = dict(document.attributes)
    if labels is None:
        return replace(document, entities=(), attributes=attributes)
    if corpus.relabel:
        spelled = (replace(e, label=corpus.relabel.get(e.label, e.label)) for e in document.entities)
        document = replace(document, entities=tuple(spelled))
    wanted = set(LABEL_SETS[labels])
    unknown = {entity.label for entity in document.entities} - wanted
    if unknown:
        raise DocumentError(
            f"corpus '{corpus.id}', document {document.id!r}: labels {sorted(unknown)} not in '{labels}'"
        )
    flat: tuple[Entity, ...] = without_nesting(document.entities)
    attributes["nested_dropped"] = len(document.entities) - len(flat)
    return replace(document, entities=flat, attributes=attributes)


def _generator_fingerprint() -> str:
    from zoo import synthesis

    folder = Path(synthesis.__file__).parent
    sources = sorted(path for path in folder.rglob("*") if path.suffix in {".py", ".toml"})
    names = {path.relative_to(folder).as_posix(): path for path in sources}
    # The questions asked about the reports change nothing in them.
    return fingerprint({name: hash_file(path) for name, path in names.items() if not name.startswith("exercises/")})
