"""Terminologies: offsets that stay exact, names that are names, and a gate that no list goes round."""

from __future__ import annotations

import shutil
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carabin.documents import Document
from carabin.tokens.words import find_words
from zoo.corpora import CorpusError
from zoo.licences import find_objection, judge_recipe
from zoo.registry import REPOSITORY, DeclarationError, Registry
from zoo.registry.reading import build
from zoo.registry.recipes import CorpusUse
from zoo.registry.students import Profile
from zoo.registry.terminologies import Terminology, TransferChoice
from zoo.terminologies import Names, choose_documents, fold_word, read_names
from zoo.terminologies.names import FORMS


def find_words_and_names(text, names):
    words = find_words(text)
    return words, list(names.find(text, words))


def surfaces(text, names):
    words, found = find_words_and_names(text, names)
    return [text[words[match.first, 0] : words[match.last - 1, 1]] for match in found]


WORD = st.sampled_from(["acide", "FOLIQUE", "Œdème", "e\u0301tat", "zinc", "10", "B", "12", "l'", "-", "İstanbul", "ß"])
TEXT = st.lists(st.tuples(WORD, st.sampled_from([" ", "\n", "  ", "", ", "])), max_size=20).map(
    lambda parts: "".join(word + gap for word, gap in parts)
)


@given(text=TEXT, names=st.lists(TEXT, max_size=5), plurals=st.booleans())
def test_a_match_is_a_name_at_its_exact_place_and_matches_never_overlap(text, names, plurals):
    """Offsets computed in a folded copy drift: 'œ' becomes two letters, a combining accent none, 'ß' two."""
    known = Names.of(names, least_letters=1, plurals=plurals)
    words, found = find_words_and_names(text, known)
    previous = 0
    for match in found:
        assert previous <= match.first < match.last <= len(words)
        previous = match.last
        surface = text[words[match.first, 0] : words[match.last - 1, 1]]
        folded = tuple(fold_word(surface[start:end], plurals) for start, end in find_words(surface))
        assert folded == match.name and match.name in known.known


@given(text=TEXT)
def test_a_text_finds_itself_whatever_its_case_and_accents(text):
    """A name folded in one way and a text in another would find half of the names, and nobody would notice."""
    known = Names.of([text], least_letters=1)
    for name in known.known:
        for spelled in (text, unicodedata.normalize("NFD", text), unicodedata.normalize("NFC", text)):
            assert any(match.name == name for match in find_words_and_names(spelled, known)[1])


def test_the_longest_name_is_taken_and_only_whole_words():
    names = Names.of(["acide", "acide folique", "DT", "vitamine B12", "zinc"], least_letters=2)
    assert surfaces("L'Acide\nfolique, l'acide, zincs, DT2 et Vitamine B 12", names) == [
        "Acide\nfolique", "acide", "Vitamine B 12",
    ]  # fmt: skip
    assert surfaces("acide fol", names) == ["acide"], "a name cut off by the text's end is another name"
    assert surfaces("Vitamine B12b, avitamine B12", names) == []
    assert surfaces("ZINCS", Names.of(["zinc"], plurals=True)) == ["ZINCS"]


def test_common_words_are_no_names():
    """'or', 'air', 'eau' are substances of the list: as silver labels they would teach that conjunctions are drugs."""
    names = Names.of(["OR", "AIR", "EAU", "FER", "12", "A 313", "début de", "déclenché par", "zinc"])
    assert surfaces("Or, l'air, l'eau, le fer, 12, A 313, début de zinc déclenché par", names) == ["zinc"]
    assert surfaces("toux, toux sèche", Names.of(["toux", "toux sèche"], least_words=2)) == ["toux sèche"]


@pytest.mark.parametrize(
    ("form", "line", "expected"),
    [
        ("substances", "ABACAVIR (SULFATE D')", ["SULFATE D' ABACAVIR", "ABACAVIR"]),
        ("substances", "ABCIXIMAB (C7E3B FAB)", ["ABCIXIMAB"]),
        ("substances", "ABIES NIGRA POUR PRÉPARATIONS HOMÉOPATHIQUES", []),
        ("substances", "SENNA POUR PREPARATIONS HOMEOPATHIQUES", []),
        ("products", "ABILIFY MAINTENA 300 mg, poudre et solvant", ["ABILIFY MAINTENA"]),
        ("products", "FANSIDAR, comprimé quadrisécable", ["FANSIDAR"]),
        ("phenotypes", '{"label_fr": "Toux", "syn_fr": ["a|b", null]}', ["Toux", "a", "b", ""]),
        ("phenotypes", '{"label_fr": null}', [""]),
    ],
)
def test_what_a_line_names(form, line, expected, tmp_path):
    assert list(FORMS[form](line, tmp_path)) == expected


@pytest.mark.parametrize("line", ["no json", '{"label": "x"}', "[]", '{"label_fr": 3}'])
def test_a_line_of_another_form_is_an_error(line, tmp_path):
    """A list read in the wrong form would name nothing, and teach nothing, silently."""
    with pytest.raises(CorpusError, match="pinned version"):
        list(FORMS["phenotypes"](line, tmp_path))


def test_documents_are_chosen_for_what_is_new_and_read_no_further():
    names = [Names.of(["zinc", "iode", "cuivre", "nickel"])]
    read = []

    def stream():
        for number, text in enumerate(["zinc iode", "zinc, iode", "Cuivre zinc", "nickel cuivre", "zinc"]):
            read.append(number)
            yield Document(str(number), text)

    assert [document.id for document in choose_documents(stream(), names, 1, 2)] == ["0", "2"]
    assert read == [0, 1, 2], "a corpus of gigabytes must not be read to its end for two documents"
    assert [document.id for document in choose_documents(stream(), names, 2, None)] == ["0", "3"]
    assert [document.id for document in choose_documents(stream(), names, 3, None)] == []


@pytest.fixture
def recipe(tmp_path):
    for folder in ("models", "datasets_cards"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    registry = Registry(tmp_path)
    return registry, *registry.profile("bert-small", "quaero-x4-names")


def objection(recipe, **changes):
    registry, student, profile = recipe
    profile = replace(profile, **changes)
    return find_objection(judge_recipe(registry, student, profile), profile)


def test_a_terminology_is_judged_like_a_teacher(recipe):
    """A list of names under terms nobody accepted must not teach because it is no text and no model."""
    both = {"terminologies": ("bdpm", "hpo")}
    assert objection(recipe, accept=("share-alike", "attribution-bound"), **both) is None
    refused = objection(recipe, accept=("share-alike",), **both)
    assert refused.level == "attribution-bound" and "terminology 'hpo', corpus 'lexicon-hpo'" in refused.subject
    assert objection(recipe, accept=("share-alike",), terminologies=("bdpm",)) is None
    unknown = objection(recipe, terminologies=("umls",))
    assert unknown.level == "refused" and "unknown terminology 'umls'" in unknown.why


def test_what_only_chooses_is_judged_too(recipe):
    choice = TransferChoice(("bdpm-leaflets",), ("hpo",))
    assert objection(recipe, accept=("share-alike",), terminologies=(), choice=choice).level == "attribution-bound"


def test_a_list_without_a_clause_or_without_the_use_is_refused(recipe):
    """A list without evidence, or a corpus that was never meant as a list, is how the gate would be gone round."""
    registry, *_ = recipe
    card = registry.root / "datasets_cards/lexicon-bdpm.md"
    whole = card.read_text(encoding="utf-8")
    card.write_text(whole.replace("    - lexicon\n", "    - transfer\n"), encoding="utf-8")
    assert "does not list 'lexicon'" in objection(recipe).why
    start, end = whole.index("    clause: "), whole.index("    read_at: ")
    card.write_text(whole[:start] + "    clause: ''\n" + whole[end:], encoding="utf-8")
    assert "no clause is quoted" in objection(recipe).why


def test_every_terminology_is_whole():
    """A terminology whose card or label does not exist would fail in the middle of a training."""
    registry = Registry()
    assert {"bdpm", "hpo"} <= set(registry.terminology_ids())
    for terminology in map(registry.terminology, registry.terminology_ids()):
        for part in terminology.lists:
            corpus = registry.corpus(part.corpus)
            assert "lexicon" in corpus.uses and corpus.splits[part.split] and corpus.sha256[part.split]
            assert part.form in FORMS and part.use == CorpusUse(part.corpus, part.split)


@pytest.mark.parametrize("change", [{"confidence": 1.0}, {"confidence": 0.4}, {"lists": []}, {"colour": "red"}])
def test_a_terminology_at_fault_is_said(change, tmp_path):
    whole = {"id": "x", "summary": "s", "label": "CHEM", "confidence": 0.9}
    whole["lists"] = [{"corpus": "lexicon-bdpm", "split": "substances", "form": "substances"}]
    assert build(Terminology, whole, tmp_path).label == "CHEM"
    with pytest.raises(DeclarationError):
        build(Terminology, whole | change, tmp_path)


def test_a_profile_at_fault_is_said(recipe):
    _, _, profile = recipe
    with pytest.raises(ValueError, match="soft_weight"):
        replace(profile, distillation=replace(profile.distillation, soft_weight=0.0))
    with pytest.raises(ValueError, match="transfer does not read: cas"):
        replace(profile, choice=TransferChoice(("cas",), ("bdpm",)))
    assert isinstance(profile, Profile)


def test_a_changed_list_is_not_read(recipe, tmp_path, monkeypatch):
    """The sha256 on the card is what the key of the silver labels stands on."""
    registry, *_ = recipe
    folder = tmp_path / "data" / "lexicons"
    folder.mkdir(parents=True)
    (folder / "bdpm_substances.txt").write_text("ZINC\n", encoding="utf-8")
    monkeypatch.setenv("CARABIN_DATA", str(folder.parent))
    with pytest.raises(CorpusError, match="sha256"):
        read_names(registry, registry.terminology("bdpm"))
