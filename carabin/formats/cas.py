"""UIMA CAS, as JSON (0.4) and as XMI, through dkpro-cassis: one document a file, offsets in UTF-16 units there.

Read: the text of the initial view. What is already annotated is gold to read, and is not carried into the output: a
new CAS holds the text, its id and our entities. The id is DKPro's `documentId` where `documentTitle` says the same
(INCEpTION puts its user's name into the first), else the path of the file.
"""

from __future__ import annotations

import codecs
import io
import json
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carabin.documents import Document
from carabin.formats import cas_types
from carabin.formats.base import (
    BadDocument,
    Format,
    InputError,
    Item,
    OutputError,
    Provenance,
    ReadOptions,
    Source,
    WriteOptions,
    printable,
)
from carabin.formats.cas_types import CasTypeError, EntityType
from carabin.formats.folders import FilePerDocumentWriter
from carabin.formats.loading import make_document, read_bytes

if TYPE_CHECKING:
    from cassis import Cas, TypeSystem

MAX_CHARACTERS = 2_000_000
"""Code points: cassis keeps a table of some 300 bytes for each, so that 10 M of them would fill 3 GB."""
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SOFA = "{http:///uima/cas.ecore}Sofa"


@dataclass(frozen=True, slots=True)
class CasReader:
    """Reads one of the two notations."""

    xmi: bool

    def check(self, source: Source, options: ReadOptions, entities: bool) -> None:
        """Raise InputError if cassis is missing, or the type system cannot be read or does not have the type."""
        try:
            cas_types.import_cassis()
            if self.xmi and entities:
                cas_types.find_entity_type(_typesystem_of(source, options), options.cas_type, options.cas_label)
        except CasTypeError as error:
            raise InputError(str(error)) from None

    def read(self, source: Source, options: ReadOptions, entities: bool) -> Iterator[Item]:
        """Yield the file's document."""
        data = read_bytes(source, options)
        yield data if isinstance(data, BadDocument) else self._item(data, source, options, entities)

    def _item(self, data: bytes, source: Source, options: ReadOptions, entities: bool) -> Item:
        where = str(source.path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if entities:
                    # An offset outside the text is only warned of, and would then count code points.
                    warnings.filterwarnings("error", "Not mapping", UserWarning)
                if self.xmi and b"<!DOCTYPE" in data[:4096]:
                    raise CasTypeError("has a DOCTYPE, which no UIMA tool writes: entities may read other files")
                _check_size(data, self.xmi)
                cas = self._load(data, source, options, entities)
                records = _entities(cas, options) if entities else ()
        except CasTypeError as error:
            cause = str(error)
        except UnicodeEncodeError:
            cause = "lone surrogate; re-encode the source as UTF-8"
        except UnicodeDecodeError as error:
            cause = f"not UTF-8 (byte {error.start})"
        except UserWarning:
            cause = "an offset is outside the text, or inside a character of two UTF-16 units"
        except Exception as error:
            # cassis meets damaged files with errors of any kind, whose messages may quote the text.
            cause = f"not UIMA CAS {'XMI' if self.xmi else 'JSON'}, or damaged ({type(error).__name__})"
        else:
            return make_document(_identifier(cas, source), cas.sofa_string, where, options, entities=records)
        return BadDocument(where, cause, printable(source.id)[:200])

    def _load(self, data: bytes, source: Source, options: ReadOptions, entities: bool) -> Cas:
        cassis = cas_types.import_cassis()
        if not self.xmi:
            return cassis.load_cas_from_json(data.removeprefix(codecs.BOM_UTF8).decode())
        # Lenient passes over types it does not know: the text alone is to be had without anyone's type system.
        typesystem = _typesystem_of(source, options) if entities else cas_types.metadata_typesystem()
        return cassis.load_cas_from_xmi(io.BytesIO(data), typesystem=typesystem, lenient=True)


class CasWriter(FilePerDocumentWriter):
    """Writes CAS JSON."""

    main_suffix = ".json"

    def __init__(self, options: WriteOptions) -> None:
        """Read the type system. Raises OutputError: it cannot be read, or does not say where entities go."""
        super().__init__(options)
        try:
            path = options.typesystem
            self.typesystem = cas_types.read_typesystem(Path(path)) if path else cas_types.own_typesystem()
            self.kind = cas_types.find_entity_type(self.typesystem, options.cas_type, options.cas_label)
        except CasTypeError as error:
            raise OutputError(str(error)) from None

    def refuses(self, document: Document) -> str | None:
        """Return the reason if the document is too long for cassis."""
        if len(document.text) > MAX_CHARACTERS:
            return _too_long(len(document.text))
        return None

    def files(self, document: Document, provenance: Provenance) -> dict[str, bytes]:
        """Return the one file of a document."""
        return {self.main_suffix: self.dump(make_cas(document, provenance, self.typesystem, self.kind))}

    def blank_file(self) -> bytes:
        """Return a CAS without text."""
        return self.dump(make_cas(Document("", ""), Provenance("", "", ""), self.typesystem, self.kind))

    def dump(self, cas: Cas) -> bytes:
        """Return the bytes of a CAS."""
        return cas.to_json().encode()


class XmiWriter(CasWriter):
    """Writes XMI, and its type system beside it."""

    main_suffix = ".xmi"

    def refuses(self, document: Document) -> str | None:
        """Return the reason if XML cannot hold the document."""
        if found := _NOT_XML.search(document.text + document.id):
            return f"U+{ord(found.group()):04X}, which XML cannot hold; write --to cas instead"
        return super().refuses(document)

    def folder_files(self) -> dict[str, bytes]:
        """Return the type system, without which XMI cannot be read."""
        return {"TypeSystem.xml": self.typesystem.to_xml().encode()}

    def dump(self, cas: Cas) -> bytes:
        """Return the bytes of a CAS."""
        return cas.to_xmi().encode()


def make_cas(document: Document, provenance: Provenance, typesystem: TypeSystem, kind: EntityType) -> Cas:
    """Return a CAS with the text, its id if the type system has DKPro's metadata, and the entities."""
    cas = cas_types.import_cassis().Cas(typesystem=typesystem)
    cas.sofa_string = document.text
    cas.sofa_mime = "text/plain"
    if typesystem.contains_type(cas_types.METADATA):
        name = {"documentId": document.id, "documentTitle": document.id}
        cas.add(typesystem.get_type(cas_types.METADATA)(begin=0, end=len(document.text), **name))
    make = typesystem.get_type(kind.name)
    for entity in document.entities:
        values: dict[str, Any] = {kind.label: entity.label}
        if kind.score and entity.score is not None:
            score = round(entity.score, 4)
            values[kind.score] = str(score) if kind.score_is_text else score
        if kind.model:
            values[kind.model] = provenance.model
        cas.add(make(begin=entity.start, end=entity.end, **values))
    return cas


def _typesystem_of(source: Source, options: ReadOptions) -> TypeSystem:
    """Return the type system of an XMI file: the one beside it, the one named, or our own."""
    for folder in (source.path.parent, source.root):
        for path in (folder / "TypeSystem.xml", folder / "typesystem.xml"):
            if path.is_file():
                return cas_types.read_typesystem(path)
    return cas_types.read_typesystem(Path(options.typesystem)) if options.typesystem else cas_types.own_typesystem()


def _entities(cas: Cas, options: ReadOptions) -> list[dict[str, Any]]:
    kind = cas_types.find_entity_type(cas.typesystem, options.cas_type, options.cas_label)
    found: Sequence[Any] = cas.select(kind.name)
    if not found and options.cas_type is None:
        # Our guess of the type may be wrong: no entity at all, in a document that has others, would go unnoticed.
        custom = {fs.type.name for fs in cas.select_all_annotations() if fs.type.name.startswith("webanno.custom.")}
        if custom & set(cas_types.KNOWN_TYPES):
            kind = cas_types.find_entity_type(cas.typesystem, cas_types.KNOWN_TYPES[1], options.cas_label)
            found = cas.select(kind.name)
        elif custom:
            raise CasTypeError(
                f"no {kind.name} here, but others; say which with --cas-type: {', '.join(sorted(custom))}"
            )
    records = []
    for annotation in found:
        label = annotation.get(kind.label)
        if not label:
            raise CasTypeError(f"an annotation at {annotation.begin}..{annotation.end} has no {kind.label}")
        score = annotation.get(kind.score) if kind.score else None
        score = float(score) if score is not None else None
        records.append({"start": annotation.begin, "end": annotation.end, "label": label, "score": score})
    return records


def _identifier(cas: Cas, source: Source) -> str:
    if cas.typesystem.contains_type(cas_types.METADATA):
        for metadata in cas.select(cas_types.METADATA):
            if metadata.get("documentId") and metadata.get("documentId") == metadata.get("documentTitle"):
                return str(metadata.get("documentId"))
    return source.id


def _check_size(data: bytes, xmi: bool) -> None:
    """Raise CasTypeError for a text so long that cassis would fill the memory."""
    if len(data) <= MAX_CHARACTERS:
        return
    if xmi:
        from lxml import etree

        sofas = etree.iterparse(io.BytesIO(data), tag=_SOFA, huge_tree=True, resolve_entities=False)
        lengths = [len(sofa.get("sofaString", "")) for _, sofa in sofas]
    else:
        structures = json.loads(data).get("%FEATURE_STRUCTURES", ())
        lengths = [len(structure.get("sofaString") or "") for structure in structures]
    if max(lengths, default=0) > MAX_CHARACTERS:
        raise CasTypeError(_too_long(max(lengths)))


def _too_long(length: int) -> str:
    return f"{length:,} characters, over the {MAX_CHARACTERS:,} that are handled as UIMA CAS; split it"


FORMAT = Format("cas", (".json",), CasReader(xmi=False), CasWriter, gold=True, one_document=True)
XMI = Format("xmi", (".xmi",), CasReader(xmi=True), XmiWriter, gold=True, one_document=True)
