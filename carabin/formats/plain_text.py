"""Text files: one document each, called by its file's name or its path in a folder."""

from __future__ import annotations

from collections.abc import Iterator

from carabin.formats.base import BadDocument, Format, Item, ReadOptions, Source
from carabin.formats.loading import decode_text, read_bytes


class TextReader:
    """Reads `.txt`."""

    def check(self, source: Source, options: ReadOptions, entities: bool) -> None:
        """Raise nothing: a file that cannot be read is one document set aside."""

    def read(self, source: Source, options: ReadOptions, entities: bool) -> Iterator[Item]:
        """Yield the file's document."""
        data = read_bytes(source, options)
        if isinstance(data, BadDocument):
            yield data
        else:
            yield decode_text(data, str(source.path), source.id, options)


FORMAT = Format("text", (".txt",), TextReader(), one_document=True)
