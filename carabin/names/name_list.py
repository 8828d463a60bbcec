"""A hospital's own list of names: its formulary, its devices, the acronyms of its wards.

A CSV file, `,` `;` or tab between its columns, with a header: `name` and `label`, and if wanted `score`.

    name;label;score
    Kardégic;CHEM;0.95
    ETT;PROC

A name is found whatever its case and accents, word by word, the longest first (`carabin.names.matching`). It stands
beside what the student finds, by two rules: inside a longer entity of the student's it says nothing ("carence en
vitamine D" is a disease, and no vitamin); what else of the student's it overlaps gives way to it.
"""

from __future__ import annotations

import csv
import hashlib
import io
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from carabin.documents import Entity
from carabin.errors import CarabinError
from carabin.formats.delimited import find_delimiter
from carabin.names.matching import Name, Names, keep_longest, nested_in_longer
from carabin.tokens.words import Offsets

LEAST_LETTERS = 2
"""A hospital that lists "ETT" means it; "a" would be every "à"."""
SURE = 1.0
"""Score of a name whose line gives none: no threshold takes away what the hospital itself has listed."""


class NamesError(CarabinError):
    """A list of names that cannot be used; the message names file, line and way out."""


class _Found(NamedTuple):
    first: int
    last: int
    name: Name
    label: str


@dataclass(frozen=True)
class NameList:
    """Names by label."""

    names: Mapping[str, Names]
    scores: Mapping[tuple[str, Name], float]
    digest: str
    """SHA-256 of the file: a run that is resumed must have been begun with the same."""

    @classmethod
    def read(cls, path: Path, labels: Sequence[str]) -> NameList:
        """Return the names of a file.

        Args:
            path: The CSV file, UTF-8.
            labels: The student's: no other can be listed.

        Raises:
            NamesError: the file cannot be read, has no such columns, or a line is wrong.
        """
        try:
            content = path.read_bytes()
            text = content.decode("utf-8-sig")
        except OSError as error:
            raise NamesError(f"{path}: {error.strerror or error}; check --names") from None
        except UnicodeDecodeError:
            raise NamesError(f"{path}: is not UTF-8; save it so (in a spreadsheet: CSV UTF-8)") from None
        listed: dict[str, list[str]] = {}
        scores: dict[tuple[str, Name], float] = {}
        for line, name, label, score in _rows(path, text):
            if label not in labels:
                raise NamesError(
                    f"{path}:{line}: label '{label}' is not one of this student, which has {', '.join(labels)}"
                )
            known = _names_of([name]).known
            if not known:
                raise NamesError(
                    f"{path}:{line}: a name needs a word of {LEAST_LETTERS} letters; mend or remove the line"
                )
            listed.setdefault(label, []).append(name)
            scores |= {(label, folded): score for folded in known}
        names = {label: _names_of(some) for label, some in listed.items()}
        return cls(names, scores, hashlib.sha256(content).hexdigest())

    def add_to(self, text: str, words: Offsets, entities: Sequence[Entity]) -> list[Entity]:
        """Return a student's entities and the listed names, in order, none overlapping another.

        Args:
            text: The text.
            words: Its words, `find_words(text)`.
            entities: What the student found in it, in order, none overlapping another.
        """
        found = [
            _Found(match.first, match.last, match.name, label)
            for label, names in self.names.items()
            for match in names.find(text, words)
        ]
        named = [
            Entity(
                int(words[match.first, 0]), int(words[match.last - 1, 1]),
                match.label, self.scores[match.label, match.name],
            )
            for match in sorted(keep_longest(found, len(words)))
        ]  # fmt: skip
        nested = set(nested_in_longer(_places(named), _places(entities)))
        named = [entity for entity in named if (entity.start, entity.end) not in nested]
        starts = [entity.start for entity in named]

        def gives_way(entity: Entity) -> bool:
            last_before_its_end = bisect_left(starts, entity.end) - 1
            return last_before_its_end >= 0 and named[last_before_its_end].end > entity.start

        kept = [entity for entity in entities if not gives_way(entity)]
        return sorted([*kept, *named], key=lambda entity: (entity.start, entity.end))


def _places(entities: Sequence[Entity]) -> list[tuple[int, int]]:
    return [(entity.start, entity.end) for entity in entities]


def _names_of(names: list[str]) -> Names:
    return Names.of(names, least_letters=LEAST_LETTERS, unfinished=True)


def _rows(path: Path, text: str) -> list[tuple[int, str, str, float]]:
    """Return line, name, label and score of each row that is not blank."""
    header = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=find_delimiter(header))
    columns = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    if not {"name", "label"} <= columns.keys():
        raise NamesError(f"{path}: its first line must name the columns 'name' and 'label'; found {header.strip()!r}")
    rows = []
    for row in reader:
        values = {key: (row[name] or "").strip() for key, name in columns.items() if key in ("name", "label", "score")}
        if any(values.values()):
            rows.append((reader.line_num, values["name"], values["label"], _score(path, reader.line_num, values)))
    if not rows:
        raise NamesError(f"{path}: lists no name; add a line, or leave --names away")
    return rows


def _score(path: Path, line: int, values: Mapping[str, str]) -> float:
    written = values.get("score", "")
    if not written:
        return SURE
    try:
        score = float(written.replace(",", "."))
    except ValueError:
        score = -1.0
    if not 0 <= score <= 1:
        raise NamesError(f"{path}:{line}: score '{written}' is no number from 0 to 1")
    return score
