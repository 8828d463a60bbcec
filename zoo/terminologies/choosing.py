"""Transfer text chosen for the names it holds: ten leaflets of ten medicines teach more than ten of one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from carabin.documents import Document
from carabin.names.matching import Name, Names
from carabin.tokens.words import find_words


def choose_documents(
    documents: Iterable[Document], names: Sequence[Names], new_names: int, wanted: int | None
) -> Iterator[Document]:
    """Yield, in order, the documents that hold names which no document chosen before them held.

    The stream is read only until enough are chosen; the same stream always gives the same choice.

    Args:
        documents: A corpus, from its start.
        names: Of each terminology that counts.
        new_names: How many names must be new.
        wanted: How many documents at most; None for all that qualify.
    """
    seen: set[tuple[int, Name]] = set()
    chosen = 0
    for document in documents:
        words = find_words(document.text)
        held = {
            (number, match.name) for number, known in enumerate(names) for match in known.find(document.text, words)
        }
        if len(held - seen) < new_names:
            continue
        seen |= held
        yield document
        chosen += 1
        if chosen == wanted:
            return
