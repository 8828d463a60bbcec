"""A running loopback Hub as a test sees it: what it holds, what it was asked, and clients to ask it.

Clients run in subprocesses: huggingface_hub reads `HF_ENDPOINT` when it is imported, so setting it inside the test
process would be too late.
"""

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.hub.access import HubState, RecordedRequest
from tests.hub.store import Repository

PROJECT = Path(__file__).parents[2]


@dataclass
class LoopbackHub:
    """A running loopback Hub and what its clients need."""

    state: HubState
    """What the server holds; tests may read it and change it."""
    home: Path
    """The clients' HF_HOME: cache, token, modules."""
    token: str = "hf_alice"  # noqa: S105 - a loopback token
    """Token of alice, who may write below `alice/` and `hospital/`. `hf_bob` is the token of a mere reader."""

    @property
    def url(self) -> str:
        """The endpoint that clients are given."""
        return self.state.url

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request that was answered, oldest first."""
        return self.state.requests

    @property
    def write_requests(self) -> list[RecordedRequest]:
        """The requests that could change something; asking whether a card is valid is none."""
        return [request for request in self.requests if request.writes and "/validate-yaml" not in request.path]

    def repository(self, repo_id: str, kind: str = "model") -> Repository:
        """Return a repository as the server holds it."""
        return self.state.store.repositories[kind, repo_id]

    def content(self, repo_id: str, path: str, kind: str = "model") -> bytes:
        """Return the content of a file on the main branch."""
        stored = self.repository(repo_id, kind).main_history[0].files[path]
        return self.state.store.content_path(stored).read_bytes()

    def fail_once(self, method: str, path_part: str, status: int = 500) -> None:
        """Make the next request of that method whose path contains `path_part` fail."""
        self.state.failures.append((method, path_part, status))

    def environment(self, **changes: str) -> dict[str, str]:
        """Return the environment of a client of this Hub, with changes for one test."""
        foreign = ("HF_", "HUGGING_FACE", "TRANSFORMERS_")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        return {
            **inherited,
            "HF_ENDPOINT": self.url,
            "HF_TOKEN": self.token,
            "HF_HOME": str(self.home),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
            **changes,
        }

    def run(self, *command: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run a command of this interpreter (`-m`, `export.push`, …) as a client; its exit status is not checked."""
        return subprocess.run(
            [sys.executable, *command],
            cwd=PROJECT,
            env=self.environment(**changes),
            capture_output=True,
            text=True,
            timeout=120,
        )

    def run_python(self, code: str, **changes: str) -> Any:  # noqa: ANN401 - whatever JSON the code printed
        """Run client code that ends by calling `answer(value)`, and return that value.

        Args:
            code: Python source; `answer` is defined, and takes anything JSON can hold.
            **changes: Environment variables that differ from `environment()`.

        Raises:
            AssertionError: The code failed; the message holds its traceback.
        """
        prelude = "import json\ndef answer(value): print('\\nanswer:' + json.dumps(value))\n"
        result = self.run("-c", prelude + textwrap.dedent(code), **changes)
        assert result.returncode == 0, result.stderr[-4000:]
        answers = [line for line in result.stdout.splitlines() if line.startswith("answer:")]
        assert len(answers) == 1, f"the client called answer() {len(answers)} times"
        return json.loads(answers[0].removeprefix("answer:"))
