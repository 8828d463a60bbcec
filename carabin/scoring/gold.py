"""A hospital's own annotations, made comparable: labels renamed or left out, nested entities flattened, all counted.

`GoldPairs` puts two annotations of the same documents side by side. The second input's spans are held in memory, its
texts only as a hash: offsets of two different texts must never be compared.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from carabin.documents import Document, Entity, without_nesting
from carabin.formats.base import BadDocument, InputError, Item, ReadOptions
from carabin.formats.reading import check_inputs, read_inputs

LEFT_OUT = ""
"""In renamed labels: this one is not scored."""
SHOWN_LABELS = 10

OnError = Callable[[BadDocument], None]


@dataclass(frozen=True, slots=True)
class LabelRules:
    """Which labels are compared, under which names."""

    renamed: Mapping[str, str] = field(default_factory=dict)
    """Label in the file -> label compared; `LEFT_OUT` for none."""
    only: frozenset[str] | None = None
    """Labels compared, after renaming; None for all."""

    def apply(self, entities: Iterable[Entity]) -> tuple[tuple[Entity, ...], Counter[str]]:
        """Return the entities to compare, renamed, and how many of which label were left out."""
        kept, left_out = [], Counter[str]()
        for entity in entities:
            label = self.renamed.get(entity.label, entity.label)
            if label == LEFT_OUT or (self.only is not None and label not in self.only):
                left_out[entity.label] += 1
            else:
                kept.append(entity if label == entity.label else replace(entity, label=label))
        return tuple(kept), left_out


@dataclass
class GoldReader:
    """Passes on the documents of an annotated input, and counts what it read."""

    name: str
    """Of the input, for errors."""
    rules: LabelRules
    flatten: bool = True
    """Keep the outermost of nested and crossing entities, as the lab's scores do."""
    on_error: OnError | None = None
    documents: int = 0
    entities: int = 0
    nested_dropped: int = 0
    set_aside: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def read(self, items: Iterable[Item]) -> Iterator[Document]:
        """Yield the documents that can be compared; the others are set aside, and so is an id met a second time."""
        seen: set[str] = set()
        for item in items:
            if isinstance(item, BadDocument):
                self.refuse(item)
            elif item.id in seen:
                self.refuse(
                    BadDocument(f"{self.name}: id {item.id}", "this id was met before: ids must differ", item.id)
                )
            else:
                seen.add(item.id)
                yield self._comparable(item)

    def refuse(self, problem: BadDocument) -> None:
        """Count a document that cannot be compared, and say why."""
        self.set_aside += 1
        if self.on_error:
            self.on_error(problem)

    def _comparable(self, document: Document) -> Document:
        entities, left_out = self.rules.apply(document.entities)
        flat = without_nesting(entities) if self.flatten else entities
        self.documents += 1
        self.entities += len(flat)
        self.nested_dropped += len(entities) - len(flat)
        self.left_out += left_out
        return replace(document, entities=flat)

    def to_dict(self) -> dict[str, object]:
        """Return the counts as JSON."""
        names = ("documents", "entities", "nested_dropped", "set_aside")
        return {**{name: getattr(self, name) for name in names}, "left_out": dict(sorted(self.left_out.items()))}


class GoldPairs:
    """The documents that two annotated inputs have in common, by id, each with both annotations.

    Attributes:
        first, second: What was read of either.
        labels: Those met.
    """

    def __init__(
        self,
        first: Sequence[str | Path],
        second: Sequence[str | Path],
        reading: ReadOptions,
        rules: LabelRules,
        flatten: bool,
        on_error: OnError | None = None,
    ) -> None:
        """Check that both can be read.

        Raises:
            InputError: one cannot, or carries no annotations.
        """
        # Gold is what people made; only what it is compared with may be a model's predictions.
        sides = ((first, replace(reading, predictions=False)), (second, reading))
        for names, options in sides:
            check_inputs(names, options, entities=True)
        self.first, self.second = (GoldReader(str(names[0]), rules, flatten, on_error) for names in (first, second))
        self.labels: set[str] = set()
        self.both = self.only_first = self.only_second = self.other_text = 0
        self._inputs = [read_inputs(names, options, entities=True) for names, options in sides]

    def __iter__(self) -> Iterator[tuple[Document, tuple[Entity, ...]]]:
        """Yield each document of the first input that is in the second too, with the entities that it has there.

        A document whose two texts differ is set aside.

        Raises:
            InputError: there is no document in common.
        """
        first, second = self._inputs
        others = {document.id: (_digest(document.text), document.entities) for document in self.second.read(second)}
        for document in self.first.read(first):
            digest, theirs = others.pop(document.id, (None, ()))
            if digest is None:
                self.only_first += 1
            elif digest != _digest(document.text):
                self.other_text += 1
                cause = f"its text is another in {self.second.name}: offsets cannot be compared"
                self.first.refuse(BadDocument(f"{self.first.name}: id {document.id}", cause, document.id))
            else:
                self.both += 1
                self.labels |= {entity.label for entity in (*document.entities, *theirs)}
                yield document, theirs
        self.only_second = len(others)
        if not self.both:
            raise InputError(
                f"{self.first.name} and {self.second.name}: no document in common; documents are matched by id "
                "(--id-column) and must have the same text"
            )

    def to_dict(self) -> dict[str, object]:
        """Return the counts as JSON."""
        names = ("both", "only_first", "only_second", "other_text")
        pairing = {name: getattr(self, name) for name in names}
        return {"gold": self.first.to_dict(), "other": self.second.to_dict(), "pairing": pairing}


def check_known(entities: Iterable[Entity], labels: Iterable[str], name: str) -> None:
    """Raise InputError if an entity has a label that a student cannot find, and say what to do with it."""
    known = sorted(labels)
    if unknown := sorted({entity.label for entity in entities} - set(known)):
        shown = ", ".join(repr(label[:40]) for label in unknown[:SHOWN_LABELS])
        raise InputError(
            f"{name}: label {shown} is none of the student's ({', '.join(known)}); rename it with "
            f"--map '{unknown[0][:40]}={known[0]}', or leave it out with --map '{unknown[0][:40]}='"
        )


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
