"""The four kinds of document, each a list of sections under the headings of one style."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import partial

from zoo.synthesis import sections
from zoo.synthesis.case import Case
from zoo.synthesis.markup import Writer

SEEN_HEADINGS = ("colon", "upper", "upper_colon", "plain_upper", "inline", "underline", "colon")
HELD_HEADINGS = ("numbered", "dashes", "stars", "inline_upper")


def strip_accents(text: str) -> str:
    """Drop accents, as the capitals of many hospital systems do."""
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


class Layout:
    """Writes headings in one style for a whole document."""

    def __init__(self, case: Case) -> None:
        self.case = case
        held = case.split == "test" and case.rng.random() < 0.4
        self.style = case.rng.choice(HELD_HEADINGS if held else SEEN_HEADINGS)
        self.count = 0

    def head(self, key: str) -> None:
        """Write the heading of one section, ready for its body."""
        case, style = self.case, self.style
        probe = Writer(case.rng, {}, case.patient.female, case.writer.date_at)
        case.pick("h_" + key).write(probe)
        title = "".join(probe.parts)
        self.count += 1
        forms = {
            "colon": f"{title} :\n",
            "upper": f"{title.upper()}\n",
            "upper_colon": f"{title.upper()} :\n",
            "plain_upper": f"{strip_accents(title).upper()}\n",
            "inline": f"{title} : ",
            "inline_upper": f"{strip_accents(title).upper()}: ",
            "underline": f"{title}\n{'-' * len(title)}\n",
            "numbered": f"{self.count}. {title}\n",
            "dashes": f"--- {title} ---\n",
            "stars": f"** {strip_accents(title)} **\n",
        }
        case.writer.add(f"\n\n{forms[style]}")

    def section(self, key: str, body: Callable[[Case], object]) -> object:
        """Write a heading and its body."""
        self.head(key)
        return body(self.case)


def write_header(case: Case, title: str, ward: bool = True) -> None:
    """Write the letterhead: hospital, doctor, patient's identity, dates."""
    writer = case.writer
    case.say("letterhead")
    if ward:
        writer.add("\n")
        case.say("letterhead_ward")
    writer.add("\n\n")
    writer.add(title if case.rng.random() < 0.5 else title.upper())
    writer.add("\n\n")
    case.say("identity")
    if case.rng.random() < 0.6:
        writer.add("\n")
        case.say("identity_numbers")
    if case.rng.random() < 0.5:
        writer.add("\n")
        case.say("identity_address")


def write_signature(case: Case) -> None:
    """Write the greeting and the signature."""
    case.writer.add("\n\n")
    case.say("signature")


def write_crh(case: Case) -> tuple[int, int]:
    """Write a compte rendu d'hospitalisation; returns the offsets of its conclusion."""
    write_header(case, "Compte rendu d'hospitalisation")
    case.writer.add("\n")
    case.say("stay_line")
    if case.rng.random() < 0.6:
        case.writer.add("\n\n")
        case.say("greeting")
        case.writer.add("\n")
        case.say("letter_open")
    layout = Layout(case)
    layout.section("motif", sections.write_motif)
    layout.section("antecedents", sections.write_antecedents)
    if case.rng.random() < 0.8:
        layout.section("allergies", sections.write_allergies)
    if case.rng.random() < 0.8:
        layout.section("mode_de_vie", sections.write_lifestyle)
    layout.section("traitement_entree", sections.write_entry_treatment)
    layout.section("histoire", sections.write_history)
    layout.section("examen", sections.write_examination)
    if case.rng.random() < 0.5:
        layout.section("biologie", sections.write_labs)
        layout.section("imagerie", sections.write_exams)
    else:
        layout.section("examens", sections.write_labs)
        case.writer.add("\n")
        sections.write_exams(case)
    layout.section("evolution", sections.write_course)
    layout.head("conclusion")
    conclusion = sections.write_conclusion(case)
    layout.section("traitement_sortie", sections.write_discharge_treatment)
    layout.section("modalites", sections.write_follow)
    write_signature(case)
    return conclusion


def write_consultation(case: Case) -> tuple[int, int] | None:
    """Write a consultation report, as a letter, some weeks after the event."""
    write_header(case, "Compte rendu de consultation", ward=case.rng.random() < 0.5)
    writer = case.writer
    writer.slots["age"] = writer.slots["age_consult"]
    writer.add("\n\n")
    case.say("greeting")
    writer.add("\n")
    case.say("consult_open")
    layout = Layout(case)
    short = case.rng.random() < 0.5
    if short:
        writer.add("\n")
        if case.antecedents:
            case.say("consult_history", antec=case.antecedents[0].name)
            writer.add(" ")
        writer.sentence(case.rng.choice(case.rng.choice(case.scenario.history)))
    else:
        layout.section("antecedents", sections.write_antecedents)
        layout.section("histoire", lambda it: it.tell([it.rng.choice(group) for group in it.scenario.history[:2]]))
    writer.add("\n")
    steps = [partial(writer.sentence, case.rng.choice(case.scenario.later)), partial(sections.say_absent, case)]
    steps.insert(case.rng.randint(0, 1), partial(case.say, "consult_state"))
    case.chain(steps)
    if case.rng.random() < 0.7:
        layout.section("examen_consult", sections.say_vitals)
    if case.rng.random() < 0.5:
        layout.section("examens", partial(sections.write_exams, count=1))
    if case.rng.random() < 0.6:
        layout.section("traitement_cours", sections.write_lasting_treatment)
    conclusion = None
    if case.rng.random() < 0.6:
        planned_first = case.rng.random() < 0.5
        if planned_first:
            layout.section("suite", partial(Case.say, key="consult_plan"))
        layout.head("conclusion")
        conclusion = sections.write_closing(
            case, (partial(case.say, "consult_conclusion"), partial(case.say, "consult_next"))
        )
        if not planned_first:
            layout.section("suite", partial(Case.say, key="consult_plan"))
    else:
        writer.add("\n\n")
        case.say("consult_next")
    write_signature(case)
    return conclusion


def write_liaison(case: Case) -> tuple[int, int]:
    """Write a lettre de liaison à la sortie, with what the rules ask of it."""
    write_header(case, "Lettre de liaison", ward=case.rng.random() < 0.5)
    case.writer.add("\n")
    case.say("stay_line")
    case.writer.add("\n\n")
    case.say("greeting")
    case.writer.add("\n")
    case.say("liaison_open")
    layout = Layout(case)
    layout.section("motif", sections.write_motif)
    told_first = case.rng.random() < 0.5
    if told_first:
        layout.section("evolution", sections.tell_course)
    layout.head("synthese")
    conclusion = sections.write_synthesis(case)
    if not told_first:
        layout.section("evolution", sections.tell_course)
    if case.rng.random() < 0.6:
        layout.section("examens", partial(sections.write_exams, count=2))
    if case.rng.random() < 0.5:
        layout.section("allergies", sections.write_allergies)
    layout.section("securite", sections.write_safety)
    layout.section("traitement_sortie", sections.write_discharge_treatment)
    layout.section("modalites", sections.write_follow)
    write_signature(case)
    return conclusion


def write_ordonnance(case: Case) -> None:
    """Write a prescription: identity, drugs, sometimes a procedure, a warning."""
    write_header(case, "Ordonnance", ward=False)
    writer = case.writer
    writer.add("\n")
    case.say("ordonnance_date")
    writer.add("\n\n")
    sections.write_prescriptions(case, case.discharge, "rx_ordonnance")
    if case.entry and case.rng.random() < 0.6:
        writer.add("\n")
        sections.write_prescriptions(case, case.entry[:3], "rx_ordonnance")
    if case.rng.random() < 0.6:
        writer.add("\n\n")
        case.say("ordonnance_note")
    writer.add("\n\n")
    case.say("ordonnance_sign")


KINDS: dict[str, tuple[Callable[[Case], tuple[int, int] | None], float]] = {
    "CRH": (write_crh, 0.45),
    "consultation": (write_consultation, 0.22),
    "lettre de liaison": (write_liaison, 0.23),
    "ordonnance": (write_ordonnance, 0.10),
}
"""Each kind's writer and its share of the documents."""
