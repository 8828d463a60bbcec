"""A fictitious report's conclusion says what its body says: else it would teach to invent."""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest

from carabin.documents import Document
from carabin.generation.faithfulness import find_claims, unsupported
from zoo.conclusions import split_conclusion
from zoo.drug_names import list_drugs
from zoo.synthesis import generate_reports
from zoo.synthesis.knowledge import HERE, SPLITS, KnowledgeError, load_scenarios

COUNT = 150
LEAST = 0.95


@pytest.mark.parametrize("split", SPLITS)
def test_conclusions_say_what_their_bodies_say(split: str) -> None:
    """A dose or a negation of the conclusion alone is one that a student learns to make up; a copy teaches nothing."""
    drugs = list_drugs()
    found, claims, copies = defaultdict(list), Counter(), 0
    for report in generate_reports(split, COUNT, 17):
        attributes = {"conclusion": report["conclusion"]}
        body = split_conclusion(Document(report["id"], report["text"], (), attributes))
        if body is None:
            continue
        invented = [claim.surface for claim in unsupported(body.conclusion, body.text, drugs)]
        found[report["kind"]].append((report["scenario"], invented))
        claims.update(claim.kind for claim in find_claims(body.conclusion, drugs))
        copies += body.conclusion.strip() in body.text
    assert set(found) == {"CRH", "consultation", "lettre de liaison"}
    for kind, reports in found.items():
        faults = [(scenario, invented) for scenario, invented in reports if invented]
        assert len(faults) <= (1 - LEAST) * len(reports), (kind, faults)
    assert not copies
    # A conclusion that claims nothing would be supported too.
    assert all(claims[kind] >= COUNT / 10 for kind in ("number", "dose", "drug", "negation")), claims


def test_no_sentence_of_the_conclusion_is_one_of_the_body() -> None:
    """The ground of a summary, copied, would make the conclusion an extract."""
    for report in generate_reports("transfer", 200, 18):
        if report["conclusion"] is None:
            continue
        start, end = report["conclusion"]["start"], report["conclusion"]["end"]
        rest = report["text"][:start] + report["text"][end:]
        sentences = [sentence for sentence in report["text"][start:end].split(". ") if len(sentence) > 50]
        assert not [sentence for sentence in sentences if sentence in rest], report["id"]


def test_a_summary_rests_on_one_sentence_at_most(tmp_path) -> None:
    """A third string would be dropped without a word."""
    text = (HERE / "scenarios" / "geriatrie.toml").read_text(encoding="utf-8")
    (tmp_path / "geriatrie.toml").write_text(text.replace("summary = [[", 'summary = [["a", "b", "c"], [', 1), "utf-8")
    with pytest.raises(KnowledgeError, match=r"geriatrie.toml: scenario .*sentence of the body"):
        load_scenarios(tmp_path)
