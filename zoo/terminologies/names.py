"""What the lists' lines name, spelled as a sentence spells it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from carabin.names.matching import Names
from zoo.corpora import CorpusError, resolve_file
from zoo.registry import Registry, Terminology

# "ABACAVIR (SULFATE D')": what stands in brackets and ends on a preposition is said first.
_INVERTED = re.compile(r"(?P<base>[^()]+?) \((?P<form>[^()]+ (?:D'|DE|DU|DES))\)")
_BRACKETS = re.compile(r"\s*\([^()]*\)")
# A product's strength or form begins at a comma, a bracket or a number.
_AFTER_PRODUCT = re.compile(r",|\s+\d|\s*\(|\s+POUR CENT")
_HOMEOPATHIC = re.compile("HOMÉOPATHIQUE|HOMEOPATHIQUE")
"""Plants and minerals as homeopaths name them: a text that names the plant means the plant."""


def read_names(registry: Registry, terminology: Terminology) -> Names:
    """Return a terminology's names, too short ones left out.

    Raises:
        CorpusError: a file is not to be had, is not the one its card pins, or has no line of its form.
    """
    paths = tuple((resolve_file(registry.corpus(part.corpus), part.split), part.form) for part in terminology.lists)
    return _read(paths, terminology.least_words, terminology.least_letters, terminology.plurals)


@lru_cache(maxsize=8)
def _read(paths: tuple[tuple[Path, str], ...], least_words: int, least_letters: int, plurals: bool) -> Names:
    names: list[str] = []
    for path, form in paths:
        found = [name for line in path.read_text(encoding="utf-8").splitlines() for name in FORMS[form](line, path)]
        if not found:
            raise CorpusError(f"{path}: no line holds a name in the form '{form}'; correct `form` in its terminology")
        names += found
    return Names.of(names, least_words, least_letters, plurals)


def _substances(line: str, path: Path) -> Iterator[str]:  # noqa: ARG001
    """Yield "sulfate d'abacavir" and "abacavir" for "ABACAVIR (SULFATE D')"; nothing for a homeopath's plant."""
    if _HOMEOPATHIC.search(line):
        return
    if inverted := _INVERTED.match(line):
        yield f"{inverted['form']} {inverted['base']}"
        yield inverted["base"]
        return
    yield _BRACKETS.sub("", line).split(",")[0]


def _products(line: str, path: Path) -> Iterator[str]:  # noqa: ARG001
    """Yield "ABILIFY MAINTENA" for "ABILIFY MAINTENA 300 mg, poudre et solvant …"."""
    yield _AFTER_PRODUCT.split(line.strip(), maxsplit=1)[0]


def _phenotypes(line: str, path: Path) -> Iterator[str]:
    """Yield the label and the synonyms of one JSON record; some synonyms are several, joined by `|`."""
    try:
        record = json.loads(line)
        for entry in (record["label_fr"], *record.get("syn_fr", ())):
            yield from (entry or "").split("|")
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise CorpusError(f"{path}: a line is no record with 'label_fr'; fetch the pinned version") from None


FORMS: dict[str, Callable[[str, Path], Iterator[str]]] = {
    "substances": _substances,
    "products": _products,
    "phenotypes": _phenotypes,
}
"""Form of a list, as its terminology declares it -> what a line names."""
