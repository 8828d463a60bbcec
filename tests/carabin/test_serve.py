"""The service's answers, in process: what a client may send, what it gets, and what is never told."""

import json
import logging
import re

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from carabin import Annotator
from carabin.annotate import InputError
from carabin.serve import ServeSettings, create_app
from carabin.serving.forms import AnnotatedDocument, ProblemDetails
from carabin.serving.positions import UNITS, positions_in
from tests.carabin.test_words_and_windows import TEXTS

TEXT = "😀 Une fièvre aiguë,\r\npas de dyspnée : paracétamol."
TOKEN = "0123456789-abcdefghij"
SECRET = "Dupont"


def open_client(annotator, **options):
    return TestClient(create_app(annotator, ServeSettings(**options)), base_url="http://localhost:8000")


@pytest.fixture(scope="module")
def client(annotator):
    with open_client(annotator) as client:
        yield client


@pytest.fixture(scope="module")
def lively_client(lively):
    with open_client(lively) as client:
        yield client


def problem(response, status, code):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found = ProblemDetails.model_validate(response.json())
    assert (found.status, found.code) == (status, code)
    assert SECRET not in response.text
    return found


def test_a_document_comes_back_in_the_same_form_with_its_entities(client, annotator):
    answer = client.post("/annotate", json={"id": 7, "text": TEXT, "service": "cardiologie"})
    assert answer.status_code == 200
    record = answer.json()
    AnnotatedDocument.model_validate(record)
    assert {key: record[key] for key in ("id", "text", "service")} == {
        "id": "7",
        "text": TEXT,
        "service": "cardiologie",
    }
    assert record["model"] == f"{annotator.model_id}@{annotator.model_version}"
    assert record["entities"] == [entity.to_dict(TEXT) for entity in annotator(TEXT)] != []
    assert "offsets" not in record


def test_a_list_is_answered_by_a_list_in_order(client):
    texts = ["fièvre", "", "dyspnée", "rien"]
    answer = client.post("/annotate", json=[{"text": text} for text in texts]).json()
    assert [(d["id"], d["text"]) for d in answer] == [(str(n + 1), text) for n, text in enumerate(texts)]
    assert [[e["text"] for e in d["entities"]] for d in answer] == [["fièvre"], [], ["dyspnée"], []]


def test_entities_of_the_request_are_replaced_and_its_model_is_not_believed(client):
    given = {
        "text": "fièvre",
        "entities": [{"start": 90, "end": 99, "label": "X"}],
        "model": "mine",
        "offsets": "bytes",
    }
    record = client.post("/annotate", json=given).json()
    assert [e["label"] for e in record["entities"]] == ["DISO"]
    assert record["model"] != "mine"
    assert "offsets" not in record


@settings(deadline=None, max_examples=30)
@given(text=TEXTS, unit=st.sampled_from(UNITS))
def test_offsets_cut_the_span_out_of_the_text_as_the_client_counts_it(lively_client, text, unit):
    if "\0" in text:
        return
    record = lively_client.post("/annotate", params={"offsets": unit}, json={"text": text}).json()
    assert record["text"] == text
    assert record.get("offsets", "codepoints") == unit
    codec, width = {"codepoints": ("utf-32-le", 4), "utf16": ("utf-16-le", 2), "bytes": ("utf-8", 1)}[unit]
    coded = text.encode(codec)
    for entity in record["entities"]:
        assert coded[entity["start"] * width : entity["end"] * width].decode(codec) == entity["text"] != ""


@given(text=TEXTS, data=st.data())
def test_positions_are_converted_in_any_order(text, data):
    places = data.draw(st.lists(st.integers(0, len(text))))
    assert positions_in(text, places, "utf16") == {at: len(text[:at].encode("utf-16-le")) // 2 for at in places}
    assert positions_in(text, places, "bytes") == {at: len(text[:at].encode()) for at in places}


def test_an_answer_does_not_depend_on_its_neighbours(lively, lively_student):
    # An engine like dynamic INT8: its logits depend on all that is in the batch.
    def engine(ids, mask):
        return lively.engine(ids, mask) * (1 + ids.mean() / 100)

    annotator = Annotator(lively.reader, lively.tags, engine, "tiny")
    texts = ["fièvre aiguë", "paracétamol 500 mg " * 30, "x", TEXT]
    with open_client(annotator) as client:
        alone = [client.post("/annotate", json={"id": n, "text": text}).json() for n, text in enumerate(texts)]
        together = client.post("/annotate", json=[{"id": n, "text": text} for n, text in enumerate(texts)]).json()
    assert together == alone
    assert [d["entities"] for d in alone] == [[e.to_dict(t) for e in annotator(t)] for t in texts]


BAD_BODIES = [
    (b"", 400, "not-json"),
    (b"Dupont", 400, "not-json"),
    (b'{"text": "Dupont\xff"}', 400, "not-json"),
    ('{"text": "Dupont"}'.encode("utf-16"), 400, "not-json"),
    (b'{"text": "Dupont", "weight": NaN}', 400, "not-json"),
    (b'{"text": "Dupont", "weight": 1e999}', 400, "not-json"),
    (b"[" * 100_000, 400, "not-json"),
    (b'{"text": "Dupont", "n": ' + b"9" * 5_000 + b"}", 400, "not-json"),
    (b'"Dupont"', 422, "bad-document"),
    (b"null", 422, "bad-document"),
    (b"[]", 422, "no-document"),
    (b'{"title": "Dupont"}', 422, "bad-document"),
    (b'{"text": ["Dupont"]}', 422, "bad-document"),
    (b'{"id": {"Dupont": 1}, "text": ""}', 422, "bad-document"),
    (rb'{"text": "Dupont\ud800"}', 422, "bad-document"),
    (rb'{"text": "Dupont\u0000"}', 422, "bad-document"),
    (rb'{"text": "", "name": "Dupont\udfff"}', 422, "bad-document"),
    (b'{"text": "' + b"Dupont " * 750_000 + b'"}', 413, "body-too-large"),
    (b'{"text": "' + b"Dupont " * 150_000 + b'"}', 413, "text-too-long"),
    (b"[" + b'{"text": "Dupont"},' * 256 + b'{"text": ""}]', 413, "too-many-documents"),
]


@pytest.mark.parametrize(("body", "status", "code"), BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_what_cannot_be_read_is_a_clean_refusal_that_quotes_nothing(client, body, status, code, caplog):
    with caplog.at_level(logging.DEBUG):
        problem(client.post("/annotate", content=body, headers={"Content-Type": "application/json"}), status, code)
    assert SECRET not in caplog.text
    assert client.post("/annotate", json={"text": "fièvre"}).status_code == 200


def test_one_bad_document_refuses_the_list_and_is_named(client):
    found = problem(client.post("/annotate", json=[{"text": "a"}, {"text": 3}, {"text": "\0"}]), 422, "bad-document")
    assert [entry["index"] for entry in found.documents] == [1, 2]
    assert "2 of 3 documents" in found.detail


def test_a_body_that_hides_its_length_is_measured_as_it_comes(annotator):
    def chunks():
        for _ in range(20):
            yield b" " * 100

    with open_client(annotator, max_body_bytes=1_000) as client:
        answer = client.post("/annotate", content=chunks(), headers={"Content-Type": "application/json"})
        problem(answer, 413, "body-too-large")


@pytest.mark.parametrize(
    "query", ["offset=utf16", "offsets=Dupont", "threshold=Dupont=0.5", "threshold=2", "threshold=nan", "threshold=",
              "threshold=Dupont", "Dupont=1", "threshold=calibrated"],
)  # fmt: skip
def test_options_that_cannot_be_meant_are_refused(client, query):
    # A misspelt option that is ignored would give offsets in the wrong unit, or entities that were not wanted.
    problem(client.post(f"/annotate?{query}", json={"text": "fièvre"}), 422, "bad-option")


@pytest.mark.parametrize("name", ["threshold", "thresholds"])
def test_a_threshold_in_a_body_is_refused_with_the_place_for_it(client, name):
    """Given back as a field like others, with 200, it would seem to have been heeded."""
    for body in ({"text": SECRET, name: 0.9}, [{"text": "a"}, {"text": "b", name: None}]):
        found = problem(client.post("/annotate", json=body), 422, "bad-option")
        assert "/annotate?threshold=0.5" in found.detail


def test_thresholds_of_a_request_stand_before_those_of_the_service(lively):
    scores = {e.label: e.score for e in lively(TEXT)}
    assert len(scores) > 1
    label = max(scores, key=scores.get)
    with open_client(lively, thresholds={"*": 1.0}) as client:
        assert client.post("/annotate", json={"text": TEXT}).json()["entities"] == []
        kept = client.post(f"/annotate?threshold=1&threshold={label}=0", json={"text": TEXT}).json()["entities"]
        assert {e["label"] for e in kept} == {label}
        assert len(client.post("/annotate?threshold=0", json={"text": TEXT}).json()["entities"]) == len(lively(TEXT))


def test_fitted_thresholds_hold_where_they_are_asked_for(lively):
    fitted = Annotator(lively.reader, lively.tags, lively.engine, thresholds={"DISO": 1.0})
    with open_client(fitted) as client:
        labels = [e["label"] for e in client.post("/annotate", json={"text": TEXT}).json()["entities"]]
        assert "DISO" in labels
        kept = client.post("/annotate?threshold=calibrated", json={"text": TEXT}).json()["entities"]
        assert [e["label"] for e in kept] == [label for label in labels if label != "DISO"]
    with open_client(fitted, calibrated=True) as client:
        assert client.post("/annotate", json={"text": TEXT}).json()["entities"] == kept
    with pytest.raises(InputError, match="calibrated"):
        create_app(lively, ServeSettings(calibrated=True))
    with pytest.raises(InputError, match="not a label"):
        create_app(lively, ServeSettings(thresholds={"DISEASE": 0.5}))


def test_another_site_cannot_ask_through_a_browser(client):
    # text/plain goes from any page to this machine unasked; a name that was pointed here (DNS rebinding) is another.
    plain = {"Content-Type": "text/plain"}
    problem(client.post("/annotate", content=b'{"text": "a"}', headers=plain), 415, "not-json")
    assert client.post("/annotate", json={"text": "a"}, headers={"Host": "evil.example"}).status_code == 400
    for host in ("127.0.0.1:8000", "localhost", "[::1]:8000"):
        assert client.get("/health", headers={"Host": host}).status_code == 200
    answer = client.options("/annotate", headers={"Origin": "http://evil", "Access-Control-Request-Method": "POST"})
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_token_guards_all_but_the_page_and_the_health(annotator):
    with open_client(annotator, token=TOKEN) as client:
        for address in ("/", "/page.js", "/page.css", "/icon.svg", "/health", "/openapi.json"):
            assert client.get(address).status_code == 200
        for given in (
            {},
            {"Authorization": f"Bearer {TOKEN}x"},
            {"Authorization": f"Basic {TOKEN}"},
            {"X-Token": TOKEN},
        ):
            for answer in (
                client.post("/annotate", json={"text": SECRET}, headers=given),
                client.get("/model", headers=given),
                client.get("/metrics", headers=given),
            ):
                problem(answer, 401, "token")
                assert answer.headers["www-authenticate"] == "Bearer"
        right = {"Authorization": f"bearer {TOKEN}"}
        assert client.post("/annotate", json={"text": "a"}, headers=right).status_code == 200
        assert client.get("/metrics", headers=right).status_code == 200
        assert TOKEN not in client.get("/model", headers=right).text
        assert client.get("/openapi.json").json()["components"]["securitySchemes"]
    assert TOKEN not in repr(ServeSettings(token=TOKEN))


def test_every_answer_carries_the_headers_that_keep_a_text_from_leaving(client):
    for answer in (client.get("/"), client.get("/nowhere"), client.post("/annotate", json={"text": "a"})):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
    assert client.head("/").status_code == 200


def test_the_page_names_no_other_machine_and_takes_no_string_for_html(client):
    page = {name: client.get(f"/{name}").text for name in ("", "page.css", "page.js", "words.js", "icon.svg")}
    for name, text in page.items():
        elsewhere = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text)) - {"http://www.w3.org"}  # SVG's own name
        assert not elsewhere, name
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function|localStorage|"
                         r"sessionStorage|indexedDB|cookie", page["page.js"] + page["words.js"])  # fmt: skip
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\son\w+=|\sstyle=", page[""])


def test_metrics_count_and_tell_nothing_of_what_was_sent(annotator):
    with open_client(annotator) as client:
        client.post("/annotate", json=[{"id": SECRET, "text": f"{SECRET} fièvre"}, {"text": "dyspnée"}])
        client.get(f"/{SECRET}")
        client.request(SECRET, "/annotate")
        client.post(f"/annotate?{SECRET}={SECRET}", json={"text": "a"})
        answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert SECRET not in answer.text
    values = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert values['carabin_requests_total{method="POST",route="/annotate",status="200"}'] == "1.0"
    assert values['carabin_requests_total{method="GET",route="other",status="404"}'] == "1.0"
    assert values['carabin_entities_total{label="DISO"}'] == "2.0"
    assert values["carabin_documents_total"] == "2.0"
    assert values["carabin_characters_total"] == "20.0"
    assert values["carabin_annotate_seconds_count"] == "1.0"
    assert values["carabin_requests_in_hand"] == "0.0"
    assert any(line.startswith("carabin_model_info{") for line in values)


def test_a_failure_of_the_engine_quotes_nothing_and_the_next_request_is_answered(annotator, caplog):
    def engine(ids, mask):
        if ids.shape[1] > 12:
            raise KeyError(SECRET)
        return annotator.engine(ids, mask)

    frail = Annotator(annotator.reader, annotator.tags, engine)
    with caplog.at_level(logging.INFO), open_client(frail) as client:
        problem(client.post("/annotate", json={"text": f"{SECRET} " * 15}), 500, "unexpected")
        assert client.post("/annotate", json={"text": "fièvre"}).json()["entities"]
    assert "KeyError at test_serve.py" in caplog.text
    assert "POST /annotate 500" in caplog.text
    assert SECRET not in caplog.text
    assert "Traceback" not in caplog.text


def test_the_log_has_a_line_a_request_and_nothing_that_a_client_made_up(annotator, caplog):
    with caplog.at_level(logging.INFO, "carabin.serve"), open_client(annotator) as client:
        client.post("/annotate?offsets=utf16", json={"id": SECRET, "text": f"{SECRET} fièvre"})
        client.get(f"/{SECRET}?{SECRET}", headers={"User-Agent": SECRET, "Referer": SECRET})
    lines = [record.getMessage() for record in caplog.records if record.name == "carabin.serve"]
    assert [re.sub(r"\d+ ms", "", line).strip() for line in lines] == [
        "testclient POST /annotate 200", "testclient GET other 404",
    ]  # fmt: skip
    caplog.clear()
    with caplog.at_level(logging.INFO, "carabin.serve"), open_client(annotator, access_log=False) as client:
        client.get("/health")
    assert not [record for record in caplog.records if record.name == "carabin.serve"]


def test_an_engine_that_cannot_answer_is_no_service(annotator):
    def engine(ids, mask):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        create_app(Annotator(annotator.reader, annotator.tags, engine))


def test_who_answers_is_told(client, annotator):
    told = client.get("/model").json()
    assert told["labels"] == list(annotator.labels)
    assert (told["id"], told["version"]) == (annotator.model_id, annotator.model_version)
    assert told["limits"]["characters"] == 300_000
    assert client.get("/health/live").status_code == client.get("/health/ready").status_code == 200
    # Load balancers ask with HEAD; a 405 takes the service out of their list.
    assert client.head("/health").status_code == client.head("/health/ready").status_code == 200


def test_health_says_when_the_service_is_closing(annotator):
    app = create_app(annotator)
    with TestClient(app, base_url="http://localhost") as client:
        assert client.get("/health").status_code == 200
    # The lifespan is over: a connection that is still open would be told so.
    assert TestClient(app, base_url="http://localhost").get("/health").status_code == 503


def test_openapi_describes_what_is_answered_and_points_nowhere_else(client):
    description = client.get("/openapi.json").json()
    operation = description["paths"]["/annotate"]["post"]
    assert {p["name"] for p in operation["parameters"]} == {"offsets", "threshold"}
    assert {"200", "400", "401", "413", "415", "422", "429", "503"} <= set(operation["responses"])
    body = operation["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    assert "text" in body[0]["required"]
    assert body[1]["type"] == "array"
    assert {entry["operationId"] for path in description["paths"].values() for entry in path.values()} == {
        "annotate", "model", "metrics", "health", "live", "ready",
    }  # fmt: skip
    assert "http" not in re.sub(r"HTTP\w+", "", json.dumps(description).replace('"type": "http"', ""))
    # The usual pages of FastAPI load their scripts from a CDN.
    for address in ("/docs", "/redoc"):
        problem(client.get(address), 404, "http")


def test_no_telemetry_whatever_the_environment_says(annotator, monkeypatch):
    # FastAPI sends traces, and with them bodies, to wherever these variables say.
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    app = create_app(annotator)
    assert not app._native_telemetry.enabled()
    assert not app._telemetry["auto_configure"]
