"""Silver labels: what a name says, what its absence does not, and that other recipes stay as they were."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from carabin.documents import Document, Entity
from carabin.tokens.tagging import decode_spans
from carabin.tokens.words import find_words
from tests.training.tiny_zoo import STUDENT, make_zoo
from training.silver import SilverLabeller, contradicted_names, describe_silver, label_by_names, mix_with_teacher
from training.teacher_pass import read_targets
from training.teachers import teacher_folder
from training.train_bert import train
from zoo.labels import LABEL_SETS
from zoo.plan import make_plan
from zoo.registry import Registry
from zoo.runs import RunError, read_json
from zoo.terminologies import Names

LABELS = ("CHEM", "DISO")
B_CHEM, I_CHEM, B_DISO, I_DISO = 1, 2, 3, 4


def terminology(label="CHEM", confidence=0.9, name="test"):
    return SimpleNamespace(id=name, label=label, confidence=confidence)


def rows_of(*tags, sure=0.96):
    rows = np.full((len(tags), 5), (1 - sure) / 4)
    rows[np.arange(len(tags)), list(tags)] = sure
    return rows


def silver_of(text, *lists):
    return SilverLabeller([(entry, Names.of(names)) for entry, names in lists], LABELS).word_probabilities([text])[0][1]


def test_a_match_is_evidence_and_its_absence_is_none():
    """Zeros taken for 'O' would teach that everything a list of 2019 does not know is no drug."""
    taught = rows_of(0, 0, 0, B_DISO)
    silver = silver_of("prend acide folique fièvre", (terminology(), ["acide folique"]))
    assert silver[0].sum() == silver[3].sum() == 0
    mixed = mix_with_teacher(taught, silver)
    assert np.array_equal(mixed[[0, 3]], taught[[0, 3]].astype(np.float16)), "to the bit"
    assert mixed[1, B_CHEM] == pytest.approx(0.9 + 0.1 * taught[1, B_CHEM], abs=1e-3)
    assert mixed[2, I_CHEM] == pytest.approx(0.9 + 0.1 * taught[2, I_CHEM], abs=1e-3)
    assert mixed[1, 0] == pytest.approx(0.1 * taught[1, 0], abs=1e-3), "the teacher answers for the rest"


def test_inside_a_longer_entity_of_the_teachers_a_match_says_nothing():
    """Gold keeps the outermost span: 'carence en vitamine' is one disease, and not a disease with a drug in it."""
    silver = silver_of("carence en vitamine", (terminology(), ["vitamine"]))
    longer = rows_of(B_DISO, I_DISO, I_DISO)
    assert np.array_equal(mix_with_teacher(longer, silver), longer.astype(np.float16))
    same = mix_with_teacher(rows_of(0, 0, B_DISO), silver)
    assert same[2].argmax() == B_CHEM, "of the same span a list of drugs knows better"
    wider = silver_of("acide folique", (terminology(), ["acide folique"]))
    assert mix_with_teacher(rows_of(B_CHEM, B_CHEM), wider).argmax(axis=1).tolist() == [B_CHEM, I_CHEM]


def test_the_longest_of_two_terminologies_counts_then_the_first():
    drugs, disorders = terminology(), terminology("DISO", 0.8, "other")
    text = "choc vitamine"
    silver = silver_of(text, (drugs, ["vitamine"]), (disorders, ["choc vitamine"]))
    assert silver.argmax(axis=1).tolist() == [B_DISO, I_DISO] and silver.max() == pytest.approx(0.8)
    silver = silver_of(text, (drugs, ["vitamine"]), (disorders, ["vitamine"]))
    assert silver[1].argmax() == B_CHEM
    with pytest.raises(RunError, match="'test': label 'PII'"):
        silver_of(text, (terminology("PII"), ["vitamine"]))


WORDS = st.lists(st.sampled_from(["Zinc", "iode", "oxyde", "de", "10", "É", ",", "œuf"]), max_size=25)


@settings(deadline=None)
@given(words=WORDS, data=st.data())
def test_mixtures_are_distributions_over_the_texts_own_words(words, data):
    """A row that sums to less weighs less in the loss; one row too few shifts every label behind it by a word."""
    text = " ".join(words)
    tags = data.draw(st.lists(st.integers(0, 4), min_size=len(words), max_size=len(words)))
    taught = rows_of(*tags) if tags else np.zeros((0, 5))
    labeller = SilverLabeller([(terminology(), Names.of(["oxyde de zinc", "zinc", "iode"]))], LABELS)
    ((found, silver),) = labeller.word_probabilities([text])
    assert np.array_equal(found, find_words(text)) and len(silver) == len(taught)
    mixed = mix_with_teacher(taught, silver)
    assert np.allclose(mixed.astype(np.float32).sum(axis=1), 1, atol=3e-3)
    untouched = silver.sum(axis=1) == 0
    assert np.array_equal(mixed[untouched], taught[untouched].astype(np.float16))
    for entity in decode_spans(found, silver + (1 - silver.sum(axis=1, keepdims=True)) * np.eye(5)[0], LABELS):
        assert text[entity.start : entity.end].casefold() in {"oxyde de zinc", "zinc", "iode"}


def test_gold_has_the_last_word_on_a_name():
    """'fréquent' is a term of HPO; annotators who pass it over nineteen times say that it is no disease."""
    names = Names.of(["fréquent", "toux", "grippe"])
    text = "toux fréquente, fréquent, grippe et grippe"
    gold = [Document("1", text, (Entity(0, 14, "DISO"), Entity(26, 32, "DISO")))]
    assert contradicted_names(terminology("DISO"), names, gold) == {("frequent",)}, "one vote each is no contradiction"
    assert contradicted_names(terminology("CHEM"), names, gold) == {("frequent",), ("toux",), ("grippe",)}


LIST = ("apixaban", "amoxicilline", "paracétamol", "furosémide", "amiodarone", "bisoprolol", "ramipril", "metformine")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    root = tmp_path_factory.mktemp("zoo")
    registry = make_zoo(root)
    named = STUDENT[STUDENT.index("[profiles.local]") :].replace("profiles.local", "profiles.named")
    named = named.replace('methods = ["logits"]', 'methods = ["logits"]\nterminologies = ["drugs"]')
    (root / "models/bert-test/student.toml").write_text(STUDENT + named, encoding="utf-8")
    (root / "models/terminologies").mkdir()
    (root / "models/terminologies/drugs.toml").write_text(
        'id = "drugs"\nsummary = "s"\nlabel = "CHEM"\nconfidence = 0.9\n'
        'lists = [{ corpus = "list", split = "names", form = "substances" }]\n',
        encoding="utf-8",
    )
    (root / "data/list").mkdir(parents=True)
    lines = "\n".join(LIST).upper() + "\n"
    (root / "data/list/names.txt").write_text(lines, encoding="utf-8")
    clause = "to any person obtaining a copy, without restriction"
    card = {"id": "list", "summary": "s", "task": "lexicon", "source": "local", "splits": {"names": "names.txt"}}
    card |= {"sha256": {"names": hashlib.sha256(lines.encode()).hexdigest()}, "uses": ["lexicon"]}
    card |= {"licence": {"spdx": "MIT", "clause": clause, "read_at": "LICENSE", "read_on": "2026-11-24"}}
    (root / "datasets_cards/list.md").write_text(f"---\n{yaml.safe_dump({'carabin': card})}---\n", encoding="utf-8")
    return registry


@pytest.fixture(scope="module")
def runs(zoo, tmp_path_factory):
    runs = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CARABIN_DATA", str(zoo.root / "data"))
        plans = [make_plan("bert-test", profile, registry=zoo, runs=runs) for profile in ("local", "named")]
        for plan in plans:
            train(plan)
    return plans


def test_the_whole_way_teaches_the_names_and_says_how_many(runs):
    plain, named = runs
    folder = named.folder / "silver"
    n_tags = 1 + 2 * len(LABEL_SETS["umls"])
    rows = [row for _, _, row in read_targets(folder, n_tags)]
    counts = read_json(folder / "run.json")["silver"]
    assert counts == {"words": sum(map(len, rows)), "CHEM": sum(int((row.sum(axis=1) > 0).sum()) for row in rows)}
    assert counts["CHEM"] > 0 and f"CHEM {counts['CHEM']}" in describe_silver(folder)
    student, undisturbed = (load_file(plan.folder / "student/model.safetensors") for plan in (named, plain))
    assert any((student[name] != undisturbed[name]).any() for name in student), "the names changed nothing"
    twins = [load_file(plan.folder / "twin/model.safetensors") for plan in runs]
    assert all((twins[0][name] == twins[1][name]).all() for name in twins[0]), "the twin has no teacher of any kind"
    assert teacher_folder(named) == teacher_folder(plain), "the same teacher is not trained twice"
    assert "silver" in read_json(named.folder / "energy.json")["stages"]


def test_another_list_or_confidence_is_another_lesson(runs, zoo, monkeypatch):
    """A cache without the list's revision in its key would go on teaching the names of the old one."""
    monkeypatch.setenv("CARABIN_DATA", str(zoo.root / "data"))
    named = runs[1]
    record = read_json(named.folder / "silver/run.json")
    assert read_json(named.folder / "student/run.json")["inputs"]["silver"] == record["inputs_sha256"]
    (described,) = record["inputs"]["terminologies"]
    assert described["revisions"][0].startswith("sha256:") and described["confidence"] == 0.9
    before = (named.folder / "silver/shard-00000.parquet").stat().st_mtime_ns
    assert label_by_names(named) == named.folder / "silver"
    assert (named.folder / "silver/shard-00000.parquet").stat().st_mtime_ns == before


def test_a_recipe_without_terminologies_keeps_its_keys(runs):
    """One more entry in a key, even an empty one, throws away every teacher and student trained so far."""
    plain = runs[0]
    assert label_by_names(plain) is None and not (plain.folder / "silver").exists()
    targets, student = (read_json(plain.folder / name / "run.json")["inputs"] for name in ("targets", "student"))
    assert set(targets) == {"teacher", "corpora", "labels"}
    entry = {"corpus", "split", "documents", "role", "revision", "data_seed", "licence"}
    assert all(set(corpus) == entry for corpus in targets["corpora"])
    recipe = {"stage", "tags", "training", "distillation", "seed", "tokenizer", "shape", "targets"}
    assert set(student) == recipe
    assert set(student["distillation"]) == {
        "temperature", "soft_weight", "gold_weight", "relation_weight", "gold_repeats", "noise",
    }  # fmt: skip
    assert plain.corpora("terminology") == []


def test_the_measured_quaero_runs_are_still_found():
    """docs/experiments.md reports runs by these keys; whoever changes a recipe on purpose changes this line too."""
    plan = make_plan("bert-small", "quaero")
    assert teacher_folder(plan).name == "d60657a02014"
    ours, theirs = (make_plan("bert-small", name) for name in ("quaero-x4", "quaero-x4-names"))
    assert teacher_folder(ours) == teacher_folder(theirs) != teacher_folder(plan)
    assert ours.corpora("transfer") == theirs.corpora("transfer"), "an ablation reads the same texts"
    same = ("training", "distillation", "encoder", "gold", "dev", "test", "transfer", "choice", "seed")
    assert all(getattr(ours.profile, name) == getattr(theirs.profile, name) for name in same)
    assert "chosen" in ours.corpora("transfer")[2] and "chosen" not in ours.corpora("transfer")[0]
    assert Registry().profile("bert-small", "quaero")[1].choice is None
