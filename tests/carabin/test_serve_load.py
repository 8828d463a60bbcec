"""The service under load, over real sockets: nothing lost, nothing mixed up, and no more taken in than can be done."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection

import pytest

from carabin import Annotator
from tests.carabin.live_service import JSON, PATIENCE, Gate, ask, metric, running, wait_for


@pytest.fixture
def gate(annotator):
    gate = Gate(annotator.engine)
    yield gate
    gate.open.set()


def test_fifty_clients_at_once_are_answered_as_if_each_were_alone(lively):
    words = ["fièvre", "aiguë", "paracétamol", "dyspnée", "patient", "😀", "500", "mg", "douleur"]
    texts = [" ".join(words[(n * k + k) % len(words)] for k in range(1, 3 + n * 3)) for n in range(50)]
    expected = [[entity.to_dict(text) for entity in lively(text)] for text in texts]
    with running(lively, queue=64) as port, ThreadPoolExecutor(50) as pool:
        for _ in range(3):
            answers = list(pool.map(lambda n: ask(port, {"id": n, "text": texts[n]}), range(50)))
            assert [status for status, _, _ in answers] == [200] * 50
            assert [record["id"] for _, _, record in answers] == [str(n) for n in range(50)]
            assert [record["entities"] for _, _, record in answers] == expected
        assert metric(port, "carabin_requests_in_hand") == 0
        assert metric(port, "carabin_documents_total") == 150


def test_a_full_queue_says_when_to_come_back_and_loses_nothing_it_took(annotator, gate):
    slow = Annotator(annotator.reader, annotator.tags, gate)
    with running(slow, queue=2) as port, ThreadPoolExecutor(3) as pool:
        gate.open.clear()
        taken = [pool.submit(ask, port, {"text": "fièvre"}) for _ in range(3)]  # one at work, two in the queue
        wait_for(lambda: metric(port, "carabin_requests_in_hand") == 3)
        for _ in range(3):
            status, headers, record = ask(port, {"text": "fièvre"})
            assert (status, record["code"]) == (429, "queue-full")
            assert 1 <= int(headers["retry-after"]) <= 60
        # Health and measures are answered all the same.
        assert metric(port, 'carabin_abandoned_requests_total{cause="queue-full"}') == 3
        gate.open.set()
        assert [job.result()[0] for job in taken] == [200] * 3
        assert ask(port, {"text": "fièvre"})[0] == 200
        wait_for(lambda: metric(port, "carabin_requests_in_hand") == 0)


def test_bodies_still_on_their_way_count_too(annotator):
    # Each of them holds its text in memory: a crowd of slow senders would else fill it.
    head = (
        b"POST /annotate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
    )
    with running(annotator, queue=1, timeout_seconds=2) as port:
        senders = [socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) for _ in range(2)]
        for sender in senders:
            sender.sendall(head)
        wait_for(lambda: metric(port, "carabin_requests_in_hand") == 2)
        assert ask(port, {"text": "fièvre"})[0] == 429
        for sender in senders:
            assert sender.recv(100).startswith(b"HTTP/1.1 408 ")
            sender.close()
        assert ask(port, {"text": "fièvre"})[0] == 200


def test_what_is_not_done_in_time_is_told_and_never_begun(annotator, gate):
    slow = Annotator(annotator.reader, annotator.tags, gate)
    with running(slow, timeout_seconds=0.5) as port, ThreadPoolExecutor(2) as pool:
        gate.open.clear()
        before = gate.calls
        late = [pool.submit(ask, port, [{"text": "fièvre"}, {"text": "dyspnée"}]) for _ in range(2)]
        for job in late:
            status, headers, record = job.result()
            assert (status, record["code"]) == (503, "timeout")
            assert int(headers["retry-after"]) >= 1
        # One document is at work; its place is kept until the worker is free again.
        wait_for(lambda: metric(port, "carabin_requests_in_hand") == 1)
        gate.open.set()
        wait_for(lambda: metric(port, "carabin_requests_in_hand") == 0)
        assert gate.calls == before + 1
        assert ask(port, {"text": "fièvre"})[0] == 200


def test_a_long_text_that_nobody_waits_for_stops_at_its_next_batch(annotator, gate):
    slow = Annotator(annotator.reader, annotator.tags, gate, batch_tokens=24)  # a batch a window
    with running(slow, timeout_seconds=0.5) as port:
        gate.open.clear()
        before = gate.calls
        assert ask(port, {"text": "fièvre aiguë " * 500})[0] == 503
        gate.open.set()
        wait_for(lambda: metric(port, "carabin_requests_in_hand") == 0)
        assert gate.calls == before + 1
        status, _, record = ask(port, {"text": "fièvre aiguë " * 20})
        assert (status, len(record["entities"])) == (200, 20)


def test_nobody_works_for_a_client_that_hung_up(annotator, gate):
    slow = Annotator(annotator.reader, annotator.tags, gate)
    with running(slow) as port, ThreadPoolExecutor(1) as pool:
        gate.open.clear()
        first = pool.submit(ask, port, {"text": "fièvre"})
        wait_for(lambda: metric(port, "carabin_requests_in_hand") == 1)
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("POST", "/annotate", json.dumps({"text": "dyspnée"}), JSON)
        wait_for(lambda: metric(port, "carabin_requests_in_hand") == 2)
        connection.close()
        wait_for(lambda: metric(port, "carabin_requests_in_hand") == 1)
        before = gate.calls
        gate.open.set()
        assert first.result()[0] == 200
        wait_for(lambda: metric(port, "carabin_requests_in_hand") == 0)
        assert gate.calls == before
        assert metric(port, 'carabin_abandoned_requests_total{cause="client-gone"}') == 1


# The command itself, with an engine that takes its time.
SLOW = """
import time
from carabin import cli
from carabin.engines.engine import OnnxEngine
score = OnnxEngine.__call__
def slowly(self, *batch):
    time.sleep(0.4)
    return score(self, *batch)
OnnxEngine.__call__ = slowly
cli.main()
"""


@contextmanager
def command(student, *options, code="from carabin import cli; cli.main()", **environment):
    """Run `carabin serve` on a free port; yield the process and the port."""
    arguments = [sys.executable, "-c", code, "serve", "--model", student, "--port", "0", "--threads", "1", *options]
    environment = {**os.environ, **environment}
    process = subprocess.Popen(list(map(str, arguments)), stderr=subprocess.PIPE, env=environment, text=True)
    try:
        first = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+) ", first)
        assert found, first + process.stderr.read()
        yield process, int(found[1])
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_loses_nothing_that_was_taken_in(student, number):
    with command(student, code=SLOW) as (process, port), ThreadPoolExecutor(6) as pool:
        wait_for(lambda: metric(port, "carabin_queue_limit") == 32)
        jobs = [pool.submit(ask, port, {"id": n, "text": "fièvre aiguë"}) for n in range(6)]
        wait_for(lambda: metric(port, "carabin_requests_in_hand") >= 5)
        process.send_signal(number)
        answers = [job.result() for job in jobs]
        assert [(status, record["id"]) for status, _, record in answers] == [(200, str(n)) for n in range(6)]
        assert all(record["entities"] for _, _, record in answers)
        assert process.wait(PATIENCE) == 0
        with pytest.raises(ConnectionRefusedError):
            ask(port, {"text": "fièvre"})
        log = process.stderr.read()
    assert log.count("POST /annotate 200") == 6
    assert log.endswith("stopped; every request taken in was answered\n")
    assert "Traceback" not in log
    assert "fièvre" not in log


def test_a_stop_at_once_is_a_stop(student):
    # A signal between the first line and the loop of events must not be lost.
    with command(student) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_ctrl_break_stops_it_as_windows_ends_a_service(student):
    code = "import signal; signal.SIGBREAK = signal.SIGUSR1; from carabin import cli; cli.main()"
    with command(student, code=code) as (process, _):
        process.send_signal(signal.SIGUSR1)
        assert process.wait(PATIENCE) == 0


def test_answers_say_nothing_of_the_software_and_the_clock(student):
    with command(student) as (_, port):
        status, headers, _ = ask(port, {"text": "fièvre"})
        assert status == 200
        assert not {"server", "date"} & {name.lower() for name in headers}


def test_the_token_comes_from_the_environment_and_is_on_no_command_line(student):
    token = "0123456789-abcdefghij"
    with command(student, CARABIN_TOKEN=token) as (process, port):
        assert ask(port, {"text": "fièvre"})[0] == 401
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.request("POST", "/annotate", '{"text": ""}', {**JSON, "Authorization": f"Bearer {token}"})
        assert connection.getresponse().status == 200
        connection.close()
        assert token not in " ".join(process.args)
