"""The fixture `hub`: an empty loopback Hub for one test.

Any test module gets it with `pytest_plugins = ["tests.hub.fixtures"]`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.loopback import LoopbackHub
from tests.hub.server import LoopbackServer


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LoopbackHub]:
    """An empty Hub on a free port of 127.0.0.1, stopped after the test."""
    server = LoopbackServer(tmp_path / "hub")
    server.start()
    yield LoopbackHub(server.state, tmp_path / "hf_home")
    server.stop()
