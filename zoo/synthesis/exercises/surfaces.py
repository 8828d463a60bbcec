"""The wordings that parsed templates can give, and the facts marked in them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache

from carabin.exercises import wording
from zoo.synthesis.markup import Choice, Concept, Gender, Node, Sequence, Span, Text

fold = cache(wording.fold)
"""The same few thousand wordings are folded for each report."""


def spell(node: object) -> list[str]:
    """Return every wording of a node; none where it holds a number, a date or a slot, which no list could end."""
    if isinstance(node, Text):
        return [node.text]
    if isinstance(node, Span):
        return spell(node.inner)
    if isinstance(node, Concept):
        return [wording for form in node.forms for wording in spell(form.node)]
    if isinstance(node, Sequence):
        return ["".join(parts) for parts in itertools.product(*map(spell, node.nodes))]
    return [wording for child in _branches(node) for wording in spell(child)]


def list_facts(node: Node, kind: str) -> Iterator[str]:
    """Yield the wordings of the facts of a kind that a node marks."""
    if isinstance(node, Span):
        if node.fact == kind:
            yield from spell(node.inner)
        else:
            yield from list_facts(node.inner, kind)
        return
    for child in node.nodes if isinstance(node, Sequence) else _branches(node):
        yield from list_facts(child, kind)


def _branches(node: object) -> tuple[Node, ...]:
    if isinstance(node, Gender):
        return node.masculine, node.feminine
    return node.options if isinstance(node, Choice) else ()
