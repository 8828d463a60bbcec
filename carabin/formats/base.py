"""What every format is made of: a reader, a writer, and what they are told.

A reader turns a file into documents; a document that cannot be read becomes a `BadDocument` in its place, and the
stream goes on. A writer writes parts and joins them (`carabin.jobs.journal`). Texts are never changed: line ends,
spaces and unusual characters stay, since offsets count them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from carabin.documents import Document
from carabin.errors import CarabinError

STDIN = "-"
TEXT_COLUMNS = ("text", "note_text", "texte", "contenu", "compte_rendu")
ID_COLUMNS = ("id", "note_id", "doc_id", "document_id", "id_doc", "id_document", "identifiant")
ENTITY_COLUMNS = {"document_id", "start", "end", "label"}, {"note_id", "offset", "lexical_variant"}
"""Columns of tables of entities, which have no notes in them: ours, and OMOP's NOTE_NLP."""


class InputError(CarabinError):
    """An input that cannot be read at all: missing, of an unknown kind, without the columns asked for."""


class OutputError(CarabinError):
    """An output that cannot be written: of unknown form, in the place of something else."""


class InputWarning(UserWarning):
    """Something of an input that is not read as one may think: one line with the way out, never a note's text."""


@dataclass(frozen=True, slots=True)
class BadDocument:
    """A document that could not be read or annotated: where it stands and why, never its text."""

    where: str
    cause: str
    id: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        # A file's name may be no more UTF-8 than its text.
        return {"id": self.id, "where": printable(self.where), "cause": self.cause}


Item = Document | BadDocument


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How inputs are read."""

    text_column: str | None = None
    """Column or JSON field of the text; None looks for the `TEXT_COLUMNS`."""
    id_column: str | None = None
    """Column or JSON field of the id; None looks for the `ID_COLUMNS`."""
    encoding: str = "utf-8"
    """Of text, BRAT and CSV files, and of standard input: `cp1252` for what older Windows software writes."""
    max_characters: int = 10_000_000
    """Longer texts are reported, not annotated: a note of 5,000 pages is a mistake, and would fill the memory."""
    form: str | None = None
    """Name of the format of every input; None goes by the suffixes."""
    typesystem: str | None = None
    """UIMA type system of XMI files that have no `TypeSystem.xml` beside them."""
    cas_type: str | None = None
    """UIMA type of the entities; None looks for DKPro's NamedEntity, then INCEpTION's EntiteAnonymisation."""
    cas_label: str | None = None
    """Feature of that type which holds the label; None looks for `value`, `label`, `Categorie`, …"""

    predictions: bool = False
    """Take the predictions of Label Studio tasks for their entities, not what people annotated."""

    whole_stdin: bool = False
    """Standard input that is not JSONL is one text, as a report is; without it, each line is a document."""

    other_columns: tuple[str, ...] = ()
    """Columns of tables to carry along as the document's attributes; a JSON record carries all its fields."""

    def __post_init__(self) -> None:
        if self.encoding.lower().replace("_", "-") == "utf-8-sig":
            # Its codec would drop a mark at every line; the readers drop the file's own.
            object.__setattr__(self, "encoding", "utf-8")
        try:
            plain = "a\n;".encode(self.encoding) == b"a\n;"
        except LookupError:
            raise InputError(f"encoding '{self.encoding}' is unknown; try utf-8, cp1252 or latin-1") from None
        if not plain:
            raise InputError(f"encoding '{self.encoding}' is not read line by line; convert the input to UTF-8")
        if self.max_characters < 1:
            raise InputError("the longest text allowed must be at least one character")

    @property
    def max_bytes(self) -> int:
        """Longest line or file worth reading: an escaped astral character takes twelve bytes in JSON."""
        return 12 * self.max_characters + 65_536


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read."""

    path: Path
    id: str
    """Of its document, where a file holds one: its name, or its path in the folder that was named."""
    root: Path
    """The folder that was named, or the file's own."""
    named: Path
    """The input, as it was named: the file or its folder."""


class Reader(Protocol):
    """Reads the files of one format."""

    def check(self, source: Source, options: ReadOptions, entities: bool) -> None:
        """Raise InputError for what would fail for every document: no such column, no type system."""
        ...

    def read(self, source: Source, options: ReadOptions, entities: bool) -> Iterator[Item]:
        """Yield the file's documents, with the entities that it holds if they are asked for."""
        ...


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who annotated, when: written on every entity."""

    model: str
    """`name@version`."""
    software: str
    date: str
    """Day on which the run began, ISO 8601; a resumed run keeps its first day."""


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How an output is written."""

    typesystem: str | None = None
    """UIMA type system of CAS outputs; None for the one of `carabin.formats.cas`."""
    cas_type: str | None = None
    cas_label: str | None = None
    single_file: bool = False
    """Write the one document of the run as one file, not as a folder."""


class Writer:
    """Writes one format."""

    suffix: ClassVar[str]
    """Of the parts."""

    def __init__(self, options: WriteOptions) -> None:
        """Keep the options. Raises OutputError: they do not go together, or ask for what is not installed."""
        self.options = options

    @property
    def makes_folder(self) -> bool:
        """Whether the output is a folder."""
        return False

    def refuses(self, document: Document) -> str | None:
        """Return why the document cannot be written in this format, None if it can."""
        return None

    def write_part(self, documents: Sequence[Document], path: Path, provenance: Provenance) -> None:
        """Write a run of documents."""
        raise NotImplementedError

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Make the output of all parts, in order."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Format:
    """One line of the table of formats."""

    name: str
    """For `--from` and `--to`."""
    suffixes: tuple[str, ...]
    reader: Reader | None = None
    writer: Callable[[WriteOptions], Writer] | None = None
    gold: bool = False
    """Whether its files can carry entities to read."""
    one_document: bool = False
    """Whether a file holds a single document, so that many make a folder."""
    claims: Callable[[Path], bool] | None = None
    """Tells a file of this format from others of the same suffix."""


def printable(text: str) -> str:
    """Return a name with what UTF-8 cannot hold spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()
