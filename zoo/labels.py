"""Label sets, and the crosswalk between the names that different projects give the same identity label."""

from __future__ import annotations

LABEL_SETS: dict[str, tuple[str, ...]] = {
    "umls": ("ANAT", "CHEM", "DEVI", "DISO", "GEOG", "LIVB", "OBJC", "PHEN", "PHYS", "PROC"),
    "pii": (
        "ADRESSE",
        "DATE",
        "DATE_NAISSANCE",
        "HOPITAL",
        "IPP",
        "MAIL",
        "NDA",
        "NOM",
        "PRENOM",
        "SECU",
        "TEL",
        "VILLE",
        "ZIP",
    ),
    "specialty": (
        "chemistry",
        "etiology",
        "genetics",
        "immunology",
        "microbiology",
        "parasitology",
        "pharmacology",
        "physiology",
        "psychology",
        "surgery",
        "veterinary",
        "virology",
    ),
}
"""`umls`: QUAERO and Mantra's UMLS groups. `pii`: eds-pseudo's. `specialty`: MORFITT's twelve (multi-label)."""

IDENTITY_CROSSWALK: tuple[tuple[str | None, str | None, tuple[str, ...]], ...] = (
    ("FIRST_NAME", "Prenom", ("PRENOM",)),
    ("LAST_NAME", "Nom", ("NOM",)),
    ("PATIENT_BIRTHDATE", "DateNaissancePatient", ("DATE_NAISSANCE",)),
    ("IDENTIFYING_DATE", "DateIdentifiante", ("DATE",)),
    ("UNIDENTIFYING_DATE", "DateNonIdentifiante", ("DATE",)),
    ("ADDRESS", "Adresse", ("ADRESSE",)),
    ("CITY", "Ville", ("VILLE",)),
    (None, "CodePostal", ("ZIP",)),
    ("COUNTRY", "Pays", ()),
    ("PHONE_NUMBER", "NumeroTelephone", ("TEL",)),
    (None, "AdresseEmail", ("MAIL",)),
    ("URL", "Url", ()),
    (None, "CodeIdentifiant", ("IPP", "NDA", "SECU")),
    (None, None, ("HOPITAL",)),
)
"""Rows of (PARTAGES public name, INCEpTION name, eds-pseudo names); None or () where a project has no such label."""


def identity_label(name: str) -> str | None:
    """Return the `pii` label that a PARTAGES or INCEpTION identity label corresponds to; None where there is none.

    Raises:
        KeyError: no project of the crosswalk uses that name.
    """
    for public, inception, ours in IDENTITY_CROSSWALK:
        if name in (public, inception) or name in ours:
            if name in ours:
                return name
            # CodeIdentifiant covers three of ours, told apart by its CodeType feature, which a label alone lacks.
            return ours[0] if len(ours) == 1 else None
    raise KeyError(f"'{name}' is not an identity label of the crosswalk")
