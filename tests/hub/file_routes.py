"""File contents: preupload, Git LFS, commits, downloads.

An upload has three steps. The client asks how each file should travel (`preupload`), sends the large ones as LFS
objects to another host (`info/lfs/objects/batch`, then PUT), and closes with one `commit` in newline-delimited JSON
that holds the small files and names the large ones.
"""

import base64
import binascii
import fnmatch
import hashlib
import json
import re
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from tests.hub.access import (
    HubError,
    HubState,
    find_commit,
    find_repository,
    find_writable_repository,
    hub_of,
)
from tests.hub.cards import card_problems
from tests.hub.discussion_routes import open_discussion
from tests.hub.paths import MODEL_PAGE, OTHER_PAGE, REPOSITORY, type_prefix
from tests.hub.store import LFS_PATTERNS, Store, StoredFile

REGULAR_FILE_LIMIT = 10 * 1024 * 1024
"""Bytes above which a file cannot be a git blob."""


def upload_mode(path: str, size: int, sample: bytes) -> str:
    """Choose how a file travels, from its name, its size and its first 512 bytes: `lfs` or `regular`."""
    name = path.rsplit("/", 1)[-1]
    if size > REGULAR_FILE_LIMIT or any(fnmatch.fnmatch(name, pattern) for pattern in LFS_PATTERNS):
        return "lfs"
    return "lfs" if b"\0" in sample else "regular"


async def preupload(request: Request) -> Response:
    """Tell for each file how it travels, and what the Hub already holds under its name."""
    repository, _ = find_writable_repository(request)
    commit = find_commit(request, repository)
    asked = await request.json()
    ignored = [line.strip() for line in (asked.get("gitIgnore") or "").splitlines() if line.strip()]
    answers = []
    for file in asked["files"]:
        path, present = file["path"], commit.files.get(file["path"])
        answers.append(
            {
                "path": path,
                "uploadMode": upload_mode(path, file["size"], base64.b64decode(file["sample"])),
                "shouldIgnore": any(fnmatch.fnmatch(path, pattern) for pattern in ignored),
                "oid": present.etag if present else None,
            }
        )
    return JSONResponse({"files": answers, "commitOid": commit.oid})


def storage_signature(sha256: str) -> str:
    """Return the secret part of an LFS address: whoever holds the address may read or write the object."""
    return hashlib.sha256(f"loopback {sha256}".encode()).hexdigest()[:24]


def storage_address(hub: HubState, sha256: str, size: int) -> str:
    """Return the signed address of an LFS object."""
    return f"{hub.storage_url}/_lfs/{sha256}?size={size}&signature={storage_signature(sha256)}"


async def lfs_batch(request: Request) -> Response:
    """Tell where to send LFS objects; those already present need no sending."""
    repository, _ = find_writable_repository(request)
    hub, asked = hub_of(request), await request.json()
    objects = []
    for asked_object in asked["objects"]:
        sha256, size = asked_object["oid"], asked_object["size"]
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise HubError(422, f"Invalid LFS object: {sha256}")
        answer: dict[str, Any] = {"oid": sha256, "size": size}
        if not hub.store.lfs_path(sha256).exists():
            verify = f"{hub.url}/{type_prefix(repository.kind)}{repository.id}.git/info/lfs/verify"
            upload = {"href": storage_address(hub, sha256, size)}
            answer |= {"authenticated": True, "actions": {"upload": upload, "verify": {"href": verify}}}
        objects.append(answer)
    return JSONResponse({"transfer": "basic", "objects": objects}, media_type="application/vnd.git-lfs+json")


async def lfs_verify(request: Request) -> Response:
    """Confirm that an LFS object arrived whole."""
    find_writable_repository(request)
    asked = await request.json()
    path = hub_of(request).store.lfs_path(asked["oid"])
    if not path.exists() or path.stat().st_size != asked["size"]:
        raise HubError(404, "LFS object not found")
    return JSONResponse({})


async def lfs_storage(request: Request) -> Response:
    """Play the storage service: receive or send the bytes of an LFS object."""
    sha256 = request.path_params["sha256"]
    if request.query_params.get("signature") != storage_signature(sha256):
        raise HubError(403, "Bad signature")
    if request.headers.get("authorization"):
        raise HubError(400, "The client sent its Hub token to the storage host")
    path = hub_of(request).store.lfs_path(sha256)
    if request.method == "PUT":
        await receive_object(request, path)
        return Response(headers={"ETag": f'"{sha256}"'})
    return send_file(path, {"ETag": f'"{sha256}"'})


async def receive_object(request: Request, path: Path) -> None:
    """Write an uploaded object beside its place, and move it there once its hash is right."""
    digest, partial = hashlib.sha256(), path.with_suffix(f".{secrets.token_hex(4)}.partial")
    with partial.open("wb") as file:
        async for chunk in request.stream():
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != path.name:
        partial.unlink()
        raise HubError(400, "The content does not match its SHA-256")
    partial.replace(path)


def check_path(path: str) -> None:
    """Refuse a path that git would refuse."""
    parts = path.split("/")
    if path.startswith("/") or "\\" in path or ".." in parts or ".git" in parts:
        raise HubError(422, f"Invalid path: {path}")


def add_regular_file(store: Store, value: dict[str, Any]) -> StoredFile:
    """Keep a file whose content is in the commit itself."""
    try:
        content = base64.b64decode(value["content"], validate=True)
    except binascii.Error as error:
        raise HubError(400, f"{value['path']}: bad base64") from error
    if len(content) > REGULAR_FILE_LIMIT:
        raise HubError(400, f"{value['path']}: too large for a regular file, use LFS")
    if value["path"] == "README.md":
        errors, _ = card_problems(content.decode(errors="replace"))
        if errors:
            raise HubError(400, f"Invalid metadata in README.md: {errors[0]}")
    return store.write_blob(content)


def add_lfs_file(store: Store, value: dict[str, Any]) -> StoredFile:
    """Refer to an LFS object that was uploaded before."""
    if not store.lfs_path(value["oid"]).exists():
        raise HubError(400, f"{value['path']}: LFS object {value['oid']} was never uploaded")
    return store.lfs_file(value["oid"])


def apply_operation(store: Store, files: dict[str, StoredFile], operation: dict[str, Any]) -> None:
    """Change `files` by one line of a commit."""
    key, value = operation["key"], operation["value"]
    path = value["path"].rstrip("/")
    check_path(path)
    if key == "file":
        files[path] = add_regular_file(store, value)
    elif key == "lfsFile":
        files[path] = add_lfs_file(store, value)
    elif key in ("deletedFile", "deletedFolder"):
        removed = [name for name in files if name == path or name.startswith(path + "/")]
        if not removed:
            raise HubError(404, f'A file with the name "{path}" does not exist', "EntryNotFound")
        for name in removed:
            del files[name]
    else:
        raise HubError(400, f"Unknown operation: {key}")


async def create_commit(request: Request) -> Response:
    """Apply a commit, or none of it, to a branch or to a new pull request."""
    repository, user = find_writable_repository(request)
    hub, base = hub_of(request), find_commit(request, repository)
    operations = [json.loads(line) for line in (await request.body()).splitlines() if line.strip()]
    if not operations or operations[0].get("key") != "header" or not operations[0]["value"].get("summary"):
        raise HubError(400, "A commit starts with a header that has a summary")
    header = operations[0]["value"]
    if header.get("parentCommit") not in (None, base.oid):
        raise HubError(412, "The branch was updated since you opened this page. Please refresh and try again.")
    files = dict(base.files)
    for operation in operations[1:]:
        apply_operation(hub.store, files, operation)

    revision, answer = unquote(request.path_params["revision"]), {}
    reference = revision if revision.startswith("refs/") else f"refs/heads/{revision}"
    if request.query_params.get("create_pr") == "1":
        discussion = open_discussion(repository, user, header["summary"], header.get("description"), pull_request=True)
        reference = f"refs/pr/{discussion['num']}"
        repository.references[reference] = base.oid
        answer["pullRequestUrl"] = f"{hub.repository_url(repository)}/discussions/{discussion['num']}"
    elif reference not in repository.references:
        raise HubError(400, f"Cannot commit to {revision}: it is a tag or a commit, not a branch")
    commit = hub.store.commit(
        repository, reference, files, header["summary"], header.get("description") or "", user.name
    )
    address = f"{hub.repository_url(repository)}/commit/{commit.oid}"
    return JSONResponse({**answer, "success": True, "commitOid": commit.oid, "commitUrl": address})


def send_file(path: Path, headers: dict[str, str]) -> Response:
    """Send a file or the part of it that the client asks for, so that downloads can resume."""
    return FileResponse(path, headers=headers, media_type="application/octet-stream")


async def resolve_file(request: Request) -> Response:
    """Send a file of a revision: a git blob at once, an LFS object by a redirect to the storage host."""
    repository = find_repository(request)
    hub, commit, path = hub_of(request), find_commit(request, repository), request.path_params["path"]
    headers = {"X-Repo-Commit": commit.oid}
    stored = commit.files.get(path)
    if stored is None:
        raise HubError(404, "Entry not found", "EntryNotFound", headers)
    headers |= {"ETag": f'"{stored.etag}"', "Accept-Ranges": "bytes"}
    if stored.sha256 is None:
        return send_file(hub.store.content_path(stored), headers)
    headers |= {"X-Linked-Size": str(stored.size), "X-Linked-Etag": f'"{stored.sha256}"'}
    return Response(status_code=302, headers=headers | {"Location": storage_address(hub, stored.sha256, stored.size)})


def page_routes(page: str) -> list[Route]:
    """Return the routes below a repository's own page, which git and browsers use too."""
    return [
        Route(page + "/info/lfs/objects/batch", lfs_batch, methods=["POST"]),
        Route(page + "/info/lfs/verify", lfs_verify, methods=["POST"]),
        Route(page + "/resolve/{revision}/{path:path}", resolve_file),
    ]


routes = [
    Route(REPOSITORY + "/preupload/{revision}", preupload, methods=["POST"]),
    Route(REPOSITORY + "/commit/{revision}", create_commit, methods=["POST"]),
    Route("/_lfs/{sha256}", lfs_storage, methods=["GET", "PUT"]),
    *page_routes(OTHER_PAGE),
    *page_routes(MODEL_PAGE),
]
