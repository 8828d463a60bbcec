"""Who may see and change what, and the errors that the client library knows how to read."""

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from starlette.exceptions import HTTPException
from starlette.requests import Request

from tests.hub.paths import type_prefix
from tests.hub.store import Commit, Repository, Store


class HubError(HTTPException):
    """An error in the Hub's form: the client chooses its exception from the `X-Error-Code` header.

    Args:
        status: HTTP status.
        message: Sentence for the user, sent in `X-Error-Message` and in the body.
        code: `RepoNotFound`, `RevisionNotFound`, `EntryNotFound`, `GatedRepo`, or nothing.
        headers: More response headers.
    """

    def __init__(self, status: int, message: str, code: str = "", headers: dict[str, str] | None = None) -> None:
        shown = {"X-Error-Message": message, **({"X-Error-Code": code} if code else {}), **(headers or {})}
        super().__init__(status, message, shown)


@dataclass(frozen=True)
class User:
    """Someone with a token."""

    name: str
    organisations: tuple[str, ...] = ()

    def owns(self, namespace: str) -> bool:
        """Tell whether the user may write there, and read what is private there."""
        return namespace == self.name or namespace in self.organisations


@dataclass(frozen=True)
class RecordedRequest:
    """One request the server answered, for tests that assert what was *not* sent."""

    method: str
    path: str
    status: int

    @property
    def writes(self) -> bool:
        """Tell whether the request could change something on the Hub."""
        return self.method not in ("GET", "HEAD")


@dataclass
class HubState:
    """Everything the request handlers share; `request.app.state.hub`."""

    store: Store
    url: str
    """What clients use as `HF_ENDPOINT`."""
    users: dict[str, User]
    """Token to user."""
    requests: list[RecordedRequest] = field(default_factory=list)
    failures: list[tuple[str, str, int]] = field(default_factory=list)
    """(method, part of the path, status) of requests to refuse, each once."""

    @property
    def storage_url(self) -> str:
        """Where LFS objects are sent: another host name, so that a client which leaks its token there is caught."""
        return self.url.replace("//127.0.0.1", "//localhost")

    @classmethod
    def create(cls, root: Path, url: str, users: dict[str, User]) -> "HubState":
        """Return an empty Hub that keeps its files below `root`."""
        return cls(Store(root), url, users)

    def repository_url(self, repository: Repository) -> str:
        """Return the page of a repository."""
        return f"{self.url}/{type_prefix(repository.kind)}{repository.id}"


def hub_of(request: Request) -> HubState:
    """Return the state of the Hub that got the request."""
    return request.app.state.hub


def current_user(request: Request) -> User | None:
    """Return who sent the request, None without a token.

    Raises:
        HubError: 401 when the token is unknown.
    """
    header = request.headers.get("authorization", "")
    if not header:
        return None
    user = hub_of(request).users.get(header.removeprefix("Bearer ").strip())
    if user is None:
        # The client tells a wrong token from a missing repository by this very sentence.
        raise HubError(401, "Invalid credentials in Authorization header")
    return user


def require_user(request: Request) -> User:
    """Return who sent the request; an anonymous request is refused with 401."""
    user = current_user(request)
    if user is None:
        raise HubError(401, "Invalid username or password.")
    return user


def is_visible(repository: Repository, user: User | None) -> bool:
    """Tell whether the repository exists for that user."""
    return not repository.private or (user is not None and user.owns(repository.namespace))


def find_repository(request: Request, *, card_only: bool = False) -> Repository:
    """Return the repository a path names, if the user may read it.

    Args:
        request: Its path holds `namespace`, `name` and, but for models in page paths, `kind`.
        card_only: Only information that a gated repository shows to everyone is asked for.

    Raises:
        HubError: 404 (401 to the anonymous) when missing or private, 403 (401) when gated.
    """
    parameters = request.path_params
    kind = parameters.get("kind", "models").removesuffix("s")
    repo_id = f"{parameters['namespace']}/{parameters['name'].removesuffix('.git')}"
    user = current_user(request)
    repository = hub_of(request).store.repositories.get((kind, repo_id))
    if repository is None or not is_visible(repository, user):
        raise HubError(404 if user else 401, "Repository not found", "RepoNotFound")
    if repository.gated and not card_only and not (user and user.owns(repository.namespace)):
        message = f"Access to {kind} {repo_id} is restricted and you are not in the authorized list."
        raise HubError(403 if user else 401, message, "GatedRepo")
    return repository


def find_writable_repository(request: Request) -> tuple[Repository, User]:
    """Return the repository a path names and the user, who may write to it or asks for a pull request."""
    repository = find_repository(request)
    user = require_user(request)
    if not user.owns(repository.namespace) and request.query_params.get("create_pr") != "1":
        raise HubError(403, f"Forbidden: you don't have the rights to write to {repository.id}")
    return repository, user


def find_commit(request: Request, repository: Repository) -> Commit:
    """Return the commit that the `revision` of the path names, main by default."""
    revision = unquote(request.path_params.get("revision", "main"))
    oid = repository.find_revision(revision)
    if oid is None:
        raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
    return repository.commits[oid]


def is_true(request: Request, parameter: str) -> bool:
    """Tell whether a query parameter is set, in any of the spellings that clients use."""
    return request.query_params.get(parameter, "").lower() in ("1", "true")
