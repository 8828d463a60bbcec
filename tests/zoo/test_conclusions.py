"""Bodies and conclusions: a body that keeps its conclusion teaches to copy, and every figure would look excellent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from carabin.documents import Document, read_jsonl
from zoo.conclusions import LARGEST_RATIO, SHORTEST_BODY, SHORTEST_CONCLUSION, split_conclusion
from zoo.synthesis import generate_reports
from zoo.synthesis.knowledge import SPLITS

HISTORY = (
    "Homme de 71 ans adressé pour une dyspnée d'effort croissante depuis trois semaines, avec prise de poids de 5 kg. "
    "À l'examen, crépitants des deux bases et œdèmes des chevilles. La conclusion du scanner de ville écartait une "
    "embolie. NT-proBNP à 4200 ng/L, créatinine à 112 µmol/L. Déplétion par furosémide, perte de 4 kg en trois jours."
)
SAYS = "Décompensation cardiaque sur écart de régime, bonne réponse aux diurétiques."


def split(text: str):
    return split_conclusion(Document("1", text))


@pytest.mark.parametrize(
    ("heading", "after"),
    [
        ("CONCLUSION\n", ""),
        ("Conclusion :\n", "\n\nTraitement de sortie :\n- furosémide 40 mg"),
        ("Conclusion : ", "\nModalités de sortie : retour à domicile."),
        ("AU TOTAL :\n", "\n\nDEVENIR ET SUIVI\nConsultation à un mois."),
        ("Au total : ", "\n\nDr Untel"),
        ("SYNTHESE\n", "\n\nBien confraternellement,\nDr Untel"),
        ("Synthe\u0300se médicale du séjour\n------------\n", "\n\nSuivi\n-----\nConsultation à un mois."),
        ("EN RESUME: ", "\n\nTRAITEMENT: furosémide"),
        ("En re\u0301sumé :\n", ""),
        ("En résumé -- \n", ""),
        ("7. Conclusions\n", "\n\n8. Traitement de sortie\nfurosémide"),
        ("** EN CONCLUSION **\n\n", "\n\n** SUIVI **\nUn mois."),
        ("--- Synthèse ---\n", "\n\n--- Prescription de sortie ---\nfurosémide"),
    ],
)
def test_heading_and_conclusion_leave_the_body(heading: str, after: str) -> None:
    """A heading that stays in the body tells where to write, and what was cut."""
    body = split(f"{HISTORY}\n\n{heading}{SAYS}{after}")
    assert body is not None
    assert body.conclusion == SAYS
    assert body.text == HISTORY + after


@pytest.mark.parametrize("opening", ["En conclusion", "Au total", "En synthèse", "EN RÉSUMÉ"])
def test_a_sentence_that_concludes_keeps_its_first_words(opening: str) -> None:
    says = f"{opening}, décompensation cardiaque sur écart de régime, d'évolution favorable."
    body = split(f"{HISTORY}\n\n{says}\n\nDr Untel")
    assert body == (f"{HISTORY}\n\nDr Untel", says)


@pytest.mark.parametrize(
    "text",
    [
        HISTORY,
        f"{HISTORY}\nLa conclusion : {SAYS}",
        f"{HISTORY}\nOn en tire les conclusions suivantes : {SAYS}",
        f"{HISTORY} Les résultats de la synthèse : {SAYS}",
        f"{HISTORY}\n\nAu total, 113 patients ont participé à l'étude, dont la moitié de femmes.",
        f"{HISTORY} Au total, les patients ont été suivis pendant deux ans dans le même service.",
        f"{HISTORY}\nRÉSULTATS ET CONCLUSION: {SAYS}",
        f"{HISTORY}\n\nConclusions du scanner : {SAYS}",
    ],
)
def test_words_in_the_middle_of_a_sentence_are_no_heading(text: str) -> None:
    """What follows would be half a sentence, and its first half would stay in the body."""
    assert split(text) is None


def test_two_conclusions_give_none() -> None:
    """Whichever is cut, the other one stays in the body."""
    scan = "Scanner thoracique.\nConclusion : absence d'embolie pulmonaire, épanchement pleural bilatéral minime."
    assert split(f"{HISTORY}\n{scan}\n\nCONCLUSION\n{SAYS}") is None
    assert split(f"En résumé, le patient va mieux depuis hier.\n\n{HISTORY}\n\nCONCLUSION\n{SAYS}") is None
    assert split(f"{SAYS}\n\n{HISTORY}\n\nCONCLUSION\n{SAYS}") is None


def test_a_concluding_sentence_under_its_heading_is_one_conclusion() -> None:
    body = split(f"{HISTORY}\n\nCONCLUSION :\nAu total, {SAYS.lower()}\n\nSuivi :\nUn mois.")
    assert body == (f"{HISTORY}\n\nSuivi :\nUn mois.", f"Au total, {SAYS.lower()}")


def test_lengths_are_guarded() -> None:
    assert split(f"{HISTORY}\n\nCONCLUSION\nBonne évolution.") is None
    assert split(f"{HISTORY[:200]}\n\nCONCLUSION\n{SAYS}") is None
    assert split(f"{HISTORY}\n\nCONCLUSION\n{SAYS * 4}") is None


@pytest.mark.parametrize(
    ("heading", "after"),
    [
        (" CONCLUSION: ", ""),
        (" Conclusion : ", " Mots-clés : cœur, sel."),
        (" Conclusions ", ""),
        ("Conclusion ", ""),
        (" INTERPRÉTATION ET CONCLUSION. CONCLUSIONS: ", " ENREGISTREMENT DE L’éTUDE : NCT000."),
    ],
)
def test_abstracts_run_on(heading: str, after: str) -> None:
    """Structured abstracts head their parts inside one paragraph; what follows the conclusion is not part of it."""
    body = split(f"OBJECTIF: {HISTORY}{heading}{SAYS}{after}")
    assert body is not None and body.conclusion == SAYS
    assert body.text.endswith(after or heading.rpartition(".")[0] or HISTORY[-20:])


@pytest.mark.parametrize("name", SPLITS)
def test_synthetic_reports_are_cut_at_their_gold(name: str) -> None:
    """In every heading style: nothing of the heading stays, nothing else goes."""
    cut = 0
    for record in generate_reports(name, 300, 5):
        document = Document.from_dict(record, "here")
        body = split_conclusion(document)
        if record["conclusion"] is None:
            assert body is None
            continue
        assert body is not None
        start, end = record["conclusion"]["start"], record["conclusion"]["end"]
        assert body.conclusion == document.text[start:end]
        assert body.conclusion not in body.text
        kept = len(body.text) - len(document.text[end:])
        assert document.text[end:] and body.text == document.text[:kept] + document.text[end:]
        heading = document.text[kept:start]
        assert heading.startswith("\n\n") and len(heading.split()) <= 8, heading
        cut += 1
    assert cut > 200


@pytest.mark.skipif("CARABIN_DATA" not in os.environ, reason="set CARABIN_DATA")
@pytest.mark.parametrize("name", ["train", "dev", "test"])
def test_morfitt_gives_conclusions(name: str) -> None:
    """The abstracts that qualify are few and sound."""
    path = Path(os.environ["CARABIN_DATA"]) / "morfitt" / f"{name}.jsonl"
    bodies = [body for document in read_jsonl(path) if (body := split_conclusion(document))]
    assert len(bodies) >= 40
    for body in bodies:
        assert len(body.conclusion) >= SHORTEST_CONCLUSION
        assert max(SHORTEST_BODY, len(body.conclusion) / LARGEST_RATIO) <= len(body.text)
