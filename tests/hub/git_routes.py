"""The git side of a repository, read only but for branches and tags: trees, references, history."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.hub.access import (
    HubError,
    find_commit,
    find_repository,
    find_writable_repository,
    hub_of,
    is_true,
)
from tests.hub.paths import REPOSITORY
from tests.hub.store import MAIN_BRANCH, Repository, StoredFile

PAGE_SIZE = 1000


def list_tree(files: Mapping[str, StoredFile], folder: str, *, recursive: bool) -> list[dict[str, Any]]:
    """Return the files and folders below `folder`, sorted by path."""
    prefix = f"{folder}/" if folder else ""
    entries: dict[str, dict[str, Any]] = {}
    for path, stored in files.items():
        if not path.startswith(prefix):
            continue
        parts = path.removeprefix(prefix).split("/")
        if recursive or len(parts) == 1:
            entries[path] = {"type": "file", "path": path, **stored.describe()}
        for depth in range(1, len(parts) if recursive else min(len(parts), 2)):
            parent = prefix + "/".join(parts[:depth])
            oid = hashlib.sha1(parent.encode()).hexdigest()
            entries[parent] = {"type": "directory", "path": parent, "oid": oid, "size": 0}
    return [entries[path] for path in sorted(entries)]


def add_last_commit(repository: Repository, oid: str, entry: dict[str, Any]) -> dict[str, Any]:
    """Add to a tree entry the commit that last changed it, which `expand=True` asks for."""
    change = repository.last_change(oid, entry["path"])
    return entry | {"lastCommit": {"id": change.oid, "title": change.title, "date": change.date}}


async def show_tree(request: Request) -> Response:
    """Answer `list_repo_tree`, page by page."""
    repository = find_repository(request)
    commit = find_commit(request, repository)
    folder = request.path_params.get("path", "").strip("/")
    entries = list_tree(commit.files, folder, recursive=is_true(request, "recursive"))
    if folder and not entries:
        raise HubError(404, f"{folder} does not exist", "EntryNotFound", {"X-Repo-Commit": commit.oid})
    start = int(request.query_params.get("cursor") or 0)
    page = entries[start : start + PAGE_SIZE]
    if is_true(request, "expand"):
        page = [add_last_commit(repository, commit.oid, entry) for entry in page]
    headers = {}
    if start + PAGE_SIZE < len(entries):
        following = request.url.include_query_params(cursor=start + PAGE_SIZE)
        address = f"{hub_of(request).url}{request.url.path}?{following.query}"
        headers["Link"] = f'<{address}>; rel="next"'
    return JSONResponse(page, headers=headers)


async def show_paths(request: Request) -> Response:
    """Answer `get_paths_info`: the asked paths that exist."""
    repository = find_repository(request)
    commit = find_commit(request, repository)
    if "json" in request.headers.get("content-type", ""):
        asked = await request.json()
        paths, expand = asked["paths"], bool(asked.get("expand"))
    else:
        form = parse_qs((await request.body()).decode())
        paths, expand = form.get("paths", []), form.get("expand") == ["true"]
    known = {entry["path"]: entry for entry in list_tree(commit.files, "", recursive=True)}
    found = [known[path] for path in paths if path in known]
    return JSONResponse([add_last_commit(repository, commit.oid, entry) for entry in found] if expand else found)


async def list_references(request: Request) -> Response:
    """Answer `list_repo_refs`."""
    repository = find_repository(request)

    def below(prefix: str) -> list[dict[str, str]]:
        return [
            {"name": reference.removeprefix(prefix), "ref": reference, "targetCommit": oid}
            for reference, oid in repository.references.items()
            if reference.startswith(prefix)
        ]

    shown = {"branches": below("refs/heads/"), "tags": below("refs/tags/"), "converts": []}
    if is_true(request, "include_prs"):
        shown["pullRequests"] = below("refs/pr/")
    return JSONResponse(shown)


def add_reference(repository: Repository, reference: str, revision: str) -> Response:
    """Make a new reference to an existing revision."""
    if reference in repository.references:
        raise HubError(409, f"Reference exists already: {reference}")
    oid = repository.find_revision(revision)
    if oid is None:
        raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
    repository.references[reference] = oid
    return JSONResponse({})


def remove_reference(repository: Repository, reference: str) -> Response:
    """Remove a reference; its commits stay."""
    if reference == MAIN_BRANCH:
        raise HubError(403, f"Cannot delete {reference}")
    if repository.references.pop(reference, None) is None:
        raise HubError(404, f"Invalid rev id: {reference}", "RevisionNotFound")
    return JSONResponse({})


async def change_branch(request: Request) -> Response:
    """Create a branch, from main unless told otherwise, or delete one."""
    repository, _ = find_writable_repository(request)
    reference = "refs/heads/" + unquote(request.path_params["branch"])
    if request.method == "DELETE":
        return remove_reference(repository, reference)
    asked = await request.json() if await request.body() else {}
    return add_reference(repository, reference, asked.get("startingPoint") or "main")


async def change_tag(request: Request) -> Response:
    """Tag a revision, or delete a tag."""
    repository, _ = find_writable_repository(request)
    named = unquote(request.path_params["revision"])
    if request.method == "DELETE":
        return remove_reference(repository, f"refs/tags/{named}")
    tag = (await request.json())["tag"]
    if not re.fullmatch(r"[\w./+-]+", tag):
        raise HubError(400, f"Invalid tag name: {tag}")
    return add_reference(repository, f"refs/tags/{tag}", named)


async def list_commits(request: Request) -> Response:
    """Answer `list_repo_commits`, newest first."""
    repository = find_repository(request)
    commits = repository.history(find_commit(request, repository).oid)
    shown = [
        {
            "id": commit.oid,
            "title": commit.title,
            "message": commit.description,
            "date": commit.date,
            "authors": [{"user": commit.author, "avatar": ""}],
        }
        for commit in commits
    ]
    return JSONResponse(shown, headers={"X-Total-Count": str(len(shown))})


routes = [
    Route(REPOSITORY + "/tree/{revision}", show_tree),
    Route(REPOSITORY + "/tree/{revision}/{path:path}", show_tree),
    Route(REPOSITORY + "/paths-info/{revision}", show_paths, methods=["POST"]),
    Route(REPOSITORY + "/refs", list_references),
    Route(REPOSITORY + "/branch/{branch}", change_branch, methods=["POST", "DELETE"]),
    Route(REPOSITORY + "/tag/{revision}", change_tag, methods=["POST", "DELETE"]),
    Route(REPOSITORY + "/commits/{revision}", list_commits),
]
