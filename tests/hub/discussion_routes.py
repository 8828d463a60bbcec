"""Discussions, pull requests and collections, as simply as Carabin needs them."""

import re
import secrets
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.hub.access import (
    HubError,
    User,
    current_user,
    find_repository,
    find_writable_repository,
    hub_of,
    require_user,
)
from tests.hub.paths import REPOSITORY
from tests.hub.store import MAIN_BRANCH, Repository, timestamp


def make_event(user: User, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return one event of a discussion."""
    author = {"name": user.name}
    return {"id": secrets.token_hex(12), "type": kind, "createdAt": timestamp(), "author": author, "data": data}


def make_comment(user: User, text: str) -> dict[str, Any]:
    """Return the event of a comment."""
    latest = {"raw": text, "html": "", "updatedAt": timestamp(), "author": {"name": user.name}}
    return make_event(user, "comment", {"edited": False, "hidden": False, "latest": latest})


def open_discussion(
    repository: Repository, user: User, title: str, description: str | None, *, pull_request: bool
) -> dict[str, Any]:
    """Add a discussion or a pull request to a repository and return it."""
    discussion = {
        "num": len(repository.discussions) + 1,
        "title": title,
        "status": "open",
        "isPullRequest": pull_request,
        "author": {"name": user.name},
        "createdAt": timestamp(),
        "repo": {"name": repository.id, "type": repository.kind},
        "events": [make_comment(user, description or "")],
    }
    repository.discussions.append(discussion)
    return discussion


async def list_discussions(request: Request) -> Response:
    """Answer `get_repo_discussions`, newest first."""
    discussions = find_repository(request).discussions[::-1]
    return JSONResponse({"discussions": discussions, "count": len(discussions), "start": 0})


async def create_discussion(request: Request) -> Response:
    """Open a discussion, or a pull request that has no change yet."""
    repository, user, asked = find_repository(request), require_user(request), await request.json()
    is_pull_request = bool(asked.get("pullRequest"))
    discussion = open_discussion(
        repository, user, asked["title"], asked.get("description"), pull_request=is_pull_request
    )
    if is_pull_request:
        repository.references[f"refs/pr/{discussion['num']}"] = repository.references[MAIN_BRANCH]
    return JSONResponse({"num": discussion["num"], "pullRequest": is_pull_request})


def find_discussion(request: Request, repository: Repository) -> dict[str, Any]:
    """Return the discussion whose number is in the path."""
    number = request.path_params["number"]
    if not 1 <= number <= len(repository.discussions):
        raise HubError(404, f"Discussion {number} not found")
    return repository.discussions[number - 1]


async def show_discussion(request: Request) -> Response:
    """Answer `get_discussion_details`."""
    discussion = find_discussion(request, find_repository(request))
    changes = {"base": MAIN_BRANCH, "mergeCommitId": discussion.get("mergeCommitId")}
    return JSONResponse(discussion | {"changes": changes, "filesWithConflicts": [], "diff": ""})


async def add_comment(request: Request) -> Response:
    """Answer `comment_discussion`."""
    discussion, user = find_discussion(request, find_repository(request)), require_user(request)
    event = make_comment(user, (await request.json())["comment"])
    discussion["events"].append(event)
    return JSONResponse({"newMessage": event})


async def change_status(request: Request) -> Response:
    """Close or reopen a discussion."""
    repository, user = find_writable_repository(request)
    discussion, asked = find_discussion(request, repository), await request.json()
    discussion["status"] = asked["status"]
    event = make_event(user, "status-change", {"status": asked["status"], "reason": asked.get("comment")})
    discussion["events"].append(event)
    return JSONResponse({"newStatus": event})


async def merge_pull_request(request: Request) -> Response:
    """Bring a pull request's files to main in one commit."""
    repository, user = find_writable_repository(request)
    discussion = find_discussion(request, repository)
    proposed = repository.commits[repository.references[f"refs/pr/{discussion['num']}"]]
    merged = hub_of(request).store.commit(repository, MAIN_BRANCH, proposed.files, discussion["title"], "", user.name)
    event = make_event(user, "status-change", {"status": "merged"})
    discussion |= {"status": "merged", "mergeCommitId": merged.oid}
    discussion["events"].append(event)
    return JSONResponse({"newStatus": event})


async def create_collection(request: Request) -> Response:
    """Create a collection; 409 with its slug when the namespace has one of that title."""
    user, collections, asked = require_user(request), hub_of(request).store.collections, await request.json()
    namespace, title = asked["namespace"], asked["title"]
    if not user.owns(namespace):
        raise HubError(403, f"Forbidden: {namespace} is not yours")
    for collection in collections.values():
        if (collection["title"], collection["owner"]["name"]) == (title, namespace):
            return JSONResponse({"error": "The collection exists already", "slug": collection["slug"]}, 409)
    words = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    slug = f"{namespace}/{words}-{secrets.token_hex(12)}"
    collections[slug] = {
        "slug": slug,
        "title": title,
        "description": asked.get("description"),
        "private": bool(asked.get("private")),
        "owner": {"name": namespace, "type": "user"},
        "items": [],
        "lastUpdated": timestamp(),
        "position": len(collections),
        "theme": "blue",
        "upvotes": 0,
    }
    return JSONResponse(collections[slug])


def find_collection(request: Request) -> dict[str, Any]:
    """Return the collection a path names, if the user may see it."""
    slug = f"{request.path_params['namespace']}/{request.path_params['slug']}"
    collection, user = hub_of(request).store.collections.get(slug), current_user(request)
    if collection is None or (collection["private"] and not (user and user.owns(request.path_params["namespace"]))):
        raise HubError(404, f"Collection {slug} not found")
    return collection


async def show_collection(request: Request) -> Response:
    """Answer `get_collection`."""
    return JSONResponse(find_collection(request))


async def add_collection_item(request: Request) -> Response:
    """Add a repository to a collection; 409 when it is there."""
    collection, user, asked = find_collection(request), require_user(request), await request.json()
    if not user.owns(collection["owner"]["name"]):
        raise HubError(403, f"Forbidden: {collection['slug']} is not yours")
    item = asked["item"]
    if any(present["id"] == item["id"] for present in collection["items"]):
        raise HubError(409, f"{item['id']} is in the collection already")
    added = {"_id": secrets.token_hex(12), "position": len(collection["items"]), **item}
    if asked.get("note"):
        added["note"] = {"text": asked["note"], "html": asked["note"]}
    collection["items"].append(added)
    return JSONResponse(collection)


DISCUSSION = REPOSITORY + "/discussions/{number:int}"
COLLECTION = "/api/collections/{namespace}/{slug}"

routes = [
    Route(REPOSITORY + "/discussions", list_discussions),
    Route(REPOSITORY + "/discussions", create_discussion, methods=["POST"]),
    Route(DISCUSSION, show_discussion),
    Route(DISCUSSION + "/comment", add_comment, methods=["POST"]),
    Route(DISCUSSION + "/status", change_status, methods=["POST"]),
    Route(DISCUSSION + "/merge", merge_pull_request, methods=["POST"]),
    Route("/api/collections", create_collection, methods=["POST"]),
    Route(COLLECTION, show_collection),
    Route(COLLECTION + "/items", add_collection_item, methods=["POST"]),
]
