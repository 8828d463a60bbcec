"""Which UIMA type holds the entities of a CAS, and in which features.

Our own type system is DKPro's NamedEntity, which every INCEpTION project and DKPro pipeline knows (`value` holds the
label), with two features more, `score` and `model`. In a hospital's own type system the features are found by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carabin.errors import CarabinError

if TYPE_CHECKING:
    from cassis import TypeSystem
    from cassis.typesystem import Type

NAMED_ENTITY = "de.tudarmstadt.ukp.dkpro.core.api.ner.type.NamedEntity"
METADATA = "de.tudarmstadt.ukp.dkpro.core.api.metadata.type.DocumentMetaData"
KNOWN_TYPES = (NAMED_ENTITY, "webanno.custom.EntiteAnonymisation")
LABEL_FEATURES = ("value", "label", "Categorie", "category")
SCORE_FEATURES = ("score", "confidence")
MODEL_FEATURES = ("model", "modelId", "modelVersion")
_NUMBERS = ("uima.cas.Double", "uima.cas.Float")


class CasTypeError(CarabinError):
    """A type system that cannot be read, or in which no type or feature can be told to hold the entities."""


@dataclass(frozen=True, slots=True)
class EntityType:
    """A type and those of its features that are ours to fill."""

    name: str
    label: str
    score: str | None
    score_is_text: bool
    model: str | None


def import_cassis() -> Any:  # noqa: ANN401 - a module
    """Return the library. Raises CasTypeError: it is not installed."""
    try:
        import cassis
    except ModuleNotFoundError:
        raise CasTypeError("UIMA CAS needs the package dkpro-cassis; pip install 'carabin[cas]'") from None
    return cassis


@lru_cache(maxsize=1)
def own_typesystem() -> TypeSystem:
    """Return the type system of outputs for which none is given."""
    typesystem = metadata_typesystem()
    entity = typesystem.create_type(NAMED_ENTITY)
    for name, kind in (("value", "String"), ("identifier", "String"), ("score", "Double"), ("model", "String")):
        typesystem.create_feature(entity, name, f"uima.cas.{kind}")
    return typesystem


def metadata_typesystem() -> TypeSystem:
    """Return a new type system that knows nothing but DKPro's description of the document."""
    typesystem = import_cassis().TypeSystem()
    metadata = typesystem.create_type(METADATA, "uima.tcas.DocumentAnnotation")
    for name in ("documentTitle", "documentId", "documentUri", "collectionId", "documentBaseUri"):
        typesystem.create_feature(metadata, name, "uima.cas.String")
    typesystem.create_feature(metadata, "isLastSegment", "uima.cas.Boolean")
    return typesystem


@lru_cache(maxsize=8)
def read_typesystem(path: Path) -> TypeSystem:
    """Return the type system of an XML description, or the one inside a CAS JSON file.

    Raises:
        CasTypeError: it cannot be read as one.
    """
    cassis = import_cassis()
    try:
        if path.suffix.lower() == ".json":
            return cassis.load_cas_from_json(path.read_text(encoding="utf-8-sig")).typesystem
        return cassis.load_typesystem(path)
    except OSError as error:
        raise CasTypeError(f"{path}: {error.strerror or 'cannot be read'}") from None
    except Exception as error:
        # Whatever a parser says of bytes that are no type system.
        raise CasTypeError(f"{path}: not a UIMA type system ({type(error).__name__}); export it again") from None


def find_entity_type(typesystem: TypeSystem, cas_type: str | None, cas_label: str | None) -> EntityType:
    """Return where the entities are.

    Args:
        typesystem: In which to look.
        cas_type: Name of the type, or its last part; None takes the first of KNOWN_TYPES that is there.
        cas_label: Name of the feature with the label; None takes the first of LABEL_FEATURES, or the only string there.

    Raises:
        CasTypeError: names the types or features to choose from.
    """
    kind = _find_type(typesystem, cas_type)
    ranges = {feature.name: feature.rangeType.name for feature in kind.all_features}
    strings = [name for name, range_ in ranges.items() if typesystem.is_instance_of(range_, "uima.cas.String")]
    usual = [name for name in LABEL_FEATURES if name in strings]
    label = cas_label or (usual[0] if usual else strings[0] if len(strings) == 1 else None)
    if label is None or label not in strings:
        listed = ", ".join(strings) or "none"
        raise CasTypeError(
            f"{kind.name}: no feature '{label or 'value'}' for the label; name one with --cas-label: {listed}"
        )
    score = _first(SCORE_FEATURES, [name for name in ranges if ranges[name] in _NUMBERS or name in strings])
    model = _first(MODEL_FEATURES, strings)
    return EntityType(kind.name, label, score, score in strings, model)


def _find_type(typesystem: TypeSystem, cas_type: str | None) -> Type:
    spans = [kind for kind in typesystem.get_types() if typesystem.is_instance_of(kind, "uima.tcas.Annotation")]
    names = (cas_type,) if cas_type else KNOWN_TYPES
    for name in names:
        found = [kind for kind in spans if name in (kind.name, kind.short_name)]
        if len(found) == 1:
            return found[0]
    listed = ", ".join(sorted(kind.name for kind in spans)[:20]) or "none"
    wanted = cas_type or " or ".join(KNOWN_TYPES)
    raise CasTypeError(f"no type '{wanted}' in the type system; name one with --cas-type: {listed}")


def _first(wanted: Sequence[str], there: Sequence[str]) -> str | None:
    return next((name for name in wanted if name in there), None)
