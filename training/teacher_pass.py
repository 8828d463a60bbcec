"""The teacher pass: a teacher reads documents once, and its word distributions are kept in shards.

    <folder>/shard-00000.parquet   id, word_start[], word_end[], probs[n_words x n_tags] float16
    <folder>/run.json              written last: for which teacher, corpus and options

A killed pass goes on from its last whole shard. Another teacher, corpus, revision or option is another
key: never reused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from rich.progress import Progress

from carabin.documents import Document
from carabin.words import Offsets
from zoo.runs import RunError

SHARD_DOCUMENTS = 128


class Labeller(Protocol):
    """Whatever labels words: `carabin.Annotator` over a checkpoint, `training.endpoint_teacher` over HTTP."""

    tags: tuple[str, ...]

    def word_probabilities(self, texts: Sequence[str]) -> list[tuple[Offsets, NDArray[np.float32]]]:
        """Return each text's words (n, 2) and their tag distributions (n, n_tags); rows of zeros teach nothing."""


def write_targets(
    annotator: Labeller,
    documents: Iterable[Document],
    folder: Path,
    total: int | None = None,
    shard_documents: int = SHARD_DOCUMENTS,
    title: str = "teacher pass",
) -> dict[str, Any]:
    """Label documents shard by shard, skipping the shards that an earlier call finished.

    Args:
        annotator: Over the teacher, or the teacher itself.
        documents: The same stream, in the same order, at every call.
        folder: Where shards go.
        total: Number of documents, for the progress bar.
        shard_documents: Documents in one shard: what a kill loses at most.
        title: For the progress bar.

    Returns:
        Figures: documents, words, shards found done.
    """
    for leftover in folder.glob("*.writing"):
        leftover.unlink()
    stream = iter(documents)
    found = n_documents = n_words = number = 0
    with Progress() as bar:
        task = bar.add_task(f"{title:<28}", total=total)
        while batch := list(islice(stream, shard_documents)):
            path = folder / f"shard-{number:05d}.parquet"
            if path.is_file():
                found += 1
                _check_ids(path, batch)
            else:
                _write_shard(annotator, batch, path)
            n_documents += len(batch)
            n_words += _count_words(path)
            number += 1
            bar.update(task, advance=len(batch))
    return {"documents": n_documents, "words": n_words, "shards": number, "shards_found": found}


def _count_words(path: Path) -> int:
    starts = pq.read_table(path, columns=["word_start"])["word_start"]
    return sum(len(chunk.flatten()) for chunk in starts.chunks)


def _write_shard(annotator: Labeller, documents: list[Document], path: Path) -> None:
    read = annotator.word_probabilities([document.text for document in documents])
    table = pa.table(
        {
            "id": [document.id for document in documents],
            "word_start": pa.array([words[:, 0] for words, _ in read], pa.list_(pa.int32())),
            "word_end": pa.array([words[:, 1] for words, _ in read], pa.list_(pa.int32())),
            "probs": pa.array([rows.astype(np.float16).reshape(-1) for _, rows in read], pa.list_(pa.float16())),
        }
    )
    writing = path.with_suffix(".writing")
    pq.write_table(table.replace_schema_metadata({"tags": " ".join(annotator.tags)}), writing, compression="zstd")
    writing.rename(path)


def _check_ids(path: Path, documents: list[Document]) -> None:
    ids = pq.read_table(path, columns=["id"])["id"].to_pylist()
    if ids != [document.id for document in documents]:
        raise RunError(f"{path}: holds other documents than the corpus gives now; delete {path.parent} and run again")


def read_targets(folder: Path, n_tags: int) -> Iterator[tuple[str, Offsets, NDArray[np.float16]]]:
    """Yield (document id, words (n, 2), distributions (n, n_tags)) of a finished pass, in the corpus's order."""
    for path in sorted(folder.glob("shard-*.parquet")):
        for batch in pq.ParquetFile(path).iter_batches(batch_size=32):
            for row in batch.to_pylist():
                words = np.stack([np.asarray(row["word_start"]), np.asarray(row["word_end"])], axis=1)
                yield row["id"], words.reshape(-1, 2), np.asarray(row["probs"], np.float16).reshape(-1, n_tags)
