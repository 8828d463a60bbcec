"""The clinical knowledge base: scenarios, past histories, phrases and fictitious names, loaded strictly from TOML."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from carabin.errors import CarabinError
from zoo.synthesis.markup import Concept, MarkupError, Node, NounPhrase, parse, parse_concept

HERE = Path(__file__).parent
SPLITS = ("train", "dev", "test", "transfer")
SEXES = ("F", "M", "MF", "FFM", "MMF")
STATES = (
    "fever",
    "tachycardia",
    "hypoxia",
    "hypotension",
    "hypertension",
    "bradycardia",
    "hypothermia",
    "smoker",
    "drinker",
)
SYSTEMS = ("abdomen", "heart", "lung", "legs", "neuro", "nodes")
ADMISSIONS = ("urgences", "programmée", "transfert", "adressé")
LAB = re.compile(r"(?P<name>.+?): (?P<low>\d+(?:,\d+)?)-(?P<high>\d+(?:,\d+)?)(?: (?P<unit>.+))?\Z")


class KnowledgeError(CarabinError):
    """A data file of the knowledge base is wrong; the message names file, entry, cause and way out."""


@dataclass(frozen=True, slots=True)
class Prescription:
    """One drug with its dose, form, posology and duration (`duration` is None when it is long-term)."""

    name: str
    drug: Concept
    dose: Node
    form: Node
    posology: Node
    duration: Node | None


@dataclass(frozen=True, slots=True)
class Lab:
    """One laboratory value: its names, the number drawn in a plausible range, its unit."""

    analyte: Concept
    value: Node
    unit: str


@dataclass(frozen=True, slots=True)
class Examination:
    """One procedure and the sentences' worth of findings that may follow "retrouve"."""

    name: Concept
    findings: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Antecedent:
    """A past disease and the treatment that comes with it."""

    key: str
    name: Concept
    treatments: tuple[Prescription, ...]
    min_age: int
    sex: str
    """"F" or "M" when only one sex can have it, else empty."""
    event: bool
    """It happened once (an infarction), rather than being followed (a diabetes)."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A treatment present at entry, stopped during the stay, and why."""

    prescription: Prescription
    reason: Node


@dataclass(frozen=True, slots=True)
class Summary:
    """A sentence of the conclusion, and the one of the body that it rests on, where no other section says as much."""

    sentence: Node
    ground: Node | None


@dataclass(frozen=True, slots=True)
class Scenario:
    """One clinical scenario, its templates parsed."""

    id: str
    """Name of the scenario, unique over all files."""
    split: str
    """The only split that may use it; "train" ones serve transfer too."""
    specialty: str
    wards: tuple[str, ...]
    """Names of the wards that receive it."""
    spared: tuple[str, ...]
    """Systems whose examination is normal in this specialty, among SYSTEMS."""
    specialist: Concept
    age: tuple[float, float]
    """Range of ages at admission, in years."""
    sex: str
    """Letters to draw among: "FFM" is two women for one man."""
    stay: tuple[int, int]
    """Range of lengths of stay, in days."""
    admission: str
    diagnosis: Concept
    motif: tuple[Concept, ...]
    symptoms: tuple[Concept, ...]
    signs: tuple[Concept, ...]
    negatives: tuple[Concept, ...]
    background: tuple[str, ...]
    """Keys of antecedents that often go with it."""
    family: tuple[Node, ...]
    history: tuple[tuple[Node, ...], ...]
    labs: tuple[Lab, ...]
    exams: tuple[Examination, ...]
    care: tuple[tuple[Node, ...], ...]
    course: tuple[tuple[Node, ...], ...]
    summary: tuple[Summary, ...]
    discharge: tuple[Prescription, ...]
    follow: tuple[Node, ...]
    later: tuple[Node, ...]
    stops: tuple[Stopped, ...]
    implants: tuple[Node, ...]
    resistant: tuple[Node, ...]
    adverse: tuple[Node, ...]
    transfusion: tuple[Node, ...]
    state: tuple[str, ...]
    """What the vital signs show at entry, among STATES."""
    avoid: tuple[str, ...]
    """Classes of drugs (drug_classes.toml) that the patient must not take."""


@dataclass(frozen=True, slots=True)
class Phrases:
    """Sentence templates by purpose: those every split may use, those only test uses."""

    seen: dict[str, tuple[Node, ...]]
    held: dict[str, tuple[Node, ...]]


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Everything the generator knows."""

    scenarios: tuple[Scenario, ...]
    antecedents: dict[str, Antecedent]
    phrases: Phrases
    names: dict[str, tuple[str, ...]]

    def for_split(self, split: str) -> tuple[Scenario, ...]:
        """Return the scenarios that `split` may draw: transfer adds the train ones to its own."""
        allowed = ("train", "transfer") if split == "transfer" else (split,)
        return tuple(scenario for scenario in self.scenarios if scenario.split in allowed)


def parse_prescription(line: str) -> Prescription:
    """Parse "drug / Brand | dose | form | posology | duration" (duration may be missing)."""
    cells = [cell.strip() for cell in line.split("|")] if "{?" not in line and "<" not in line else []
    if len(cells) not in (4, 5) or not all(cells):
        raise MarkupError(f"prescription {line!r}: write 'drug / Brand | dose | form | posology | duration'")
    drug = parse_concept(cells[0], "CHEM", "treatment")
    duration = parse(cells[4]) if len(cells) == 5 else None
    return Prescription(
        cells[0].split(" / ")[0].partition(":")[2] or cells[0].split(" / ")[0],
        drug,
        parse(f"[{cells[1]}](@dose)"),
        parse(cells[2]),
        parse(cells[3]),
        duration,
    )


def parse_lab(line: str) -> Lab:
    """Parse "CRP / protéine C réactive: 80-240 mg/L"."""
    found = LAB.match(line)
    if not found:
        raise MarkupError(f"laboratory value {line!r}: write 'name / other name: low-high unit'")
    return Lab(parse_concept(found["name"], "CHEM"), parse(f"{{#{found['low']}-{found['high']}}}"), found["unit"] or "")


def parse_variants(entry: str | list[str]) -> tuple[Node, ...]:
    """Parse one sentence, or the list of its variants."""
    return tuple(parse(text) for text in ([entry] if isinstance(entry, str) else entry))


def parse_summary(entry: str | list[str]) -> Summary:
    """Parse a sentence of the conclusion, or [the sentence, the one of the body that it rests on]."""
    sentence, *ground = [entry] if isinstance(entry, str) else entry
    if len(ground) > 1:
        raise MarkupError(f"summary {entry!r}: write 'conclusion' or ['conclusion', 'sentence of the body']")
    return Summary(parse(sentence), parse(ground[0]) if ground else None)


def plain_concept(source: str) -> Concept:
    """Parse a noun phrase that carries no span ("m:cardiologue")."""
    gender, _, body = source.partition(":")
    return Concept((NounPhrase(gender, parse(body)),))


def _stopped(line: str) -> Stopped:
    prescription, _, reason = line.partition(" // ")
    if not reason:
        raise MarkupError(f"stopped treatment {line!r}: add ' // reason'")
    return Stopped(parse_prescription(prescription), parse(reason))


DISORDERS = ("motif", "symptoms", "signs", "negatives")
SENTENCES = ("family", "follow", "later", "implants", "resistant", "adverse", "transfusion")
GROUPS = ("history", "care", "course")
SHARED = frozenset(("specialty", "wards", "specialist", "spared"))
OPTIONAL = frozenset(
    ("family", "implants", "resistant", "adverse", "stops", "background", "admission", "state", "avoid", "transfusion")
)


def _convert(name: str, value: Any) -> Any:  # noqa: ANN401  (what TOML gives, checked by what reads it)
    if name == "diagnosis":
        return parse_concept(value, "DISO", "diagnosis")
    if name in DISORDERS:
        return tuple(parse_concept(item, "DISO") for item in value)
    if name in SENTENCES:
        return tuple(parse(item) for item in value)
    if name in GROUPS:
        return tuple(parse_variants(item) for item in value)
    if name == "labs":
        return tuple(parse_lab(item) for item in value)
    if name == "exams":
        names = [parse_concept(item[0], "PROC", "procedure") for item in value]
        return tuple(Examination(exam, parse_variants(item[1:])) for exam, item in zip(names, value, strict=True))
    if name == "summary":
        return tuple(parse_summary(item) for item in value)
    if name == "discharge":
        return tuple(parse_prescription(item) for item in value)
    if name == "stops":
        return tuple(_stopped(item) for item in value)
    return tuple(value) if isinstance(value, list) else value


def build_scenario(raw: dict[str, Any], shared: dict[str, Any], source: str) -> Scenario:
    """Check one scenario's keys and parse its templates.

    Raises:
        KnowledgeError: unknown or missing key, value outside its choices, unreadable template.
    """
    name = f"{source}: scenario {raw.get('id', '?')!r}"
    entry = {"admission": "urgences", **{key: [] for key in OPTIONAL - {"admission"}}, **shared, **raw}
    known = {item.name for item in fields(Scenario)}
    for kind, keys in (("unknown", set(entry) - known), ("missing", known - set(entry))):
        if keys:
            raise KnowledgeError(f"{name}: {kind} key {', '.join(sorted(keys))}; see the Scenario dataclass")
    for key, choices in (("split", SPLITS), ("sex", SEXES), ("admission", ADMISSIONS)):
        if entry[key] not in choices:
            raise KnowledgeError(f"{name}: {key} = {entry[key]!r}; choose one of {', '.join(choices)}")
    for key, allowed in (("state", STATES), ("spared", SYSTEMS), ("avoid", tuple(load_classes()))):
        if set(entry[key]) - set(allowed):
            raise KnowledgeError(f"{name}: {key} = {entry[key]}; choose among {', '.join(allowed)}")
    empty = [key for key in known - OPTIONAL if entry[key] in ([], "")]
    if empty:
        raise KnowledgeError(f"{name}: {', '.join(empty)} is empty; give at least one value")
    try:
        return Scenario(**{key: _convert(key, value) for key, value in entry.items()})
    except (MarkupError, IndexError, TypeError, AttributeError) as error:
        raise KnowledgeError(f"{name}: {error}") from error


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file, naming it when it is malformed."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise KnowledgeError(f"{path.name}: {error}; correct the file") from error


@cache
def load_classes() -> dict[str, frozenset[str]]:
    """Load the classes of drugs that exclude one another."""
    return {key: frozenset(names) for key, names in read_toml(HERE / "drug_classes.toml").items()}


def classes_of(names: set[str]) -> set[str]:
    """Return the classes to which some of the drugs belong."""
    return {key for key, members in load_classes().items() if members & names}


def load_scenarios(folder: Path) -> tuple[Scenario, ...]:
    """Load every scenario file of a folder, in the order of their names."""
    scenarios: list[Scenario] = []
    for path in sorted(folder.glob("*.toml")):
        content = read_toml(path)
        entries = content.pop("scenario", [])
        if set(content) != SHARED or not entries:
            raise KnowledgeError(f"{path.name}: give {', '.join(sorted(SHARED))} and [[scenario]]")
        shared = content | {"specialist": plain_concept(content["specialist"])}
        scenarios += [build_scenario(entry, shared, path.name) for entry in entries]
    doubles = {item.id for item in scenarios if sum(other.id == item.id for other in scenarios) > 1}
    if doubles:
        raise KnowledgeError(f"scenarios named twice: {', '.join(sorted(doubles))}; rename one")
    return tuple(scenarios)


def load_antecedents(path: Path) -> dict[str, Antecedent]:
    """Load past histories, keyed."""
    found: dict[str, Antecedent] = {}
    for entry in read_toml(path).get("antecedent", []):
        if set(entry) - {"treatments", "min_age", "sex", "event"} != {"key", "name"}:
            raise KnowledgeError(f"{path.name}: {entry}: give key and name; treatments, min_age, sex, event may follow")
        try:
            treatments = tuple(parse_prescription(line) for line in entry.get("treatments", []))
            name = parse_concept(entry["name"], "DISO", "antecedent")
        except MarkupError as error:
            raise KnowledgeError(f"{path.name}: {entry['key']}: {error}") from error
        found[entry["key"]] = Antecedent(
            entry["key"], name, treatments, entry.get("min_age", 18), entry.get("sex", ""), entry.get("event", False)
        )
    return found


def load_phrases(path: Path) -> Phrases:
    """Load sentence templates; `held` ones are for test alone."""
    seen: dict[str, tuple[Node, ...]] = {}
    held: dict[str, tuple[Node, ...]] = {}
    for key, entry in read_toml(path).items():
        if not entry.get("seen") or set(entry) - {"seen", "held"}:
            raise KnowledgeError(f"{path.name}: [{key}] needs a list `seen`, and only `held` beside")
        try:
            seen[key] = parse_variants(entry["seen"])
            held[key] = parse_variants(entry.get("held", []))
        except MarkupError as error:
            raise KnowledgeError(f"{path.name}: [{key}]: {error}") from error
    return Phrases(seen, held)


@cache
def load_knowledge() -> Knowledge:
    """Load and parse the whole base, once per process.

    Raises:
        KnowledgeError: a file is wrong, or a scenario cites an antecedent that is not described.
    """
    antecedents = load_antecedents(HERE / "antecedents.toml")
    scenarios = load_scenarios(HERE / "scenarios")
    for scenario in scenarios:
        missing = set(scenario.background) - set(antecedents)
        if missing:
            raise KnowledgeError(f"scenario {scenario.id!r}: antecedent {sorted(missing)} is not in antecedents.toml")
    names = {key: tuple(value) for key, value in read_toml(HERE / "names.toml").items()}
    return Knowledge(scenarios, antecedents, load_phrases(HERE / "phrases.toml"), names)
