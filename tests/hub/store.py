"""What the loopback Hub remembers: repositories, their commits, and the bytes of their files.

Metadata lives in memory for as long as the server runs; file contents live on disk, because a student's weights do not
belong in memory. Small text files are git blobs, the others are Git LFS objects, exactly as on the real Hub: the two
have different identities (a git SHA-1 and a SHA-256), and clients compare both.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MAIN_BRANCH = "refs/heads/main"

LFS_PATTERNS = (
    "*.safetensors *.bin *.pt *.pth *.ckpt *.onnx *.h5 *.msgpack *.npz *.npy *.parquet *.arrow "
    "*.zip *.gz *.tar *.pkl *.gguf *.png *.jpg"
).split()
"""File names that the Hub's default `.gitattributes` sends to LFS whatever their size."""


def timestamp() -> str:
    """Return the current time in the Hub's format."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def git_blob_oid(content: bytes) -> str:
    """Return the SHA-1 under which git stores these bytes as a blob."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def opaque_id(text: str) -> str:
    """Return the 24 hexadecimal digits the Hub uses as a database identifier."""
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class StoredFile:
    """One file of one commit.

    Attributes:
        git_oid: SHA-1 of the git blob; for an LFS file, of its pointer.
        size: Size of the content in bytes.
        sha256: SHA-256 of the content for an LFS file, None for a plain git blob.
        pointer_size: Size of the LFS pointer in bytes, 0 for a plain git blob.
    """

    git_oid: str
    size: int
    sha256: str | None = None
    pointer_size: int = 0

    @property
    def etag(self) -> str:
        """The identity that clients use as the name of the cached file."""
        return self.sha256 or self.git_oid

    def describe(self) -> dict[str, Any]:
        """Return the file as the tree endpoint shows it."""
        shown: dict[str, Any] = {"oid": self.git_oid, "size": self.size}
        if self.sha256:
            shown["lfs"] = {"oid": self.sha256, "size": self.size, "pointerSize": self.pointer_size}
        return shown


@dataclass(frozen=True)
class Commit:
    """A full picture of a repository at one moment, and who took it."""

    oid: str
    parent: str | None
    files: Mapping[str, StoredFile]
    title: str
    description: str
    author: str
    date: str


@dataclass
class Repository:
    """A model, dataset or space repository."""

    kind: str
    """`model`, `dataset` or `space`."""
    id: str
    """`namespace/name`."""
    private: bool = False
    gated: str | bool = False
    """False, `auto` or `manual`; a gated repository shows its card to all and its files to its owners."""
    created: str = field(default_factory=timestamp)
    last_modified: str = field(default_factory=timestamp)
    references: dict[str, str] = field(default_factory=dict)
    """Full reference name (`refs/heads/main`) to commit."""
    commits: dict[str, Commit] = field(default_factory=dict)
    discussions: list[dict[str, Any]] = field(default_factory=list)

    @property
    def namespace(self) -> str:
        """The user or organisation that owns the repository."""
        return self.id.split("/")[0]

    def find_revision(self, revision: str) -> str | None:
        """Return the commit that a branch, tag, reference or commit prefix (7 digits or more) names."""
        for reference in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            if reference in self.references:
                return self.references[reference]
        candidates = [oid for oid in self.commits if len(revision) >= 7 and oid.startswith(revision)]
        return candidates[0] if len(candidates) == 1 else None

    def history(self, oid: str) -> list[Commit]:
        """Return a commit and its ancestors, newest first."""
        commits = []
        following: str | None = oid
        while following:
            commits.append(self.commits[following])
            following = self.commits[following].parent
        return commits

    @property
    def main_history(self) -> list[Commit]:
        """The commits of the main branch, newest first."""
        return self.history(self.references[MAIN_BRANCH])

    def last_change(self, oid: str, path: str) -> Commit:
        """Return the newest commit, from `oid` back, that changed a file or anything below a folder."""

        def below(commit: Commit) -> dict[str, str]:
            return {
                name: stored.git_oid
                for name, stored in commit.files.items()
                if name == path or name.startswith(path + "/")
            }

        commits = self.history(oid)
        for commit, older in zip(commits, commits[1:], strict=False):
            if below(commit) != below(older):
                return commit
        return commits[-1]


class Store:
    """All repositories and collections of one loopback Hub.

    Args:
        root: Folder that receives the file contents, in `blobs/<sha1>` and `lfs/<sha256>`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repositories: dict[tuple[str, str], Repository] = {}
        self.collections: dict[str, dict[str, Any]] = {}
        self._commit_count = 0
        for folder in ("blobs", "lfs"):
            (root / folder).mkdir(parents=True, exist_ok=True)

    def create_repository(self, kind: str, repo_id: str, author: str, *, private: bool) -> Repository:
        """Create a repository that holds, like a new one on the Hub, nothing but `.gitattributes`."""
        repository = Repository(kind, repo_id, private=private)
        self.repositories[kind, repo_id] = repository
        attributes = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LFS_PATTERNS)
        files = {".gitattributes": self.write_blob(attributes.encode())}
        self.commit(repository, MAIN_BRANCH, files, "initial commit", "", author)
        return repository

    def write_blob(self, content: bytes) -> StoredFile:
        """Keep a small file as a git blob."""
        oid = git_blob_oid(content)
        (self.root / "blobs" / oid).write_bytes(content)
        return StoredFile(oid, len(content))

    def lfs_path(self, sha256: str) -> Path:
        """Return where the LFS object is, or would be."""
        return self.root / "lfs" / sha256

    def lfs_file(self, sha256: str) -> StoredFile:
        """Describe an LFS object that was uploaded before."""
        size = self.lfs_path(sha256).stat().st_size
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        return StoredFile(git_blob_oid(pointer), size, sha256, len(pointer))

    def content_path(self, stored: StoredFile) -> Path:
        """Return the path of a file's content."""
        return self.lfs_path(stored.sha256) if stored.sha256 else self.root / "blobs" / stored.git_oid

    def commit(
        self,
        repository: Repository,
        reference: str,
        files: Mapping[str, StoredFile],
        title: str,
        description: str,
        author: str,
    ) -> Commit:
        """Make `reference` point to a new commit that holds exactly `files`."""
        parent = repository.references.get(reference)
        date = timestamp()
        self._commit_count += 1
        tree = sorted((path, stored.git_oid) for path, stored in files.items())
        identity = json.dumps([parent, title, description, author, date, self._commit_count, tree])
        oid = hashlib.sha1(identity.encode()).hexdigest()
        commit = Commit(oid, parent, dict(files), title, description, author, date)
        repository.commits[oid] = commit
        repository.references[reference] = oid
        repository.last_modified = date
        return commit
