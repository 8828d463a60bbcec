"""Template markup: parsed once into nodes, which write text and record spans as they go.

The markup, all of it nestable:

    [surface](DISO)            a span; several labels: (GEOG,VILLE); a fact: (CHEM@treatment) or (@dose)
    <Monsieur|Madame>          agreement with the patient's sex: masculine|feminine
    {?a|b|c}                   a free choice
    {#1,2-3,4}                 a number in that range, written with as many decimals as the bounds
    {@2}                       the date two days after admission (never after discharge)
    {name}  {du:name}          a slot, alone or after an article (see french.ARTICLES); {maj:name} in capitals
    {nt:name} {e:name} {est:name}   agreement with the last noun written for this slot: montre{nt:x}, vu{e:x}, {est:x}

Offsets are therefore exact by construction: nothing is searched for afterwards.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from carabin.errors import CarabinError
from zoo.synthesis.french import AGREEMENTS, ARTICLES, GENDERS, agreement, article, decimal

UMLS = frozenset("ANAT CHEM DEVI DISO GEOG LIVB OBJC PHEN PHYS PROC".split())
PII = frozenset("ADRESSE DATE DATE_NAISSANCE HOPITAL IPP MAIL NDA NOM PRENOM SECU TEL VILLE ZIP".split())
FACTS = frozenset("diagnosis treatment dose lab procedure follow-up allergy antecedent stopped germ implant".split())
NUMBER = re.compile(r"#(\d+(?:,\d+)?)-(\d+(?:,\d+)?)\Z")
DAY = re.compile(r"@-?[0-9]+\Z")
SLOT = re.compile(r"(?:([a-z_]+):)?([a-z_0-9]+)\Z")


class MarkupError(CarabinError):
    """A template that cannot be read; the message shows the template."""


class Writer:
    """Grows a text and records spans, facts and sentences against it."""

    def __init__(
        self, rng: random.Random, slots: Mapping[str, object], female: bool, date_at: Callable[[int], str]
    ) -> None:
        self.rng = rng
        self.slots = dict(slots)
        self.female = female
        self.date_at = date_at
        self.parts: list[str] = []
        self.position = 0
        self.spans: list[tuple[int, int, str]] = []
        self.facts: list[tuple[str, int, int, int]] = []
        self.sentences: list[tuple[int, int]] = []
        self.genders: dict[str, str] = {}
        self.fact_names: dict[str, str] = {}
        self._depth = {"umls": 0, "pii": 0}

    def add(self, text: str) -> None:
        """Append plain text."""
        self.parts.append(text)
        self.position += len(text)

    def sentence(self, nodes: Node) -> None:
        """Append one sentence (or list line): its first letter becomes a capital, facts in it point to it."""
        start, first = self.position, len(self.parts)
        nodes.write(self)
        for index in range(first, len(self.parts)):
            part = self.parts[index]
            if part:
                self.parts[index] = part[0].upper() + part[1:]
                break
        self.sentences.append((start, self.position))

    def enter(self, families: tuple[str, ...]) -> tuple[str, ...]:
        """Open a span; return the label families in which it is the outermost one."""
        outermost = tuple(name for name in families if self._depth[name] == 0)
        for name in families:
            self._depth[name] += 1
        return outermost

    def leave(self, families: tuple[str, ...]) -> None:
        """Close the span that `enter` opened."""
        for name in families:
            self._depth[name] -= 1


class Node(Protocol):
    """A piece of a parsed template."""

    def write(self, writer: Writer) -> None:
        """Append this piece to the writer."""

    def first_word(self) -> str:
        """Return the first letters written, "" when they are not known before writing."""


@dataclass(frozen=True, slots=True)
class Text:
    """Literal text."""

    text: str

    def write(self, writer: Writer) -> None:
        """Append the text."""
        writer.parts.append(self.text)
        writer.position += len(self.text)

    def first_word(self) -> str:
        """Return the text."""
        return self.text


@dataclass(frozen=True, slots=True)
class Sequence:
    """Pieces one after the other."""

    nodes: tuple[Node, ...]

    def write(self, writer: Writer) -> None:
        """Append every piece."""
        for node in self.nodes:
            node.write(writer)

    def first_word(self) -> str:
        """Return the first word of the first piece."""
        return self.nodes[0].first_word() if self.nodes else ""


@dataclass(frozen=True, slots=True)
class Span:
    """An annotated piece: labels of either set, and possibly a fact."""

    labels: tuple[str, ...]
    fact: str
    inner: Node
    families: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "families", tuple("umls" if name in UMLS else "pii" for name in self.labels))

    def write(self, writer: Writer) -> None:
        """Append the inner piece and record what it covers."""
        start = writer.position
        outermost = writer.enter(self.families)
        self.inner.write(writer)
        writer.leave(self.families)
        end = writer.position
        if end == start:
            return
        for label, family in zip(self.labels, self.families, strict=True):
            if family in outermost:
                writer.spans.append((start, end, label))
        fact = writer.fact_names.get(self.fact, self.fact)
        if fact:
            writer.facts.append((fact, start, end, len(writer.sentences)))

    def first_word(self) -> str:
        """Return the first word inside."""
        return self.inner.first_word()


@dataclass(frozen=True, slots=True)
class Gender:
    """Masculine or feminine, as the patient is."""

    masculine: Node
    feminine: Node

    def write(self, writer: Writer) -> None:
        """Append the form that agrees."""
        (self.feminine if writer.female else self.masculine).write(writer)

    def first_word(self) -> str:
        """Return the masculine form's first word (agreement never changes elision in our templates)."""
        return self.masculine.first_word()


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several pieces, drawn each time."""

    options: tuple[Node, ...]

    def write(self, writer: Writer) -> None:
        """Append one option."""
        writer.rng.choice(self.options).write(writer)

    def first_word(self) -> str:
        """Return nothing: the draw is not known yet."""
        return ""


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a range."""

    low: float
    high: float
    digits: int

    def write(self, writer: Writer) -> None:
        """Append a number drawn uniformly."""
        writer.add(decimal(writer.rng.uniform(self.low, self.high), self.digits))

    def first_word(self) -> str:
        """Return a digit: no elision before numbers."""
        return "0"


@dataclass(frozen=True, slots=True)
class DayOf:
    """A date counted from admission."""

    day: int

    def write(self, writer: Writer) -> None:
        """Append the date and record it as a DATE."""
        start = writer.position
        writer.add(writer.date_at(self.day))
        writer.spans.append((start, writer.position, "DATE"))

    def first_word(self) -> str:
        """Return a digit: dates begin with one."""
        return "0"


@dataclass(frozen=True, slots=True)
class NounPhrase:
    """A noun phrase with its gender and number, so that articles agree."""

    gender: str
    node: Node


@dataclass(frozen=True, slots=True)
class Concept:
    """The several surface forms of one thing; the first is the canonical long form."""

    forms: tuple[NounPhrase, ...]

    def write(self, writer: Writer) -> None:
        """Append one form without article."""
        writer.rng.choice(self.forms).node.write(writer)

    def first_word(self) -> str:
        """Return nothing: the draw is not known yet."""
        return ""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place that the document's own values fill."""

    name: str
    kind: str

    def write(self, writer: Writer) -> None:
        """Append the value, after its article if one is asked."""
        if self.kind in AGREEMENTS:
            writer.add(agreement(self.kind, writer.genders.get(self.name, "m")))
            return
        value = writer.slots.get(self.name)
        if value is None:
            raise MarkupError(f"slot {{{self.name}}} has no value in this document; fill it before this template")
        first = len(writer.parts)
        if isinstance(value, Concept):
            phrase = writer.rng.choice(value.forms)
            writer.genders[self.name] = phrase.gender
            if self.kind and self.kind != "maj":
                writer.add(article(self.kind, phrase.gender, phrase.node.first_word()))
            phrase.node.write(writer)
        else:
            if self.kind and self.kind != "maj":
                writer.add(article(self.kind, "m", value.first_word()))  # type: ignore[attr-defined]
            value.write(writer)  # type: ignore[attr-defined]
        if self.kind == "maj":
            writer.parts[first:] = [part.upper() for part in writer.parts[first:]]

    def first_word(self) -> str:
        """Return nothing: the value is not known yet."""
        return ""


class _Parser:
    """Recursive descent over one template."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0

    def fail(self, cause: str) -> MarkupError:
        return MarkupError(f"template {self.source!r}, character {self.at}: {cause}")

    def sequence(self, stops: str) -> Node:
        nodes: list[Node] = []
        text = ""
        while self.at < len(self.source) and self.source[self.at] not in stops:
            char = self.source[self.at]
            if char not in "[<{":
                if char in "]}":
                    raise self.fail(f"{char!r} closes nothing")
                text += char
                self.at += 1
                continue
            if text:
                nodes.append(Text(text))
                text = ""
            nodes.append({"[": self.span, "<": self.gender, "{": self.brace}[char]())
        if text or not nodes:
            nodes.append(Text(text))
        return nodes[0] if len(nodes) == 1 else Sequence(tuple(nodes))

    def expect(self, char: str) -> None:
        if not self.source.startswith(char, self.at):
            raise self.fail(f"{char!r} expected")
        self.at += len(char)

    def span(self) -> Node:
        self.expect("[")
        inner = self.sequence("]")
        self.expect("](")
        close = self.source.find(")", self.at)
        names, _, fact = self.source[self.at : close].partition("@")
        labels = tuple(name for name in names.split(",") if name)
        unknown = [name for name in labels if name not in UMLS | PII] + ([fact] if fact and fact not in FACTS else [])
        if close < 0 or unknown or not (labels or fact):
            raise self.fail(f"unknown label or fact {unknown}; labels are UMLS groups or identity labels")
        self.at = close + 1
        return Span(labels, fact, inner)

    def gender(self) -> Node:
        self.expect("<")
        masculine = self.sequence("|")
        self.expect("|")
        feminine = self.sequence(">")
        self.expect(">")
        return Gender(masculine, feminine)

    def brace(self) -> Node:
        self.expect("{")
        if self.source.startswith("?", self.at):
            self.at += 1
            options = [self.sequence("|}")]
            while self.source.startswith("|", self.at):
                self.at += 1
                options.append(self.sequence("|}"))
            self.expect("}")
            return Choice(tuple(options))
        close = self.source.find("}", self.at)
        if close < 0:
            raise self.fail("'}' expected")
        body = self.source[self.at : close]
        self.at = close + 1
        return self.simple(body)

    def simple(self, body: str) -> Node:
        if DAY.match(body):
            return DayOf(int(body[1:]))
        number = NUMBER.match(body)
        if number:
            low, high = (text.replace(",", ".") for text in number.groups())
            return Number(float(low), float(high), len(low.partition(".")[2]))
        slot = SLOT.match(body)
        if not slot or (slot[1] or "nt") not in (*ARTICLES, *AGREEMENTS):
            raise self.fail(f"{{{body}}} is neither a slot, a number, a date nor a choice")
        return Slot(slot[2], slot[1] or "")


def parse(source: str) -> Node:
    """Parse one template.

    Raises:
        MarkupError: the template is malformed; the message shows where.
    """
    parser = _Parser(source)
    node = parser.sequence("")
    return node


def parse_concept(source: str, label: str, fact: str = "") -> Concept:
    """Parse "f:form / m:other form" into a concept; forms without markup become one span of `label`.

    A form may leave out its gender when it never follows an article (it is then taken as masculine).
    """
    forms = []
    for form in source.split(" / "):
        gender, colon, body = form.partition(":")
        if not colon or gender not in GENDERS:
            gender, body = "m", form
        body = body.strip()
        if "[" not in body:
            body = f"[{body}]({label}{'@' + fact if fact else ''})"
        elif fact:
            body = f"[{body}](@{fact})"
        forms.append(NounPhrase(gender, parse(body)))
    return Concept(tuple(forms))


def slot_names(node: object) -> set[str]:
    """Return the slots that a parsed template (or concept) needs."""
    if isinstance(node, Slot):
        return {node.name}
    found: set[str] = set()
    children: tuple[object, ...] = ()
    if isinstance(node, Sequence):
        children = node.nodes
    elif isinstance(node, Span):
        children = (node.inner,)
    elif isinstance(node, Gender):
        children = (node.masculine, node.feminine)
    elif isinstance(node, Choice):
        children = node.options
    elif isinstance(node, Concept):
        children = tuple(form.node for form in node.forms)
    for child in children:
        found |= slot_names(child)
    return found
