"""The one door to a network: huggingface_hub, told where to go, to keep quiet, and its errors turned into one line.

Everything else in the package works with all sockets blocked.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from carabin.errors import CarabinError

PUBLIC_HUB = "https://huggingface.co"


class PullError(CarabinError):
    """A student that could not be fetched; the message says why, and what to do."""


class HubClient:
    """Lists and fetches the files of one model repository of the Hub, or of a mirror of it."""

    def __init__(self, repository: str, endpoint: str | None = None) -> None:
        """Take the endpoint given, else the one that HF_ENDPOINT names, else the public Hub.

        Raises:
            PullError: the endpoint is no address, or huggingface_hub is not installed.
        """
        self.repository = repository
        self.endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or PUBLIC_HUB).rstrip("/")
        if not self.endpoint.startswith(("https://", "http://")):
            raise PullError(f"{self.endpoint}: not the address of a Hub; write it as https://hub.example.org")
        self._hub = _import_library(self.endpoint)
        # The token of a login belongs to the public Hub: a mirror gets only one that was meant for it.
        self._token = None if self.endpoint == PUBLIC_HUB else os.environ.get("HF_TOKEN") or False

    def find(self, revision: str) -> tuple[str, dict[str, int | None]]:
        """Return the commit that a revision names, and the size of each of its files (None: the mirror says none).

        Raises:
            PullError: no such repository or revision, no right to read it, or no network.
        """
        api = self._hub.HfApi(endpoint=self.endpoint, token=self._token, library_name="carabin")
        with self._one_line(revision):
            info = api.model_info(self.repository, revision=revision, files_metadata=True)
        return str(info.sha), {file.rfilename: file.size for file in info.siblings or ()}

    def fetch(self, name: str, commit: str, folder: Path) -> Path:
        """Fetch a file of a commit into a folder, unless it is there already; return its path. Raises PullError."""
        with self._one_line(commit):
            return Path(
                self._hub.hf_hub_download(
                    self.repository, name, revision=commit, local_dir=folder, endpoint=self.endpoint,
                    token=self._token, library_name="carabin",
                    # A copy in the user's own cache may be damaged, and would be taken again and again.
                    cache_dir=folder / ".cache" / "no-cache",
                )
            )  # fmt: skip

    @contextmanager
    def _one_line(self, revision: str) -> Iterator[None]:
        try:
            yield
        except CarabinError:
            raise
        except Exception as error:
            cause = self._explain(error, revision)
            if cause is None:
                raise
            raise PullError(f"{self.repository}: {cause}") from None

    def _explain(self, error: BaseException, revision: str) -> str | None:
        """Return cause and way out of an error of huggingface_hub or below it, None for one that is ours to report."""
        known, page = self._hub.errors, f"{self.endpoint}/{self.repository}"
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(error, known.OfflineModeIsEnabled):
            return "HF_HUB_OFFLINE forbids the network; pull on a machine that has one, and copy the folder"
        if isinstance(error, known.GatedRepoError):
            return f"is gated; ask for access at {page}, and set HF_TOKEN to a token of that account"
        if status == 401 and os.environ.get("HF_TOKEN"):
            return f"{self.endpoint} does not accept the token of HF_TOKEN for it; correct it, or unset it"
        if isinstance(error, known.RevisionNotFoundError):
            return f"no revision '{revision}' at {page}; look for it under {page}/commits/main"
        if isinstance(error, known.RepositoryNotFoundError):
            return f"no such repository at {self.endpoint}, or a private one; check the name, or set HF_TOKEN"
        if status is not None:
            return f"{self.endpoint} answered HTTP {status}; pull again later, what was fetched whole is kept"
        if isinstance(error, known.LocalEntryNotFoundError) and error.__cause__ is not None:
            return self._explain(error.__cause__, revision)
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return (
                f"the certificate of {self.endpoint} is not trusted here; set SSL_CERT_FILE to the file of the "
                "certificates that it, or the proxy before it, is signed with"
            )
        if _is_network(error):
            return (
                f"{self.endpoint} cannot be reached ({type(error).__name__}); check the network or --mirror, then "
                "pull again: what was fetched whole is kept"
            )
        if isinstance(error, OSError) and error.strerror:
            return f"{error.filename or 'disk'}: {error.strerror}; mend that, then pull again"
        # The library's own consistency check: fewer bytes, or more, than were promised.
        return f"the download broke off ({type(error).__name__}); pull again" if isinstance(error, OSError) else None


def _is_network(error: BaseException) -> bool:
    # httpx until huggingface_hub 1, httpx2 after it.
    return isinstance(error, ConnectionError | TimeoutError) or type(error).__module__.startswith("httpx")


def _import_library(endpoint: str) -> Any:  # noqa: ANN401 - an optional module
    """Import huggingface_hub, which reads its settings from the environment once, at import."""
    settings = {
        "HF_ENDPOINT": endpoint,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        # Xet asks other hosts, which mirrors and hospital proxies do not have, and falls back to nothing.
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_VERBOSITY": "error",
        "HF_HUB_DISABLE_PROGRESS_BARS": "0" if sys.stderr.isatty() else "1",
    }
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        import huggingface_hub
        import huggingface_hub.errors
        import huggingface_hub.file_download
    except ModuleNotFoundError as error:
        raise PullError(
            f"pulling needs the package of '{error.name}', not installed; pip install 'carabin[hub]'"
        ) from None
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    return huggingface_hub
