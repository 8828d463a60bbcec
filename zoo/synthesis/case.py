"""One case: the draws that hold for a whole document, and the writer that tells it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta

from zoo.synthesis.french import decimal
from zoo.synthesis.invented import NameInventor
from zoo.synthesis.knowledge import Antecedent, Knowledge, Prescription, Scenario, classes_of
from zoo.synthesis.markup import Concept, Node, Span, Text, Writer, parse
from zoo.synthesis.patient import (
    age_words,
    ascii_lower,
    draw_patient,
    draw_phone,
    draw_stay,
    write_date,
    years_between,
)

HELD_SHARE = 0.45
"""How often a test document uses a template that no other split may use."""

ARRIVALS = {
    "urgences": (
        ("s'est présenté<|e> aux urgences", "consulte aux urgences", "est admis<|e> par les urgences"),
        ("admis<|e> par les urgences", "conduit<|e> aux urgences"),
    ),
    "programmée": (
        ("est hospitalisé<|e> de façon programmée", "entre dans le service de façon programmée"),
        ("hospitalisé<|e> de façon programmée", "admis<|e> en hospitalisation programmée"),
    ),
    "adressé": (
        ("est adressé<|e> par son médecin traitant", "est hospitalisé<|e> à la demande du Dr {med}"),
        ("adressé<|e> par son médecin traitant", "adressé<|e> par le Dr {med}"),
    ),
    "transfert": (
        ("est transféré<|e> d'un autre établissement", "est admis<|e> au décours d'un transfert"),
        ("transféré<|e> d'un autre établissement", "transféré<|e> dans notre unité"),
    ),
}
"""How a patient comes, as a verb and as a participle, by `admission`."""

DATE_STYLES = ("slash", "slash", "words", "words", "dot", "short", "dash")


class Case:
    """Draws patient, stay, past history and treatments, and fills the slots that templates use."""

    def __init__(
        self,
        rng: random.Random,
        scenario: Scenario,
        split: str,
        knowledge: Knowledge,
        inventor: NameInventor | None = None,
    ) -> None:
        """Draw; names of people and places are an inventor's, or those of the lists without one."""
        self.rng = rng
        self.inventor = inventor
        self.scenario = scenario
        self.split = split
        self.knowledge = knowledge
        self.stay = draw_stay(rng, scenario)
        held = split == "test" and rng.random() < HELD_SHARE
        self.patient = draw_patient(rng, scenario, self.stay, knowledge, held)
        if inventor:
            self.patient = replace(self.patient, surname=inventor.surname())
        self.years = years_between(self.patient.birth, self.stay.admission)
        self.years_exact = (self.stay.admission - self.patient.birth).days / 365.25
        self.child = self.years < 16
        style = rng.choice(DATE_STYLES)
        admission, last = self.stay.admission, self.stay.days
        self.date_style = style
        self.writer = Writer(
            rng, {}, self.patient.female, lambda day: write_date(admission + timedelta(days=min(day, last)), style)
        )
        self.discharge = tuple(replace(line, drug=self.draw_form(line.drug)) for line in scenario.discharge)
        self.negatives = tuple(self.draw_form(item) for item in scenario.negatives)
        self.summary = rng.choice(scenario.summary)
        self.denied: Concept | None = None
        """What the body has last said to be absent."""
        self.antecedents = self.draw_antecedents()
        self.entry = self.draw_entry()
        self.fill_identity(held)
        self.fill_stay()

    def draw_form(self, concept: Concept) -> Concept:
        """Draw the name that a thing keeps in this document: a conclusion repeats its body's."""
        return Concept((self.rng.choice(concept.forms),))

    def draw_antecedents(self) -> tuple[Antecedent, ...]:
        """Draw past diseases that fit the age and sex: mostly those that go with the scenario."""
        base = self.knowledge.antecedents
        own = [base[key] for key in self.scenario.background]
        other = [item for item in base.values() if item.key in ("migraine", "rgo", "hypothyroidie", "asthme", "eczema")]
        drawn: dict[str, Antecedent] = {}
        pool = own + [self.rng.choice(other)] if self.rng.random() < 0.3 or not own else own
        for item in self.rng.sample(pool, min(len(pool), self.rng.choice((0, 1, 2, 2, 3, 3)))):
            if item.min_age <= self.years and item.sex in ("", "F" if self.patient.female else "M"):
                drawn[item.key] = item
        return tuple(drawn.values())

    def draw_entry(self) -> tuple[Prescription, ...]:
        """Draw what the patient took at entry: one or two drugs for each past disease, each drug once."""
        drawn: dict[str, Prescription] = {}
        taken = {item.prescription.name for item in self.scenario.stops}
        taken |= {line.name for line in self.scenario.discharge}
        barred = classes_of(taken) | set(self.scenario.avoid)
        for item in self.antecedents:
            if item.treatments:
                line = self.rng.choice(item.treatments)
                own = classes_of({line.name})
                if line.name not in taken and not own & barred:
                    drawn[line.name] = line
                    taken.add(line.name)
                    barred |= own
        return tuple(drawn.values())

    def literal(self, text: str, *labels: str) -> Node:
        """Return literal text under labels, for a slot."""
        return Span(labels, "", Text(text)) if labels else Text(text)

    def fill_identity(self, held: bool) -> None:
        """Fill the slots of people, places and numbers."""
        rng, names, slots, patient = self.rng, self.knowledge.names, self.writer.slots, self.patient
        prefix = "held_" if held else ""
        upper = rng.random() < 0.6

        def surname(name: str) -> Node:
            return self.literal(name.upper() if upper else name, "NOM")

        slots["prenom"] = self.literal(patient.first_name, "PRENOM")
        slots["nom"] = surname(patient.surname)
        doctors = rng.sample([name for name in names[prefix + "surnames"] if name != patient.surname], 3)
        if self.inventor:
            doctors = [self.inventor.surname() for _ in doctors]
        for slot, name in zip(("doctor", "med", "doctor2"), doctors, strict=True):
            first = rng.choice(names[rng.choice(("female", "male"))])
            slots[slot], slots[f"{slot}_first"] = surname(name), self.literal(first, "PRENOM")
        hospital, towns = rng.choice(names[prefix + "hospitals"]), names[prefix + "towns"]
        town = next((name for name in names["towns"] + names["held_towns"] if name in hospital), rng.choice(towns))
        other_town = rng.choice(names[prefix + "towns"])
        if self.inventor:
            town, other_town = self.inventor.town(), self.inventor.town()
            hospital = self.inventor.hospital(town)
        slots["hopital"] = self.literal(hospital, "HOPITAL")
        slots["ville"] = self.literal(town, "GEOG", "VILLE")
        slots["ville2"] = self.literal(other_town, "GEOG", "VILLE")
        for slot in ("adresse", "adresse2"):
            text = f"{rng.randint(1, 180)}{rng.choice(('', '', '', ' bis'))}{rng.choice((' ', ', '))}"
            street = rng.choice(names["streets"])
            slots[slot] = self.literal(text + (self.inventor.street() if self.inventor else street), "ADRESSE")
        for slot in ("zip", "zip2"):
            slots[slot] = self.literal(f"{rng.choice(('96', '99', '00'))}{rng.randint(0, 99):02d}0", "ZIP")
        for slot in ("tel", "tel2", "tel3"):
            slots[slot] = self.literal(draw_phone(rng), "TEL")
        place = re.split(r"[ ']", hospital)[-1]
        domain = f"{ascii_lower(place)}.example"
        local = rng.choice((f"secretariat.{ascii_lower(self.scenario.specialty)}", ascii_lower(doctors[0])))
        slots["mail"] = self.literal(f"{local}@{domain}", "MAIL")
        for slot, text in (("ipp", patient.ipp), ("nda", patient.nda), ("secu", patient.nir)):
            slots[slot] = self.literal(text, slot.upper())

    def fill_stay(self) -> None:
        """Fill the slots of dates, age and diagnosis."""
        slots, scenario = self.writer.slots, self.scenario
        style = self.date_style
        slots["naissance"] = self.literal(write_date(self.patient.birth, style), "DATE_NAISSANCE")
        slots["entree"] = self.literal(write_date(self.stay.admission, style), "DATE")
        slots["sortie"] = self.literal(write_date(self.stay.discharge, style), "DATE")
        slots["age"] = Text(age_words(self.patient.birth, self.stay.admission))
        seen_on = self.stay.discharge + timedelta(days=self.rng.randint(14, 100))
        slots["consult"] = self.literal(write_date(seen_on, style), "DATE")
        slots["age_consult"] = Text(age_words(self.patient.birth, seen_on))
        slots["pa"] = Text(str(self.rng.randint(2, max(3, min(48, round((self.years - 16) * 0.8))))))
        slots["jours"] = Text(f"{self.stay.days} jours" if self.stay.days > 1 else "1 jour")
        words = ("[garçon](LIVB)", "[fille](LIVB)") if self.child else ("[homme](LIVB)", "[femme](LIVB)")
        slots["hom"] = parse(f"<{words[0]}|{words[1]}>")
        slots["unhom"] = parse(f"<un {words[0]}|une {words[1]}>")
        slots["s1"], slots["s2"] = self.rng.sample(scenario.symptoms, 2)
        slots["dx"] = scenario.diagnosis
        slots.update((f"rx{number}", line.drug) for number, line in enumerate(self.discharge, 1))
        slots["dxl"] = Concept(scenario.diagnosis.forms[:1])
        slots["specialist"] = scenario.specialist
        slots["service"] = Text(self.rng.choice(scenario.wards))
        slots["specialite"] = Text(scenario.specialty)
        slots["quidam"] = parse(
            "l'[enfant](LIVB) {prenom} {nom}"
            if self.child
            else self.rng.choice(("<M.|Mme> {nom}", "<Monsieur|Madame> {nom}"))
        )
        came = ARRIVALS[scenario.admission]
        slots["venue"], slots["venue_part"] = parse(self.rng.choice(came[0])), parse(self.rng.choice(came[1]))
        slots["delai"] = Text(self.rng.choice(("un mois", "3 mois", "six semaines", "2 mois", "6 mois", "15 jours")))

    def break_line(self) -> None:
        """Go to a new line where a heading has just left the pen after its colon."""
        writer = self.writer
        if writer.parts and writer.parts[-1].endswith(": "):
            writer.parts[-1] = writer.parts[-1][:-1] + "\n"

    def set_vitals(self, states: tuple[str, ...]) -> None:
        """Fill the slots of vital signs, as the patient's state and age make them."""
        draw, slots = self.rng.randint, self.writer.slots
        rate = (110, 135) if self.years < 3 else ((85, 105) if self.child else (62, 88))
        if "tachycardia" in states:
            rate = (rate[0] + 35, rate[1] + 38)
        if "bradycardia" in states:
            rate = (34, 46)
        high, low = draw(112, 142), draw(62, 84)
        if "hypotension" in states:
            high, low = draw(78, 94), draw(42, 55)
        if "hypertension" in states:
            high, low = draw(168, 205), draw(94, 114)
        temperature = draw(364, 374)
        if "fever" in states:
            temperature = draw(383, 397)
        if "hypothermia" in states:
            temperature = draw(340, 352)
        hypoxia = "hypoxia" in states
        breaths = (36, 48) if self.years < 2 else ((22, 28) if self.child else (13, 18))
        extra = 10 if hypoxia else 0
        month = round(self.years_exact * 12)
        weight = 3.6 + 0.55 * min(month, 11) if month < 12 else 8.0 + 2.1 * self.years_exact
        values = {
            "ta": f"{high}/{low}",
            "fc": str(draw(*rate)),
            "temp": decimal(temperature / 10, 1),
            "sat": str(draw(85, 91) if hypoxia else draw(96, 99)),
            "fr": str(draw(*breaths) + extra),
            "air": "air ambiant",
            "poids": decimal(weight * self.rng.uniform(0.92, 1.08), 1),
        }
        slots.update({name: Text(value) for name, value in values.items()})

    def pick(self, key: str) -> Node:
        """Draw a template for one purpose; test takes held-back ones for a share of its sentences."""
        phrases = self.knowledge.phrases
        held = phrases.held[key]
        if self.split == "test" and held and self.rng.random() < HELD_SHARE:
            return self.rng.choice(held)
        return self.rng.choice(phrases.seen[key])

    def say(self, key: str, **slots: object) -> None:
        """Write one sentence of a purpose, with these slots."""
        self.writer.slots.update(slots)
        self.writer.sentence(self.pick(key))

    def tell(self, nodes: Iterable[Node], separator: str = " ") -> None:
        """Write several sentences."""
        for index, node in enumerate(nodes):
            if index:
                self.writer.add(separator)
            self.writer.sentence(node)

    def chain(self, steps: Iterable[Callable[[], None]], separator: str = " ") -> None:
        """Run steps that each write one sentence, with a separator between."""
        for index, step in enumerate(steps):
            if index:
                self.writer.add(separator)
            step()
