"""Troubles of the line, keys and the environment: what passes is waited out, what does not stops in one line."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from carabin.tokens.tagging import bio_tags
from tests.training.endpoint_cases import (
    DOCUMENTS,
    GOLD,
    KEY,
    LICENCE,
    OPTIONS,
    UMLS,
    ask,
    make_teacher,
    mark,
    spans_of,
)
from tests.training.local_endpoint import Oracle, Trouble, serve
from training.endpoint_teacher import EndpointTeacher, endpoint_key
from training.endpoint_teacher_client import read_retry_after
from training.endpoint_teacher_ledger import LEDGER, Ledger
from zoo.registry import Teacher
from zoo.registry.teachers import TokenPrices
from zoo.runs import RunError

TROUBLES = {
    "busy": Trouble(429, {"retry-after": "0"}),
    "server_errors": Trouble(503),
    "connection_errors": Trouble(drop=True),
    "timeouts": Trouble(sleep=1.5),
    "unreadable_replies": Trouble(body=b"<html>proxy</html>"),
}


@pytest.mark.parametrize("cause", TROUBLES)
def test_passing_trouble_is_waited_out_and_counted(tmp_path, monkeypatch, cause):
    options = replace(OPTIONS, timeout_seconds=1 if cause == "timeouts" else 30, concurrency=1)
    found, figures = ask(tmp_path, monkeypatch, Oracle(DOCUMENTS), options=options, troubles=[TROUBLES[cause]] * 2)
    assert found == GOLD
    assert figures[cause] == figures["retries"] == figures["failed_requests"] >= 2
    assert figures["requests"] == 3 + figures["retries"] and figures["answers"] == 3
    assert figures["retries"] == 2 or cause == "timeouts"  # a busy machine may add some of its own


def test_retry_after_is_honoured_within_bounds(tmp_path, monkeypatch):
    troubles = [Trouble(429, {"retry-after": "1"}), Trouble(429, {"retry-after": "3600"})]
    options = replace(OPTIONS, longest_wait_seconds=1.2, concurrency=1)
    with serve(Oracle(DOCUMENTS), troubles=troubles) as server:
        spans_of(make_teacher(tmp_path, monkeypatch, server, options), DOCUMENTS[:1])
        gaps = np.diff(server.arrivals)
    assert 1.0 <= gaps[0] and 1.2 <= gaps[1] < 60


def test_retry_after_is_a_number_or_a_date():
    now = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)
    assert read_retry_after("7", now) == 7
    assert read_retry_after("Tue, 24 Nov 2026 12:00:30 GMT", now) == 30
    assert read_retry_after("Tue, 24 Nov 2020 12:00:30 GMT", now) == 0
    assert read_retry_after("soon", now) is read_retry_after(None, now) is None


def test_trouble_that_does_not_pass_stops_in_one_line(tmp_path, monkeypatch):
    options = replace(OPTIONS, attempts=3, concurrency=1)
    with serve(Oracle(DOCUMENTS), troubles=[Trouble(503)] * 50) as server:
        teacher = make_teacher(tmp_path, monkeypatch, server, options)
        with pytest.raises(
            RunError, match=r"3 attempts failed, the last by HTTP 503; .*run the same command"
        ) as stopped:
            spans_of(teacher, DOCUMENTS)
        assert len(server.arrivals) == 3
    assert "\n" not in str(stopped.value)
    with pytest.raises(RunError, match=r"broken connection \(ConnectError\)"):  # the server is gone
        spans_of(make_teacher(tmp_path, monkeypatch, server, options), DOCUMENTS)


@pytest.mark.parametrize(
    ("status", "way_out"), [(400, "response_format"), (401, "a valid key"), (404, "check the address")]
)
def test_a_refusal_for_good_is_not_asked_again_and_names_the_way_out(tmp_path, monkeypatch, status, way_out):
    body = b'{"error": {"message": "Patiente secret"}}'
    with serve(Oracle(DOCUMENTS), troubles=[Trouble(status, body=body)] * 9) as server:
        teacher = make_teacher(tmp_path, monkeypatch, server, replace(OPTIONS, concurrency=1))
        with pytest.raises(RunError, match=way_out) as stopped:
            spans_of(teacher, DOCUMENTS)
        assert len(server.arrivals) == 1
    message = str(stopped.value)
    assert f"HTTP {status}" in message and "$TEST_URL" in message and "\n" not in message
    assert server.url not in message and "Patiente" not in message and KEY not in message


def test_requests_in_flight_are_bounded(tmp_path, monkeypatch):
    documents = [mark(str(number), f"Vu pour [toux|DISO] numéro {number}.") for number in range(12)]

    def slow(passage, max_tokens):
        time.sleep(0.05)
        return Oracle(documents)(passage, max_tokens)

    with serve(slow) as server:
        spans_of(make_teacher(tmp_path, monkeypatch, server, replace(OPTIONS, concurrency=3)), documents)
        assert 1 < server.busiest <= 3


def test_without_a_key_variable_the_users_hub_token_is_not_sent(tmp_path, monkeypatch):
    """huggingface_hub sends the Hub token to any address when it is given no key."""
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    with serve(Oracle(DOCUMENTS)) as server:
        spans_of(make_teacher(tmp_path, monkeypatch, server), DOCUMENTS)
        assert set(server.authorizations) == {"Bearer none"}
        assert {body["model"] for body in server.bodies} == {"essai-8b"}
        assert {body["temperature"] for body in server.bodies} == {0.0}


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, r"\$TEST_URL is not set"),
        ({"TEST_URL": "org/model", "TEST_KEY": KEY}, "no http:// or https:// address"),
        ({"TEST_URL": "http://127.0.0.1:9/v1"}, r"\$TEST_KEY is not set"),
        ({"TEST_URL": "http://127.0.0.1:9/v1", "TEST_KEY": "clé"}, "no key a header can carry"),
    ],
)
def test_a_bad_environment_is_told_before_anything_is_asked(tmp_path, monkeypatch, environment, message):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    options = replace(OPTIONS, api_key_variable="TEST_KEY")
    with pytest.raises(RunError, match=message):
        EndpointTeacher(Teacher("essai", "endpoint", "", LICENCE, endpoint=options), "umls", Ledger(tmp_path / LEDGER))


def test_cost_and_energy_follow_the_declared_rates(tmp_path, monkeypatch):
    prices = TokenPrices(2.0, 6.0, "EUR", "price list of a test")
    options = replace(
        OPTIONS,
        price_per_million_tokens=prices,
        watt_hours_per_1000_tokens=0.5,
        watt_hours_source="a test",
        concurrency=1,
    )
    _, figures = ask(tmp_path, monkeypatch, Oracle(DOCUMENTS), options=options)
    assert figures["prompt_tokens"] == 300 and figures["completion_tokens"] == 30
    assert figures["cost"]["amount"] == pytest.approx((300 * 2 + 30 * 6) / 1e6)
    assert figures["energy"]["kwh"] == pytest.approx(0.330 * 0.5 / 1000)


def test_unknown_cost_and_energy_are_said_to_be_unknown(tmp_path, monkeypatch):
    _, figures = ask(tmp_path, monkeypatch, Oracle(DOCUMENTS), usage=False)
    assert figures["cost"]["amount"] is figures["energy"]["kwh"] is None
    assert "declares no" in figures["energy"]["source"] and figures["unmetered_answers"] == 3


def test_confidence_smooths_the_labels(tmp_path, monkeypatch):
    with serve(Oracle(DOCUMENTS)) as server:
        teacher = make_teacher(tmp_path, monkeypatch, server, replace(OPTIONS, confidence=0.9))
        ((_, rows),) = teacher.word_probabilities([DOCUMENTS[0].text])
    assert np.allclose(rows.sum(axis=1), 1) and np.allclose(rows.max(axis=1), 0.9) and teacher.tags == bio_tags(UMLS)


def test_another_model_prompt_or_option_is_another_key_and_another_address_is_not(monkeypatch):
    def key(**options):
        return endpoint_key(Teacher("essai", "endpoint", "", LICENCE, endpoint=replace(OPTIONS, **options)), "umls")

    changed = [{"model": "autre"}, {"temperature": 0.5}, {"snapshot": "2026-11"}, {"confidence": 0.9}, {"seed": 3}]
    assert all(key(**options) != key() for options in changed)
    same = [{"base_url_variable": "OTHER"}, {"concurrency": 9}, {"timeout_seconds": 1.0}]
    assert all(key(**options) == key() for options in same)
    before = key()
    monkeypatch.setattr("training.endpoint_teacher_prompt._read_prompt", lambda: PROMPT_OF_ANOTHER_DAY)
    assert key() != before


PROMPT_OF_ANOTHER_DAY = {
    "instruction": "Relève.",
    "umls": {"labels": dict.fromkeys(UMLS, "…"), "example": {"text": "toux", "entities": [["toux", "DISO"]]}},
}
