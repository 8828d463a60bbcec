"""An oracle whose answers are damaged: each damage is forgiven or counted, exactly."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.training.endpoint_cases import (
    DOCUMENTS,
    GOLD,
    N_GOLD,
    OPTIONS,
    ask,
    make_teacher,
    mark,
)
from tests.training.local_endpoint import Oracle, Reply, TinyModel, serve


def test_an_oracles_answers_give_back_gold_exactly(tmp_path, monkeypatch):
    found, figures = ask(tmp_path, monkeypatch, Oracle(DOCUMENTS))
    assert found == GOLD
    assert figures["listed"] == figures["aligned"] == N_GOLD
    assert figures["requests"] == figures["answers"] == figures["passages"] == 3  # nothing is asked of an empty text
    assert figures["rates"] == {"unread_answers": 0, "unusable_entities": 0, "unaligned_entities": 0}


def test_long_documents_are_asked_in_passages_and_lose_nothing(tmp_path, monkeypatch):
    sentence = "Patient vu pour [asthme|DISO] sous [salbutamol|CHEM], puis revu le lendemain. "
    long = mark("long", "".join(sentence.replace("asthme", f"asthme{chr(97 + number % 26)}") for number in range(200)))
    found, figures = ask(tmp_path, monkeypatch, Oracle([long]), [long], replace(OPTIONS, passage_characters=500))
    assert found == [long.entities]
    assert figures["passages"] > len(long.text) / 500


def other_case(items):
    return [{**item, "surface": item["surface"].swapcase()} for item in items]


def without_accents(items):
    plain = str.maketrans({"é": "e", "É": "E", "â": "a", "è": "e", "Œ": "Oe", "\u0301": None})
    return [{**item, "surface": item["surface"].translate(plain)} for item in items]


def test_case_is_forgiven_and_counted(tmp_path, monkeypatch):
    found, figures = ask(tmp_path, monkeypatch, Oracle(DOCUMENTS, other_case))
    assert found == GOLD
    assert figures["inexact"] == N_GOLD


def test_dropped_accents_are_forgiven_and_counted(tmp_path, monkeypatch):
    found, figures = ask(tmp_path, monkeypatch, Oracle(DOCUMENTS, without_accents))
    assert found == GOLD
    assert figures["inexact"] == 7 and figures["unaligned"] == 0


@pytest.mark.parametrize(
    ("extra", "count"),
    [
        ({"surface": "mucoviscidose", "label": "DISO"}, "unaligned"),
        ({"surface": "Patiente", "label": "PERSONNE"}, "unknown_labels"),
        ({"label": "DISO"}, "malformed_items"),
    ],
)
def test_what_is_made_up_is_counted_and_harms_nothing_else(tmp_path, monkeypatch, extra, count):
    found, figures = ask(tmp_path, monkeypatch, Oracle(DOCUMENTS, lambda items: [extra, *items, extra]))
    assert found == GOLD
    assert figures[count] == 6
    assert figures["rates"]["unusable_entities"] == pytest.approx(6 / (N_GOLD + 6), abs=1e-6)


def test_entities_given_twice_are_kept_once(tmp_path, monkeypatch):
    found, figures = ask(tmp_path, monkeypatch, Oracle(DOCUMENTS, lambda items: [*items, *items]))
    assert found == GOLD
    assert figures["overlapping"] == N_GOLD


def test_markdown_fences_are_taken_off(tmp_path, monkeypatch):
    found, _ = ask(tmp_path, monkeypatch, Oracle(DOCUMENTS, wrap=lambda text: Reply(f"Voici :\n```json\n{text}\n```")))
    assert found == GOLD


@pytest.mark.parametrize(
    ("wrap", "count"),
    [
        (lambda text: Reply(text[:-3]), "malformed"),
        (lambda text: Reply(None, refusal="no"), "refused"),
        (lambda text: Reply(text[:-3], "length"), "truncated"),
    ],
)
def test_an_answer_that_cannot_be_read_teaches_nothing(tmp_path, monkeypatch, wrap, count):
    """Rows that say `outside` with certainty would teach the student to miss what the teacher never judged."""
    with serve(Oracle(DOCUMENTS, wrap=wrap)) as server:
        teacher = make_teacher(tmp_path, monkeypatch, server)
        read = teacher.word_probabilities([document.text for document in DOCUMENTS])
    assert all(not rows.any() for _, rows in read)
    figures = teacher.report()
    assert figures[count] == figures["untaught_passages"] == 3 and figures["rates"]["unread_answers"] == 1


def test_an_answer_cut_short_is_asked_again_in_halves(tmp_path, monkeypatch):
    long = mark("long", "Vu pour [asthme|DISO] et [toux|DISO]. " * 20)

    def cut_if_long(text):
        return Reply(text[:500], "length") if len(text) > 500 else Reply(text)

    found, figures = ask(tmp_path, monkeypatch, Oracle([long], wrap=cut_if_long), [long])
    assert found == [long.entities]
    assert figures["truncated"] > 0 and figures["untaught_passages"] == 0 and figures["passages"] == 1


def test_a_real_model_that_says_nothing_is_counted_and_breaks_nothing(tmp_path, monkeypatch):
    documents = [mark(str(number), "Patient vu pour toux. " * (number + 1)) for number in range(6)]
    found, figures = ask(tmp_path, monkeypatch, TinyModel(), documents, replace(OPTIONS, max_output_tokens=32))
    assert found == [()] * 6
    assert figures["answers"] == figures["requests"] == figures["malformed"] + figures["truncated"] + figures["refused"]
    assert figures["untaught_passages"] >= figures["passages"] == 6
