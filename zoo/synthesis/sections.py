"""The sections of a report: each function writes one body, without its heading."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from zoo.synthesis.case import Case
from zoo.synthesis.knowledge import Prescription
from zoo.synthesis.markup import Node, Text

NORMAL_LABS = {
    "ions": frozenset(("natrémie", "kaliémie", "bicarbonates", "calcémie", "sodium", "ph", "ph artériel")),
    "kidney": frozenset(("créatinine", "créatininémie", "urée", "dfg", "protéinurie", "protéinurie des 24 heures")),
    "liver": frozenset(("bilirubine", "bilirubine totale", "bilirubine libre", "alat", "asat", "gamma-gt", "albumine")),
    "thyroid": frozenset(("tsh", "t4 libre", "cortisol de 8 h")),
    "clotting": frozenset(("tp", "inr", "d-dimères", "fibrinogène", "haptoglobine", "bilirubine totale")),
}
"""Groups of analytes, by the names that tell that a scenario already speaks of them."""


def write_motif(case: Case) -> None:
    """Why the patient came."""
    case.say("motif", motif=case.rng.choice(case.scenario.motif))


def write_antecedents(case: Case) -> None:
    """Past diseases, operations, family: as a list or in prose."""
    listed = case.rng.random() < 0.6
    separator, suffix = ("\n- ", "_item") if listed else (" ", "")
    if listed:
        case.break_line()
        case.writer.add("- ")
    steps = []
    for item in case.antecedents:
        kind = "_child" if case.child else ("_event" if item.event else "")
        steps.append(partial(case.say, f"antecedent{kind}{suffix}", antec=item.name, an=draw_years(case)))
    if not case.antecedents:
        steps.append(partial(case.say, "no_antecedent"))
    elif not case.child and case.rng.random() < 0.6:
        steps.append(partial(case.say, "surgery_old" if case.years >= 62 else "surgery", an=draw_years(case)))
    if case.scenario.family and case.rng.random() < 0.7:
        steps.append(partial(case.writer.sentence, case.rng.choice(case.scenario.family)))
    elif case.rng.random() < 0.4:
        steps.append(partial(case.say, "family"))
    if listed:
        case.chain(steps, separator)
        return
    for index, step in enumerate(steps):
        case.writer.add(" " if index else "")
        step()
        if not case.writer.parts[-1].endswith("."):
            case.writer.add(".")


def draw_years(case: Case) -> Text:
    """Draw how many years ago something happened to an adult, within their adult life."""
    return Text(str(case.rng.randint(2, max(2, min(15, case.years - 14)))))


def write_allergies(case: Case) -> None:
    """Allergies, most often none."""
    case.say("allergy" if case.rng.random() < 0.3 else "no_allergy")


def write_lifestyle(case: Case) -> None:
    """Home, work, tobacco."""
    if case.child:
        case.say("lifestyle_child")
        return
    old = case.years >= 65
    habit = "smoker" if "smoker" in case.scenario.state else "tobacco"
    if "drinker" in case.scenario.state or any(item.key == "alcool" for item in case.antecedents):
        habit = "drinker"
    elif any(item.key == "bpco" for item in case.antecedents):
        habit = "smoker"
    case.chain((partial(case.say, "lifestyle_old" if old else "lifestyle"), partial(case.say, habit)))


def set_prescription(case: Case, line: Prescription) -> None:
    """Fill the slots of one prescription line."""
    slots = case.writer.slots
    slots.update(drug=line.drug, dose=line.dose, form=line.form, poso=line.posology)
    slots["pendant"] = Text("")
    if line.duration is not None:
        slots["duree"] = line.duration
        slots["pendant"] = case.pick("duration")


def write_prescriptions(case: Case, lines: tuple[Prescription, ...], key: str) -> None:
    """Write prescription lines, all in one style."""
    style = case.pick(key)
    case.break_line()
    bullet = case.rng.choice(("- ", "", "• ", "- "))
    for index, line in enumerate(lines):
        case.writer.add(("\n" if index else "") + bullet)
        set_prescription(case, line)
        case.writer.sentence(style)


def write_entry_treatment(case: Case) -> None:
    """What was taken before, stopped drugs included."""
    lines = case.entry + tuple(item.prescription for item in case.scenario.stops)
    if lines:
        case.writer.fact_names = {"treatment": "entry-treatment", "dose": "entry-dose"}
        write_prescriptions(case, lines, "rx")
        case.writer.fact_names = {}
    else:
        case.say("no_treatment")


def write_history(case: Case) -> None:
    """The story: opening sentence, the scenario's own sentences, symptoms and their absence."""
    steps = [partial(case.say, "history_open", motif=case.rng.choice(case.scenario.motif))]
    steps += [partial(case.writer.sentence, case.rng.choice(group)) for group in case.scenario.history]
    steps.insert(case.rng.randint(2, len(steps)), partial(say_symptoms, case))
    if case.rng.random() < 0.7:
        steps.append(partial(say_absent, case))
    case.chain(steps)


def say_symptoms(case: Case) -> None:
    """One sentence of symptoms."""
    symptoms = case.scenario.symptoms
    first, second = case.rng.sample(symptoms, 2)
    case.say("symptoms_child" if case.child else "symptoms", s1=first, s2=second)


def say_absent(case: Case) -> None:
    """One sentence of what is absent."""
    first, second = case.rng.sample(case.negatives, 2)
    case.denied = first
    case.say("absent", n1=first, n2=second)


def write_examination(case: Case) -> None:
    """Vital signs, then signs, then what is normal."""
    signs = case.rng.sample(case.scenario.signs, min(len(case.scenario.signs), case.rng.choice((2, 3, 3))))
    steps = [partial(say_vitals, case, case.scenario.state)]
    steps += [partial(case.say, "sign", sign=sign) for sign in signs]
    if case.rng.random() < 0.8:
        steps.append(partial(say_absent, case))
    if case.rng.random() < 0.6:
        steps.append(partial(case.say, f"normal_{case.rng.choice((*case.scenario.spared, 'other'))}"))
    case.chain(steps, case.rng.choice((" ", " ", "\n")))


def say_vitals(case: Case, states: tuple[str, ...] = ()) -> None:
    """One sentence of vital signs."""
    case.set_vitals(states)
    case.say("vitals_child" if case.child else "vitals")


def write_labs(case: Case, count: int = 6) -> None:
    """Abnormal values of the scenario, then usual ones."""
    labs = case.rng.sample(case.scenario.labs, min(count, len(case.scenario.labs)))
    style = case.pick("lab")
    listed = case.rng.random() < 0.4
    if not listed:
        case.say("labs_open")
        case.writer.add(" ")
        # The opening and the values are one sentence: its facts must point to the whole.
        opening = case.writer.sentences.pop()[0]
    for index, lab in enumerate(labs):
        if index:
            case.writer.add("\n" if listed else ", ")
        start = case.writer.position
        case.writer.slots.update(analyte=lab.analyte, value=lab.value, unit=Text(f" {lab.unit}" if lab.unit else ""))
        style.write(case.writer)
        if listed:
            case.writer.sentences.append((start, case.writer.position))
    if not listed:
        case.writer.add(".")
        case.writer.sentences.append((opening, case.writer.position))
    if case.rng.random() < 0.6:
        case.writer.add("\n" if listed else " ")
        case.say(f"normal_labs_{case.rng.choice(list_normal_labs(case))}")


def list_normal_labs(case: Case) -> list[str]:
    """Return the groups of analytes of which the scenario says nothing, so that they may be called normal."""
    known = {form.node.first_word().casefold() for lab in case.scenario.labs for form in lab.analyte.forms}
    return ["other"] + [group for group, analytes in NORMAL_LABS.items() if not known & analytes]


def write_exams(case: Case, count: int = 3) -> None:
    """Procedures and what they show."""
    exams = case.rng.sample(case.scenario.exams, min(count, len(case.scenario.exams)))
    steps = [partial(case.say, "exam", exam=item.name, finding=case.rng.choice(item.findings)) for item in exams]
    case.chain(steps, case.rng.choice(("\n", " ", "\n")))


def write_course(case: Case) -> None:
    """Treatment in hospital and what followed."""
    tell_course(case)
    for item in case.scenario.stops:
        case.writer.add(" ")
        say_stopped(case, item.prescription, item.reason)


def tell_course(case: Case) -> None:
    """What `write_course` does, without the treatments stopped, and with what the conclusion rests on."""
    steps = [partial(case.writer.sentence, case.rng.choice(group)) for group in case.scenario.care]
    steps += [partial(case.writer.sentence, case.rng.choice(group)) for group in case.scenario.course]
    if case.summary.ground is not None:
        steps.append(partial(case.writer.sentence, case.summary.ground))
    if case.rng.random() < 0.7:
        steps.append(partial(case.say, "course_close"))
    case.chain(steps)


def say_stopped(case: Case, line: Prescription, reason: Node) -> None:
    """One treatment stopped, and why."""
    set_prescription(case, line)
    # A stopped drug must not answer "which treatment at discharge?".
    case.writer.fact_names = {"treatment": "", "dose": ""}
    case.say("stopped", raison=reason)
    case.writer.fact_names = {}


def write_conclusion(case: Case) -> tuple[int, int]:
    """The conclusion of a hospital report; returns its offsets."""
    steps = [partial(case.say, "conclusion"), partial(case.writer.sentence, case.summary.sentence)]
    if case.denied is not None and case.rng.random() < 0.25:
        steps.append(partial(case.say, "conclusion_absent", n1=case.denied))
    if case.rng.random() < 0.25:
        steps.append(partial(say_treatment, case))
    return write_closing(case, [*steps, partial(case.say, "conclusion_close")])


def write_synthesis(case: Case) -> tuple[int, int]:
    """The synthesis of a lettre de liaison; returns its offsets."""
    steps = [partial(case.say, "conclusion"), partial(case.writer.sentence, case.summary.sentence)]
    return write_closing(case, [*steps, partial(say_treatment, case), partial(case.say, "conclusion_close")])


def write_closing(case: Case, steps: Iterable[Callable[[], None]]) -> tuple[int, int]:
    """Write the sentences of a conclusion; returns their offsets."""
    start = case.writer.position
    # The discharge section answers "which treatment, which dose?", not the words that repeat it.
    case.writer.fact_names = {"treatment": "", "dose": ""}
    case.chain(steps)
    case.writer.fact_names = {}
    return start, case.writer.position


def say_treatment(case: Case) -> None:
    """One sentence of one or two drugs of the discharge, named as that section names them."""
    lines = case.discharge[: case.rng.choice((1, 2))]
    one, two = (lines[0], lines[-1])
    key = "conclusion_treatments" if len(lines) > 1 else "conclusion_treatment"
    case.say(key, one=one.drug, one_dose=one.dose, two=two.drug, two_dose=two.dose)


def write_discharge_treatment(case: Case) -> None:
    """New treatment, then what goes on."""
    write_prescriptions(case, case.discharge, "rx")
    if case.entry:
        case.writer.add("\n")
        case.say("continued")
        case.writer.add("\n")
        write_prescriptions(case, case.entry, "rx")


def write_lasting_treatment(case: Case) -> None:
    """What is still taken at the consultation: neither a three-day course nor what was stopped."""
    lasting = tuple(line for line in case.discharge if line.duration is None) + case.entry
    if lasting:
        write_prescriptions(case, lasting, "rx")
    else:
        case.say("no_treatment")


def write_follow(case: Case) -> None:
    """Where the patient goes and who sees them next."""
    steps = [partial(case.say, "destination")]
    for node in case.rng.sample(case.scenario.follow, min(2, len(case.scenario.follow))):
        steps.append(partial(case.writer.sentence, node))
    if case.rng.random() < 0.5:
        steps.append(partial(case.say, "advice"))
    case.chain(steps)


def write_safety(case: Case) -> None:
    """What a lettre de liaison owes: adverse events, germs, transfusion, implants, treatments stopped."""
    scenario = case.scenario
    steps = []
    if scenario.adverse:
        steps.append(partial(case.writer.sentence, case.rng.choice(scenario.adverse)))
    else:
        steps.append(partial(case.say, "no_adverse"))
    if scenario.resistant:
        steps.append(partial(case.writer.sentence, case.rng.choice(scenario.resistant)))
    else:
        steps.append(partial(case.say, "no_resistant"))
    if scenario.transfusion:
        steps.append(partial(case.writer.sentence, case.rng.choice(scenario.transfusion)))
    else:
        steps.append(partial(case.say, "no_transfusion"))
    if scenario.implants:
        steps.append(partial(case.writer.sentence, case.rng.choice(scenario.implants)))
    else:
        steps.append(partial(case.say, "no_implant"))
    steps += [partial(say_stopped, case, item.prescription, item.reason) for item in scenario.stops]
    case.chain(steps, "\n")
