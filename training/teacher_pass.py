"""The teacher pass: a teacher reads documents once, and its word distributions are kept in shards.

    <folder>/shard-00000.parquet   id, word_start[], word_end[], probs[n_words x n_tags] float16
    <folder>/run.json              written last: for which teacher, corpus and options

Of several processes each labels its share of the shards, on its own device. A kill costs each of them the shard it was
at, at most: the next call, of as many processes or not, goes on from the whole ones. Another teacher, corpus, revision
or option is another key: never reused.
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
from carabin.tokens.words import Offsets
from zoo.runs import Alone, RunError

SHARD_DOCUMENTS = 128
SHARDS = "shard-*.parquet"


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
    group: Alone | None = None,
) -> dict[str, Any]:
    """Label documents shard by shard, skipping the shards that an earlier call finished.

    Args:
        annotator: Over the teacher, or the teacher itself.
        documents: The same stream, in the same order, at every call.
        folder: Where shards go.
        total: Number of documents, for the progress bar.
        shard_documents: Documents in one shard: what a kill loses at most.
        title: For the progress bar.
        group: The processes that all call this with the same documents; each labels every `count`-th shard.

    Returns:
        Figures of all processes together: documents, words, shards, shards found done.
    """
    group = group or Alone()
    found = len(list(folder.glob(SHARDS)))
    group.wait()  # until all have counted what is there, nobody adds to it
    if group.leader:
        for leftover in folder.glob("*.writing"):
            leftover.unlink()
    group.wait()
    n_documents = 0
    with Progress(disable=not group.leader) as bar:
        task = bar.add_task(f"{title:<28}", total=total)
        for number, batch in enumerate(_cut(documents, shard_documents)):
            n_documents += len(batch)
            bar.update(task, completed=n_documents)
            if number % group.count != group.number:
                continue
            path = folder / f"shard-{number:05d}.parquet"
            if path.is_file():
                _check_ids(path, batch)
            else:
                _write_shard(annotator, batch, path)
    group.wait()
    shards = sorted(folder.glob(SHARDS))
    n_words = sum(map(_count_words, shards)) if group.leader else 0
    return {"documents": n_documents, "words": n_words, "shards": len(shards), "shards_found": found}


def _cut(documents: Iterable[Document], size: int) -> Iterator[list[Document]]:
    stream = iter(documents)
    while batch := list(islice(stream, size)):
        yield batch


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
    for path in sorted(folder.glob(SHARDS)):
        for batch in pq.ParquetFile(path).iter_batches(batch_size=32):
            for row in batch.to_pylist():
                words = np.stack([np.asarray(row["word_start"]), np.asarray(row["word_end"])], axis=1)
                yield row["id"], words.reshape(-1, 2), np.asarray(row["probs"], np.float16).reshape(-1, n_tags)
