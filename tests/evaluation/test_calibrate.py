"""Calibration: a temperature or a threshold fitted wrongly looks like any other number, and cuts real entities."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carabin.annotator import Annotator
from carabin.calibration import read_calibration
from carabin.documents import Document, Entity
from carabin.scoring.ner_scores import Counts
from carabin.student_folder import file_digest
from carabin.tokens.tagging import bio_tags, decode_spans
from carabin.tokens.words import find_words
from evaluation import calibration_fit as fit
from evaluation.calibrate import calibrate, describe, fit_file, measure
from zoo.labels import LABEL_SETS
from zoo.registry.recipes import CorpusUse
from zoo.runs import RunError, hash_files, read_json, write_json

LABELS = ("CHEM", "DISO")
TAGS = bio_tags(LABELS)


class Overconfident:
    """Finds every word as an entity; right at the odds that its logits, `too_sure` times too large, speak of."""

    labels = LABELS

    def __init__(self, too_sure: float) -> None:
        self.too_sure = too_sure

    def documents(self, count: int) -> list[Document]:
        rng = np.random.default_rng(5)
        self.logits = {}
        found = []
        for number in range(count):
            text = f"mot{'a' * (number + 1)} " * 40
            words = find_words(text)
            logits = np.zeros((len(words), len(TAGS)))
            logits[:, 1] = rng.uniform(-1, 4, len(words))
            logits[:, [2, 3, 4]] = -30
            chance = 1 / (1 + np.exp(-logits[:, 1]))
            right = rng.uniform(size=len(words)) < chance
            self.logits[text] = logits * self.too_sure
            entities = tuple(Entity(int(s), int(e), "CHEM") for (s, e), ok in zip(words, right, strict=True) if ok)
            found.append(Document(f"d{number}", text, entities))
        return found

    def word_probabilities(self, texts):
        for text in texts:
            shifted = np.exp(self.logits[text] - self.logits[text].max(axis=1, keepdims=True))
            yield find_words(text), (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("too_sure", [0.7, 2.0, 3.5])
def test_the_temperature_undoes_what_the_network_adds_to_its_confidence(too_sure):
    tagger = Overconfident(too_sure)
    fitted = fit_file(tagger, tagger.documents(60))
    assert fitted["temperature"] == pytest.approx(too_sure, rel=0.12)
    assert fitted["ece"]["after"] < 0.03 < fitted["ece"]["before"] + 0.02
    assert fitted["log_loss"]["after"] <= fitted["log_loss"]["before"]


def test_too_few_outcomes_leave_the_temperature_at_one_and_say_so():
    tagger = Overconfident(3.0)
    (document, *_) = tagger.documents(2)
    few = [Document("d", document.text, tuple(Entity(int(s), int(e), "CHEM") for s, e in find_words(document.text)))]
    fitted = fit_file(tagger, few)
    assert (fitted["temperature"], fitted["temperature_basis"][:10]) == (1.0, "not fitted")


def test_a_rare_label_has_no_threshold_and_the_file_says_why():
    tagger = Overconfident(2.0)
    documents = tagger.documents(30)
    first = documents[0]
    documents[0] = Document(first.id, first.text, (Entity(first.entities[0].start, first.entities[0].end, "DISO"),))
    fitted = fit_file(tagger, documents)
    assert set(fitted["thresholds"]) == {"CHEM"}
    assert fitted["without_threshold"]["DISO"] == "1 gold and 0 found on dev, fewer than 30"


def test_no_documents_is_an_error():
    with pytest.raises(RunError, match="dev split is empty"):
        fit_file(Overconfident(1.0), [])


SCORED = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=40)


@settings(deadline=None)
@given(SCORED, st.integers(0, 10))
def test_the_threshold_is_the_best_cut_of_all_and_keeps_most_of_the_equals(scored, missed):
    scores, right = np.asarray([s / 20 for s, _ in scored]), np.asarray([r for _, r in scored])
    gold = int(right.sum()) + missed

    def f1(threshold: float) -> float:
        kept = scores >= threshold
        return Counts(int((right & kept).sum()), int(kept.sum()), gold).f1

    chosen = fit.best_threshold(scores, right, gold)
    cuts = [0.0, *sorted(set(scores))]
    best = max(f1(cut) for cut in cuts)
    assert f1(chosen) == pytest.approx(best)
    most = max(int((scores >= cut).sum()) for cut in cuts if f1(cut) == pytest.approx(best))
    assert int((scores >= chosen).sum()) == most


def test_a_threshold_lies_between_scores_so_that_last_decimals_do_not_matter():
    scores, right = np.asarray([0.9, 0.8, 0.3, 0.2]), np.asarray([True, True, False, False])
    assert fit.best_threshold(scores, right, 2) == 0.55
    assert fit.best_threshold(scores, ~right, 2) == 0.0


@settings(deadline=None)
@given(st.floats(0.3, 10), st.integers(0, 100))
def test_scores_at_a_temperature_are_those_that_carabin_decodes(temperature, seed):
    logits = np.random.default_rng(seed).normal(size=(12, 5), scale=3)

    def distribution(divided: np.ndarray) -> np.ndarray:
        shifted = np.exp(divided - divided.max(axis=1, keepdims=True))
        return (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32)

    words = find_words("a b c d e f g h i j k l")
    raw, tempered = distribution(logits), distribution(logits / temperature)
    assert fit.temper(raw, temperature) == pytest.approx(tempered, abs=1e-4)
    expected = decode_spans(words, tempered, LABELS)
    answer = fit.Answer(words, raw, np.zeros(12, dtype=np.int64), ())
    found = fit.FoundEntities([answer], LABELS)
    assert found.names == [entity.label for entity in expected]
    assert found.scores(temperature) == pytest.approx([entity.score for entity in expected], abs=1e-4)


def test_a_word_without_a_token_stays_surely_outside():
    unread = np.asarray([[1.0, 0, 0, 0, 0]], dtype=np.float32)
    assert fit.temper(unread, 5.0).tolist() == unread.tolist()
    assert fit.temper(np.zeros((0, 5), dtype=np.float32), 5.0).shape == (0, 5)


def test_test_figures_compare_the_same_entities_with_and_without_thresholds():
    tagger = Overconfident(2.0)
    documents = tagger.documents(40)
    fitted = fit_file(tagger, documents)
    measured = measure(tagger, documents, fitted, seed=1)
    assert measured["ece"] == pytest.approx(fitted["ece"])
    assert measured["ece_words"] == pytest.approx(fitted["ece_words"])
    assert measured["all"]["value"] == pytest.approx(fitted["dev_exact"]["all"]["f1"])
    assert measured["thresholds"]["value"] == pytest.approx(fitted["dev_exact"]["thresholds"]["f1"])
    assert measured["difference"]["value"] == pytest.approx(measured["thresholds"]["value"] - measured["all"]["value"])
    assert measured["difference"]["low"] <= measured["difference"]["value"] <= measured["difference"]["high"]


@pytest.fixture
def run(onnx_repository, tmp_path):
    """A run whose export answers at random."""
    import shutil

    shutil.copytree(onnx_repository, tmp_path / "export")
    write_json(tmp_path / "export" / "run.json", {"files": hash_files(tmp_path / "export")})
    return tmp_path


def test_what_is_written_is_what_carabin_applies(run, reports):
    uses = {role: [{"corpus": "synthetic-reports", "split": role, "documents": None}] for role in ("dev", "test")}
    entries = [{**use, "role": role, "revision": "1"} for role, (use,) in uses.items()]
    plan = {"profile": {**uses, "data_seed": 1}, "corpora": entries, "seed": 1}
    read = {CorpusUse("synthetic-reports", "dev"): reports[:12], CorpusUse("synthetic-reports", "test"): reports[12:]}
    seen = []

    def watch(documents, name, total):
        seen.append(name)
        return documents

    assert calibrate(run, plan, read.__getitem__, watch)
    assert not calibrate(run, plan, read.__getitem__, watch)
    assert seen == ["onnx/model.onnx: dev", "onnx/model.onnx: synthetic-reports/test"]
    record = read_json(run / "calibration" / "calibration.json")
    assert [entry["split"] for entry in record["dev"]] == ["dev"]
    (fitted,) = record["files"].values()
    assert read_json(run / "calibration" / "test.json")["files"]["onnx/model.onnx"].keys() == {"synthetic-reports/test"}
    assert "ECE" in next(describe(run))

    (run / "export" / "run.json").unlink()
    write_json(run / "export" / "calibration.json", record)
    annotator = Annotator.load(run / "export")
    assert (annotator.temperature, annotator.thresholds) == (fitted["temperature"], fitted["thresholds"])
    weights = run / "export" / "onnx" / "model.onnx"
    calibration = read_calibration(run / "export", "onnx/model.onnx", file_digest(weights), LABEL_SETS["umls"])
    assert calibration.temperature == fitted["temperature"]
    assert json.dumps(record).find(reports[0].text[:20]) == -1
