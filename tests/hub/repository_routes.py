"""Accounts and repositories: who am I, create, delete, settings, information, listings."""

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.hub.access import (
    HubError,
    current_user,
    find_commit,
    find_repository,
    find_writable_repository,
    hub_of,
    is_true,
    is_visible,
    require_user,
)
from tests.hub.cards import card_problems, card_tags, read_metadata
from tests.hub.paths import REPOSITORY
from tests.hub.store import Commit, Repository, Store, StoredFile, opaque_id, timestamp


async def who_am_i(request: Request) -> Response:
    """Answer `HfApi.whoami`."""
    user = require_user(request)
    organisations = [
        {"type": "org", "id": opaque_id(name), "name": name, "fullname": name, "roleInOrg": "admin"}
        for name in user.organisations
    ]
    token = {"displayName": "loopback", "role": "write", "createdAt": timestamp()}
    return JSONResponse(
        {
            "type": "user",
            "id": opaque_id(user.name),
            "name": user.name,
            "fullname": user.name,
            "emailVerified": True,
            "isPro": False,
            "avatarUrl": "",
            "orgs": organisations,
            "auth": {"type": "access_token", "accessToken": token},
        }
    )


async def agent_harnesses(request: Request) -> Response:
    """Answer the registry that huggingface_hub fetches once a day to complete its user agent: it is empty here."""
    return JSONResponse({"standardEnvVars": [], "harnesses": {}})


async def validate_card(request: Request) -> Response:
    """Check the metadata of a card, which clients ask for before they upload README.md."""
    errors, warnings = card_problems((await request.json())["content"])
    status = 400 if errors else 200
    if "text/plain" in request.headers.get("accept", ""):
        return PlainTextResponse("".join(f"- Error: {error}\n" for error in errors), status)
    messages = {
        "errors": [{"message": error} for error in errors],
        "warnings": [{"message": warning} for warning in warnings],
    }
    return JSONResponse(messages, status)


async def create_repository(request: Request) -> Response:
    """Create a repository; 409 when it exists."""
    user, hub, asked = require_user(request), hub_of(request), await request.json()
    kind, name, namespace = asked.get("type") or "model", asked["name"], asked.get("organization") or user.name
    if not user.owns(namespace):
        raise HubError(403, f'You don\'t have the rights to create a {kind} under the namespace "{namespace}"')
    if not re.fullmatch(r"[\w.-]{1,96}", name):
        raise HubError(400, f"Invalid repo name: {name}")
    existing = hub.store.repositories.get((kind, f"{namespace}/{name}"))
    if existing:
        message = f"You already created this {kind} repo"
        return JSONResponse({"error": message, "url": hub.repository_url(existing)}, 409)
    private = asked.get("visibility") == "private" or bool(asked.get("private"))
    created = hub.store.create_repository(kind, f"{namespace}/{name}", user.name, private=private)
    return JSONResponse({"url": hub.repository_url(created), "name": created.id, "id": opaque_id(created.id)})


async def delete_repository(request: Request) -> Response:
    """Delete a repository and its history."""
    user, store, asked = require_user(request), hub_of(request).store, await request.json()
    namespace = asked.get("organization") or user.name
    key = (asked.get("type") or "model", f"{namespace}/{asked['name']}")
    if key not in store.repositories:
        raise HubError(404, "Repository not found", "RepoNotFound")
    if not user.owns(namespace):
        raise HubError(403, "Forbidden")
    del store.repositories[key]
    return JSONResponse({})


async def update_settings(request: Request) -> Response:
    """Change who may see a repository and whether it is gated."""
    repository, _ = find_writable_repository(request)
    asked = await request.json()
    if "visibility" in asked:
        repository.private = asked["visibility"] != "public"
    repository.gated = asked.get("gated", repository.gated)
    return JSONResponse({"private": repository.private, "gated": repository.gated})


def describe_sibling(path: str, stored: StoredFile, *, with_blobs: bool) -> dict[str, Any]:
    """Return a file as repository information lists it."""
    shown: dict[str, Any] = {"rfilename": path}
    if with_blobs:
        shown |= {"size": stored.size, "blobId": stored.git_oid}
        if stored.sha256:
            shown["lfs"] = {"sha256": stored.sha256, "size": stored.size, "pointerSize": stored.pointer_size}
    return shown


def describe_repository(store: Store, repository: Repository, commit: Commit) -> dict[str, Any]:
    """Return what `model_info` and `list_models` show, but for the files."""
    readme = commit.files.get("README.md")
    metadata = read_metadata(store.content_path(readme).read_text(errors="replace")) if readme else {}
    tags = card_tags(metadata)
    if any(path.endswith(".safetensors") for path in commit.files):
        tags.insert(0, "safetensors")
    shown = {
        "_id": opaque_id(repository.id),
        "id": repository.id,
        "author": repository.namespace,
        "sha": commit.oid,
        "createdAt": repository.created,
        "lastModified": repository.last_modified,
        "private": repository.private,
        "gated": repository.gated,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": tags,
        "cardData": metadata,
        "usedStorage": sum(stored.size for stored in commit.files.values()),
    }
    if repository.kind == "model":
        shown |= {"modelId": repository.id, "spaces": []}
        shown |= {field: metadata[field] for field in ("library_name", "pipeline_tag") if field in metadata}
    return shown


async def repository_info(request: Request) -> Response:
    """Answer `model_info`, `dataset_info`, at any revision."""
    repository = find_repository(request, card_only=True)
    commit = find_commit(request, repository)
    shown = describe_repository(hub_of(request).store, repository, commit)
    with_blobs = is_true(request, "blobs")
    shown["siblings"] = [
        describe_sibling(path, stored, with_blobs=with_blobs) for path, stored in sorted(commit.files.items())
    ]
    return JSONResponse(shown)


async def list_repositories(request: Request) -> Response:
    """Answer `list_models` and `list_datasets`, filtered by author, words and tags."""
    store, user, query = hub_of(request).store, current_user(request), request.query_params
    shown = []
    for (kind, repo_id), repository in store.repositories.items():
        if kind != request.path_params["kind"].removesuffix("s") or not is_visible(repository, user):
            continue
        if query.get("author") not in (None, repository.namespace):
            continue
        if query.get("search", "").lower() not in repo_id.lower():
            continue
        described = describe_repository(store, repository, repository.main_history[0])
        if all(tag in described["tags"] for tag in query.getlist("filter")):
            shown.append(described)
    return JSONResponse(shown[: int(query.get("limit") or 1000)])


async def check_access(request: Request) -> Response:
    """Answer `HfApi.auth_check`."""
    find_repository(request)
    return JSONResponse({})


routes = [
    Route("/api/whoami-v2", who_am_i),
    Route("/api/agent-harnesses", agent_harnesses),
    Route("/api/validate-yaml", validate_card, methods=["POST"]),
    Route("/api/repos/create", create_repository, methods=["POST"]),
    Route("/api/repos/delete", delete_repository, methods=["DELETE"]),
    Route("/api/{kind:repository_kind}", list_repositories),
    Route(REPOSITORY, repository_info),
    Route(REPOSITORY + "/revision/{revision}", repository_info),
    Route(REPOSITORY + "/settings", update_settings, methods=["PUT"]),
    Route(REPOSITORY + "/auth-check", check_access),
]
