"""What would leak, measured against gold: identities that nothing covers, by label, by document, without their text.

An identity is found when each of its letters and digits is in a replaced span, whatever the span's label: what is
replaced under the wrong name does not leak. One letter left and it is a leak.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from carabin.annotator import BUFFER_CHARACTERS, bounded_batches
from carabin.documents import Document, Entity
from carabin.errors import CarabinError
from carabin.formats import BadDocument, Item
from carabin.pseudonyms.detection import Detector
from carabin.pseudonyms.spans import Span
from carabin.tokens.words import find_words

_BATCH = 64
_OTHER_NAMES = {"ADDRESSE": "ADRESSE"}
"""Misspelt in the published templates of eds-pseudo."""


class LeakError(CarabinError):
    """Gold that nothing can be measured against."""


@dataclass(slots=True)
class LabelTally:
    """Sums over the gold spans of one label."""

    spans: int = 0
    found: int = 0
    """Covered whole."""
    named: int = 0
    """Covered whole by spans of the same label (a birth date by a date counts)."""
    characters: int = 0
    """Letters and digits."""
    leaked_characters: int = 0
    tokens: int = 0
    leaked_tokens: int = 0
    """Words of which a letter or digit is left."""

    def add(self, other: LabelTally) -> None:
        """Add another tally."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def to_dict(self) -> dict[str, Any]:
        """Return the sums, and the recall with its 95 % interval (Wilson, 1927)."""
        low, high = wilson(self.found, self.spans)
        rates = {"recall": _ratio(self.found, self.spans), "interval": [round(low, 4), round(high, 4)]}
        return {**{name: getattr(self, name) for name in self.__slots__}, **rates}


@dataclass(slots=True)
class SystemLeaks:
    """What leaks under one system: rules, student, or both."""

    labels: dict[str, LabelTally] = field(default_factory=dict)
    leaks_of_documents: Counter[int] = field(default_factory=Counter)
    """Number of leaks -> number of documents."""
    replaced_characters: int = 0
    needless_characters: int = 0
    """Replaced letters and digits that gold holds for no identity: what replacing costs the text."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        documents = self.leaks_of_documents.total()
        leaks = sum(number * count for number, count in self.leaks_of_documents.items())
        total = LabelTally()
        for tally in self.labels.values():
            total.add(tally)
        return {
            "all": total.to_dict(),
            "labels": {label: tally.to_dict() for label, tally in sorted(self.labels.items())},
            "documents": {
                "without_leak": self.leaks_of_documents[0],
                "share_without_leak": _ratio(self.leaks_of_documents[0], documents),
                "leaks_per_document": _ratio(leaks, documents),
                "most": max(self.leaks_of_documents, default=0),
            },
            "needless_characters": self.needless_characters,
            "replaced_characters": self.replaced_characters,
        }


@dataclass(slots=True)
class LeakReport:
    """The leaks of each system over one gold corpus."""

    systems: dict[str, SystemLeaks]
    documents: int = 0
    set_aside: int = 0
    """Gold documents that could not be read, or that the student failed on: measured by nothing."""
    leaks: list[dict[str, Any]] = field(default_factory=list)
    """Where the fullest system leaks, with the text, if it was asked for."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; `leaks` only where they were asked for."""
        record: dict[str, Any] = {"documents": self.documents, "set_aside": self.set_aside}
        record["systems"] = {name: system.to_dict() for name, system in self.systems.items()}
        return {**record, "leaks": self.leaks} if self.leaks else record

    def lines(self) -> list[str]:
        """Return the table a terminal shows."""
        lines = [f"leaks over {self.documents:,} gold documents" + self._aside()]
        for name, system in self.systems.items():
            record = system.to_dict()
            lines.append(f"{name}:")
            lines.append(
                f"  {'label':15}{'spans':>8}{'recall':>9}{'95 %':>15}{'characters left':>18}{'words left':>13}"
            )
            for label, row in [*record["labels"].items(), ("all", record["all"])]:
                low, high = (f"{bound:.1%}" for bound in row["interval"])
                left = f"{row['leaked_characters']:,} of {row['characters']:,}"
                words = f"{row['leaked_tokens']:,}"
                recall = "-" if row["recall"] is None else f"{row['recall']:.1%}"
                lines.append(f"  {label:15}{row['spans']:>8,}{recall:>9}{low + '-' + high:>15}{left:>18}{words:>13}")
            documents = record["documents"]
            lines.append(
                f"  documents without a leak: {documents['without_leak']:,} ({documents['share_without_leak']:.1%}); "
                f"leaks a document: {documents['leaks_per_document']:.2f}, at most {documents['most']}; "
                f"replaced without need: {record['needless_characters']:,} of {record['replaced_characters']:,} "
                "characters"
            )
        return lines

    def _aside(self) -> str:
        return f"; {self.set_aside:,} set aside, not measured" if self.set_aside else ""


def measure_leaks(gold: Iterable[Item], detector: Detector, show_texts: bool = False) -> LeakReport:
    """Return what leaks of the gold identities under rules, student, and both.

    Args:
        gold: Documents with identity spans; others are counted as set aside.
        detector: What would replace.
        show_texts: Keep where the fullest system leaks, with the leaked text: for the eyes of who may read the notes.

    Raises:
        LeakError: no gold span at all.
    """
    names = ("rules",) if detector.annotator is None else ("rules", "student", "student and rules")
    report = LeakReport({name: SystemLeaks() for name in names})
    for batch in bounded_batches(_sound(gold, report), _BATCH, BUFFER_CHARACTERS):
        for document, detected in _compared(detector, batch, report):
            report.documents += 1
            for name, spans in detected.items():
                left = _add(report.systems[name], document, spans)
                if show_texts and name == names[-1]:
                    report.leaks += [_shown(document, entity) for entity in left]
    if not any(tally.spans for tally in report.systems["rules"].labels.values()):
        raise LeakError(
            f"the gold holds no identity span in {report.documents} documents ({report.set_aside} set aside)"
        )
    return report


def _sound(gold: Iterable[Item], report: LeakReport) -> Iterable[Document]:
    for item in gold:
        if isinstance(item, BadDocument):
            report.set_aside += 1
        else:
            yield item


def _compared(
    detector: Detector, batch: Sequence[Document], report: LeakReport
) -> Iterable[tuple[Document, dict[str, tuple[Span, ...]]]]:
    try:
        compared = detector.compare(batch)
    except Exception:
        if len(batch) > 1:
            for document in batch:
                yield from _compared(detector, [document], report)
        else:
            report.set_aside += 1
        return
    for number, document in enumerate(batch):
        yield document, {name: found[number].spans for name, found in compared.items()}


def _add(system: SystemLeaks, document: Document, spans: Sequence[Span]) -> list[Entity]:
    """Add a document to the sums; return the gold spans that leak."""
    text = document.text
    visible = bytes(character.isalnum() for character in text)
    covered = _mask(len(text), spans)
    leaks = []
    for entity in document.entities:
        label = _OTHER_NAMES.get(entity.label, entity.label)
        tally = _tally(entity, visible, covered, text)
        same = _mask(len(text), [span for span in spans if span.label.split("_")[0] == label.split("_")[0]])
        tally.named = int(not _left(entity, visible, same))
        system.labels.setdefault(label, LabelTally()).add(tally)
        if not tally.found:
            leaks.append(entity)
    gold = _mask(len(text), document.entities)
    system.leaks_of_documents[len(leaks)] += 1
    system.replaced_characters += sum(v and c for v, c in zip(visible, covered, strict=True))
    system.needless_characters += sum(v and c and not g for v, c, g in zip(visible, covered, gold, strict=True))
    return leaks


def _tally(entity: Entity, visible: bytes, covered: bytearray, text: str) -> LabelTally:
    words = find_words(text[entity.start : entity.end]) + entity.start
    spans = [Entity(int(start), int(end), "") for start, end in words]
    readable = [word for word in spans if any(visible[word.start : word.end])]
    left = _left(entity, visible, covered)
    return LabelTally(
        spans=1,
        found=int(not left),
        characters=sum(visible[entity.start : entity.end]),
        leaked_characters=left,
        tokens=len(readable),
        leaked_tokens=sum(_left(word, visible, covered) > 0 for word in readable),
    )


def _left(entity: Entity, visible: bytes, covered: bytearray) -> int:
    """Return how many letters and digits of a span nothing covers."""
    inside = slice(entity.start, entity.end)
    return sum(v and not c for v, c in zip(visible[inside], covered[inside], strict=True))


def _mask(length: int, spans: Iterable[Span | Entity]) -> bytearray:
    mask = bytearray(length)
    for span in spans:
        mask[span.start : span.end] = b"\1" * (span.end - span.start)
    return mask


def _shown(document: Document, entity: Entity) -> dict[str, Any]:
    return {"id": document.id, **entity.to_dict(document.text)}


def wilson(found: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Return the 95 % interval of a proportion (Wilson, 1927), which holds near 1 where recall should be."""
    if total == 0:
        return 0.0, 1.0
    share = found / total
    centre = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return max((centre - spread) / scale, 0.0), min((centre + spread) / scale, 1.0)


def _ratio(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
