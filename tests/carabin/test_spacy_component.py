import json
import shutil
import subprocess
import sys

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st
from spacy.tokens import Doc, DocBin

from carabin import Annotator, ModelError
from carabin.formats.base import InputError
from carabin.spacy_component import ComponentError
from tests.carabin.test_words_and_windows import TEXTS

NOTE = "Une fièvre aiguë, pas de dyspnée : paracétamol."
FOUND = [("fièvre aiguë", "DISO"), ("dyspnée", "DISO"), ("paracétamol", "CHEM")]


def pipeline(student, **config):
    nlp = spacy.blank("fr")
    nlp.add_pipe("carabin_ner", config={"model": str(student), "threads": 1, **config})
    return nlp


def surfaces(spans):
    return [(span.text, span.label_) for span in spans]


@pytest.fixture(scope="module")
def nlp(student):
    return pipeline(student)


def in_tokens(nlp, *words):
    """Return a document of these tokens, without spaces between them but where they hold one."""
    return Doc(nlp.vocab, words=list(words), spaces=[False] * len(words))


def test_a_document_has_the_entities_of_the_annotator_with_their_scores(nlp, annotator):
    doc = nlp(NOTE)
    assert surfaces(doc.ents) == FOUND
    expected = [(e.start, e.end, e.label, e.score) for e in annotator(NOTE)]
    assert [(*span._.carabin_offsets, span.label_, span._.carabin_score) for span in doc.ents] == expected
    assert doc._.carabin_model == f"{annotator.model_id}@{annotator.model_version}"
    assert doc._.carabin_unaligned == []
    assert nlp.get_pipe("carabin_ner").labels == annotator.labels
    assert {token.ent_iob_ for token in doc} == {"O", "B", "I"}


@pytest.mark.parametrize(
    ("mode", "spans", "lost"),
    [
        ("expand", ["xx fièvre,", "dyspnée"], []),
        ("contract", ["dyspnée"], ["fièvre"]),
        ("strict", ["dyspnée"], ["fièvre"]),
    ],
)
def test_a_span_inside_a_token_is_widened_or_listed_never_forgotten(student, mode, spans, lost):
    nlp = pipeline(student, alignment_mode=mode)
    doc = nlp(in_tokens(nlp, "xx fièvre,", " ", "dyspnée"))
    assert [span.text for span in doc.ents] == spans
    assert [doc.text[e["start"] : e["end"]] for e in doc._.carabin_unaligned] == lost
    if mode == "expand":
        start, end = doc.ents[0]._.carabin_offsets
        assert doc.text[start:end] == "fièvre"


def test_of_two_in_one_token_one_stays_and_the_other_is_listed(nlp):
    doc = nlp(in_tokens(nlp, "fièvre , paracétamol"))
    (span,) = doc.ents
    (other,) = doc._.carabin_unaligned
    assert {span.label_, other["label"]} == {"DISO", "CHEM"}
    assert span._.carabin_score >= other["score"]


def test_entities_that_were_there_before_stay(student):
    nlp = spacy.blank("fr")
    nlp.add_pipe("entity_ruler").add_patterns([{"label": "SIGNE", "pattern": "dyspnée"}])
    nlp.add_pipe("carabin_ner", config={"model": str(student)})
    doc = nlp(NOTE)
    assert surfaces(doc.ents) == [FOUND[0], ("dyspnée", "SIGNE"), FOUND[2]]
    assert [e["label"] for e in doc._.carabin_unaligned] == ["DISO"]


def test_a_span_group_leaves_the_entities_alone(student):
    doc = pipeline(student, spans_key="student")(NOTE)
    assert surfaces(doc.spans["student"]) == FOUND
    assert doc.ents == ()


def test_thresholds_go_by_label(student):
    assert surfaces(pipeline(student, thresholds={"DISO": 1.0})(NOTE).ents) == [FOUND[2]]
    assert pipeline(student, thresholds={"*": 1.0})(NOTE).ents == ()


@settings(deadline=None, max_examples=60)
@given(text=TEXTS, cuts=st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_whatever_the_tokens_each_entity_is_a_span_or_listed(lively_nlp, lively, text, cuts):
    words, rest = [], text
    for cut in cuts:
        words.append(rest[:cut])
        rest = rest[cut:]
    doc = lively_nlp(in_tokens(lively_nlp, *filter(None, [*words, rest])))
    assert doc.text == text
    for span in doc.ents:
        start, end = span._.carabin_offsets
        assert span.start_char <= start < end <= span.end_char
    spans = [(*span._.carabin_offsets, span.label_) for span in doc.ents]
    listed = [(e["start"], e["end"], e["label"]) for e in doc._.carabin_unaligned]
    assert sorted(spans + listed) == [(e.start, e.end, e.label) for e in lively(text)]


@pytest.fixture(scope="module")
def lively_nlp(lively_student):
    return pipeline(lively_student)


def test_a_stream_gives_what_documents_give_one_by_one(lively_nlp):
    texts = [NOTE * times for times in range(12)]
    streamed = list(lively_nlp.pipe(texts, batch_size=5))
    assert [doc.text for doc in streamed] == texts
    for text, doc in zip(texts, streamed, strict=True):
        assert [span._.carabin_offsets for span in doc.ents] == [
            span._.carabin_offsets for span in lively_nlp(text).ents
        ]


def test_one_bad_document_goes_to_the_error_handler_and_the_others_go_on(student, monkeypatch):
    nlp = pipeline(student)
    whole = Annotator.annotate

    def fail(self, documents):
        documents = list(documents)
        if any("panne" in document.text for document in documents):
            raise RuntimeError("of the engine")
        return whole(self, documents)

    monkeypatch.setattr(Annotator, "annotate", fail)
    with pytest.raises(RuntimeError, match="of the engine"):
        list(nlp.pipe(["fièvre", "panne", "dyspnée"]))
    failed = []
    nlp.set_error_handler(lambda name, component, docs, error: failed.extend(doc.text for doc in docs))
    docs = list(nlp.pipe(["fièvre", "panne", "dyspnée"]))
    assert failed == ["panne"]
    assert [surfaces(doc.ents) for doc in docs] == [[("fièvre", "DISO")], [("dyspnée", "DISO")]]


@pytest.mark.slow
def test_processes_that_are_forked_load_their_own_student(student, monkeypatch):
    # Threads do not follow a fork: a child that used its parent's, of the session or of the tokenizer, would wait for
    # ever. Where this variable is set, the tokenizer does not look after that by itself.
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    nlp = pipeline(student)
    assert surfaces([doc.ents for doc in nlp.pipe([NOTE] * 64)][0]) == FOUND
    docs = list(nlp.pipe([NOTE] * 6, n_process=2, batch_size=2))
    assert [surfaces(doc.ents) for doc in docs] == [FOUND] * 6


def test_a_saved_pipeline_carries_its_student(student, tmp_path):
    here = shutil.copytree(student, tmp_path / "student")
    pipeline(here, thresholds={"CHEM": 1.0}, spans_key="s").to_disk(tmp_path / "pipeline")
    shutil.rmtree(here)
    carried = (tmp_path / "pipeline").rename(tmp_path / "elsewhere")
    nlp = spacy.load(carried)
    doc = nlp(NOTE)
    assert surfaces(doc.spans["s"]) == FOUND[:2]
    nlp.to_disk(carried)
    doc = spacy.load(carried)(NOTE)
    assert surfaces(doc.spans["s"]) == FOUND[:2]
    shutil.rmtree(carried / "carabin_ner" / "student")
    with pytest.raises(ModelError, match="no such folder"):
        spacy.load(carried)


def test_scores_are_stored_with_the_documents(nlp):
    stored = DocBin(docs=[nlp(NOTE)], store_user_data=True).to_bytes()
    (doc,) = DocBin().from_bytes(stored).get_docs(nlp.vocab)
    assert [span._.carabin_score for span in doc.ents] == [span._.carabin_score for span in nlp(NOTE).ents]


def test_what_cannot_be_done_is_said(student, tmp_path):
    with pytest.raises(ComponentError, match="alignment_mode 'wide' is unknown"):
        pipeline(student, alignment_mode="wide")
    with pytest.raises(ModelError, match="no such folder"):
        pipeline(tmp_path / "gone")(NOTE)
    with pytest.raises(InputError, match="DOSE: not a label of this student"):
        pipeline(student, thresholds={"DOSE": 0.5})(NOTE)


def test_without_spacy_the_way_to_it_is_told():
    code = "import sys; sys.modules['spacy'] = None; import carabin.spacy_component"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert "pip install 'carabin[spacy]'" in result.stderr.splitlines()[-1]


IN_EDS_NLP = """
import json, os, sys
import edsnlp
student, pipeline, note = sys.argv[1:]
nlp = edsnlp.blank("eds")
nlp.add_pipe("eds.sentences")
nlp.add_pipe("carabin_ner", config={"model": student, "threads": 1})
nlp.add_pipe("eds.negation")
def spans(doc):
    return [(span.text, span.label_, span._.negation, span._.carabin_score > 0.9) for span in doc.ents]
streamed = [spans(doc) for doc in nlp.pipe([note, "", "fièvre"])]
nlp.to_disk(pipeline)
os.rename(student, student + " elsewhere")
print(json.dumps([spans(nlp(note)), streamed, spans(edsnlp.load(pipeline)(note))]))
"""


def test_eds_nlp_finds_the_component_and_qualifies_its_entities(student, tmp_path):
    # In a process of its own: once imported, EDS-NLP hides spaCy's own components from spaCy.
    here = shutil.copytree(student, tmp_path / "student")
    note = "Une fièvre aiguë. Pas de dyspnée."
    command = [sys.executable, "-c", IN_EDS_NLP, str(here), str(tmp_path / "pipeline"), note]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    found = [["fièvre aiguë", "DISO", False, True], ["dyspnée", "DISO", True, True]]
    assert json.loads(result.stdout) == [found, [found, [], [["fièvre", "DISO", False, True]]], found]
