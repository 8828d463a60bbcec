"""The service on a real socket, in a thread of the test."""

import json
import re
import socket
import threading
import time
from contextlib import contextmanager
from http.client import HTTPConnection

import uvicorn

from carabin.serve import ServeSettings, create_app

JSON = {"Content-Type": "application/json"}
PATIENCE = 180


class Gate:
    """An engine that works only while its gate is open."""

    def __init__(self, engine):
        self.engine = engine
        self.open = threading.Event()
        self.open.set()
        self.calls = 0

    def __call__(self, ids, mask):
        self.calls += 1
        assert self.open.wait(PATIENCE)
        return self.engine(ids, mask)


@contextmanager
def running(annotator, **options):
    """Run the service on a free port in a thread; yield the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(annotator, ServeSettings(**options)), log_config=None, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


def ask(port, document, address="/annotate"):
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("POST", address, json.dumps(document), JSON)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), json.loads(response.read())
    finally:
        connection.close()


def metric(port, name):
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    connection.request("GET", "/metrics")
    page = connection.getresponse().read().decode()
    connection.close()
    found = re.search(rf"^{re.escape(name)} (\S+)$", page, re.M)
    return float(found[1]) if found else 0.0


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
