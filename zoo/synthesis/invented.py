"""Names that stand in no list: who has learned a hundred family names by heart finds no other one.

Family names, towns, hospitals and streets are put together from French and foreign syllables, for the texts that a
student of identities learns from (`generate_report`). A name made so may by chance be somebody's; it is then told of
nobody.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

_BEGINNINGS = (
    "Ab", "An", "Ar", "Bar", "Ber", "Bla", "Bo", "Bou", "Bré", "Ca", "Cha", "Cher", "Clé", "Cor", "Cou", "Da", "Del",
    "Dou", "Du", "Es", "Fa", "Fer", "Flo", "Fou", "Fré", "Ga", "Gau", "Ger", "Gi", "Gra", "Gui", "Ha", "Hu", "Ja",
    "Jou", "Ker", "La", "Lar", "Le", "Lou", "Ma", "Mar", "Mé", "Mi", "Mo", "Mou", "Na", "No", "Or", "Pa", "Per", "Pi",
    "Plan", "Pou", "Pré", "Qué", "Ra", "Re", "Ri", "Ro", "Rou", "Sa", "Sau", "Ser", "Si", "Sou", "Ta", "Ther", "Tou",
    "Tré", "Va", "Ver", "Vi", "Vou", "Yv", "Za",
)  # fmt: skip
_MIDDLES = (
    "", "", "ba", "bi", "bou", "cha", "che", "da", "de", "di", "gui", "la", "le", "li", "lo", "ma", "me", "mi", "mon",
    "na", "ni", "no", "pi", "quo", "ra", "ri", "ro", "sa", "se", "ta", "te", "ti", "va", "vi",
)  # fmt: skip
_ENDINGS = (
    "bac", "bert", "blanc", "bois", "bot", "cault", "chard", "chet", "court", "dard", "deau", "din", "don", "dier",
    "fort", "gnac", "gnon", "gny", "lard", "leau", "let", "lier", "llon", "mel", "mont", "nard", "neau", "net", "nier",
    "not", "quet", "quin", "rand", "rat", "reau", "ret", "rier", "rin", "rot", "roux", "seau", "sier", "son", "tard",
    "teau", "thier", "tier", "tin", "ton", "vaux", "vel", "vert", "vier", "vin", "zac",
)  # fmt: skip
_FOREIGN_BEGINNINGS = (
    "Aba", "Ama", "Bel", "Bou", "Cos", "Dia", "Fer", "Ha", "Ka", "Kha", "Ko", "Kow", "Ma", "Mer", "Mo", "Ngu", "Oua",
    "Pe", "Ro", "San", "Sil", "Tra", "Yil", "Za",
)  # fmt: skip
_FOREIGN_ENDINGS = (
    "chi", "dez", "diallo", "douni", "keita", "kowski", "lak", "lani", "lem", "lovic", "maz", "mba", "mura", "nez",
    "oré", "ouche", "rahi", "reira", "ssi", "tos", "vani", "yen", "zadeh", "zouki",
)  # fmt: skip
_PARTICLES = ("Le ", "De ", "Du ", "El ", "Ben ", "La ")
_RIVERS = ("sur-", "en-", "sous-", "lès-", "le-", "les-")
_WARDS = (
    "CHU de {town}", "CH de {town}", "CHR de {town}", "CHI de {town}", "Centre hospitalier de {town}",
    "Centre hospitalier universitaire de {town}", "Hôpital de {town}", "Hôpital {first}-{name}", "Hôpital {name}",
    "Hôpital privé de {town}", "Hôpital {saint}", "Clinique {name}", "Clinique {saint}",
    "Clinique de {town}", "Polyclinique de {town}", "Groupe hospitalier {name}", "Institut {first}-{name}",
    "Hôpitaux de {town}", "Maternité de {town}", "Fondation {name}",
)  # fmt: skip
_WAYS = ("rue", "rue", "rue", "avenue", "boulevard", "chemin", "impasse", "allée", "place", "route", "quai", "cours")
_WAYS_OF = (
    "{way} {name}", "{way} {first} {name}", "{way} {first}-{name}", "{way} du Docteur {name}",
    "{way} du Général {name}", "{way} de {town}", "{way} {saint}", "résidence {name}", "lotissement {name}",
)  # fmt: skip
_VOWELS = "AEIOUYÉÈH"


class NameInventor:
    """Draws names; the same key draws the same ones."""

    def __init__(self, key: str, names: Mapping[str, Sequence[str]]) -> None:
        """Begin.

        Args:
            key: What the names depend on, and nothing else does: the report around them stays as it is.
            names: First names, `female` and `male` (`names.toml`): those are few in life too.
        """
        self.rng = random.Random(f"names|{key}")
        self.firsts = [*names["female"], *names["male"]]
        self.saints = [*(f"Sainte-{name}" for name in names["female"]), *(f"Saint-{name}" for name in names["male"])]

    def surname(self) -> str:
        """Return a family name, some of two parts or with a particle."""
        name, chance = self._word(), self.rng.random()
        if chance < 0.08:
            return f"{name}-{self._word()}"
        return self.rng.choice(_PARTICLES) + name if chance < 0.16 else name

    def town(self) -> str:
        """Return a town."""
        name, chance = self._word(), self.rng.random()
        if chance < 0.25:
            name = self.rng.choice(self.saints)
        return f"{name}-{self.rng.choice(_RIVERS)}{self._word()}" if chance < 0.45 else name

    def hospital(self, town: str) -> str:
        """Return a hospital, of this town where its name says of which."""
        name = self._fill(self.rng.choice(_WARDS), town)
        return name.replace(f"de {town}", f"d'{town}") if town[0] in _VOWELS else name

    def street(self) -> str:
        """Return a street, without a number."""
        return self._fill(self.rng.choice(_WAYS_OF), self.town())

    def _fill(self, template: str, town: str) -> str:
        way, first, saint = (self.rng.choice(some) for some in (_WAYS, self.firsts, self.saints))
        return template.format(way=way, first=first, saint=saint, name=self._word(), town=town)

    def _word(self) -> str:
        choice = self.rng.choice
        if self.rng.random() < 0.15:
            return choice(_FOREIGN_BEGINNINGS) + choice(_FOREIGN_ENDINGS)
        return choice(_BEGINNINGS) + choice(_MIDDLES) + choice(_ENDINGS)
