"""Units of measure and forms of drugs as French notes spell them, each with its dimension."""

from __future__ import annotations

from fractions import Fraction

DAY = 24 * 60
"""Minutes: the base of time."""
UNITS: dict[str, tuple[str, Fraction]] = {}
"""Spelling, casefolded -> (dimension, how many of the dimension's base it is)."""


def _unit(dimension: str, base: int | str, spellings: str) -> None:
    UNITS.update({spelling.casefold(): (dimension, Fraction(base)) for spelling in spellings.split()})


_unit("mass", 1, "ng nanogramme nanogrammes")
_unit("mass", 10**3, "µg mcg gamma gammas microgramme microgrammes")
_unit("mass", 10**6, "mg milligramme milligrammes")
_unit("mass", 10**9, "g gr gramme grammes")
_unit("mass", 10**12, "kg kilo kilos kilogramme kilogrammes")
_unit("mass", "1/1000", "pg")
_unit("volume", 10**9, "l litre litres")
_unit("volume", 10**8, "dl")
_unit("volume", 10**7, "cl")
_unit("volume", 10**6, "ml cc millilitre millilitres cm3 cm³")
_unit("volume", 10**3, "µl mm3 mm³")
_unit("volume", "1/1000000", "fl")
_unit("length", 10**6, "m mètre mètres")
_unit("length", 10**4, "cm centimètre centimètres")
_unit("length", 10**3, "mm millimètre millimètres")
_unit("length", 1, "µm")
_unit("area", 1, "m2 m²")
_unit("amount", 10**12, "mol moles")
_unit("amount", 10**9, "mmol")
_unit("amount", 10**6, "µmol")
_unit("amount", 10**3, "nmol")
_unit("amount", 1, "pmol")
_unit("equivalent", 1, "meq")
_unit("activity", 1000, "ui u unité unités")
_unit("activity", 1, "mui")
_unit("time", "1/60", "s sec seconde secondes")
_unit("time", 1, "min mn minute minutes")
_unit("time", 60, "h heure heures")
_unit("time", DAY, "j jr jrs jour jours")
_unit("time", 7 * DAY, "sem semaine semaines")
_unit("month", 1, "mois")
_unit("month", 12, "an ans année années")
_unit("pressure", 1, "mmhg")
_unit("water", 1, "cmh2o cmh₂o")
_unit("kilopascal", 1, "kpa")
_unit("share", 1, "% pourcent")
_unit("celsius", 1, "°c ° degrés")
_unit("beats", 1, "bpm")
_unit("energy", 1, "kcal")
_unit("radiation", 1000, "gy")
_unit("radiation", 1, "mgy")
_unit("sievert", 1, "msv")
_unit("pack years", 1, "pa paquets-années paquets-année paquet-années paquet-année")
_unit("", 1, "fois prise prises battements cycles coups")
for _name, _spellings in {
    "tablet": "comprimé comprimés cp cps cpr cprs",
    "capsule": "gélule gélules capsule capsules",
    "drop": "goutte gouttes gtte gttes",
    "puff": "bouffée bouffées",
    "sachet": "sachet sachets",
    "ampoule": "ampoule ampoules amp",
    "suppository": "suppositoire suppositoires suppo suppos",
    "patch": "patch patchs",
    "injection": "injection injections",
    "application": "application applications",
}.items():
    _unit(_name, 1, _spellings)
CASED = {"G/L": ("/volume", Fraction(1)), "MUI": ("activity", Fraction(10**9))}
"""Spellings that mean something else in capitals: G/L counts cells, MUI is millions of units."""

FORMS_OF_DRUGS = frozenset(
    ("tablet", "capsule", "drop", "puff", "sachet", "ampoule", "suppository", "patch", "injection", "application")
)
