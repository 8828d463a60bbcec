"""What a push would do: how a finished folder differs from a repository of the Hub. Only reads."""

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from carabin.trust.manifest import MANIFEST
from export.push_checks import PublishableRepository
from export.push_files import PublishError, hash_git_blob, list_files
from zoo.runs import hash_file

HUB_FILE = ".gitattributes"
"""The file that the Hub itself puts in a new repository; it stays."""

SIGNED = {"valid": "yes, checked", "not checked": "yes; give --public-key to check it", "absent": "no"}


@dataclass(frozen=True)
class PlannedFile:
    """What a push does to one file: `add`, `update`, `delete`, or leave it `unchanged`."""

    path: str
    size: int
    action: str


@dataclass(frozen=True)
class PushPlan:
    """How a folder differs from a repository of the Hub."""

    repo_id: str
    endpoint: str
    parent: str | None
    """Commit that the comparison was made with, None when the repository does not exist yet."""
    private: bool | None
    """Whether the repository is private, None when it does not exist yet."""
    files: tuple[PlannedFile, ...]

    @property
    def changes(self) -> tuple[PlannedFile, ...]:
        """The files that differ."""
        return tuple(file for file in self.files if file.action != "unchanged")

    @property
    def url(self) -> str:
        """The repository's page."""
        return f"{self.endpoint}/{self.repo_id}"


def plan_push(folder: Path, api: HfApi, repo_id: str) -> PushPlan:
    """Compare a folder with a model repository. Only reads.

    Args:
        folder: A publishable repository.
        api: The client of the Hub.
        repo_id: `namespace/name`; the repository may be missing.

    Raises:
        PublishError: The repository holds files that no push of Carabin put there.
        HfHubHTTPError: The Hub failed.
    """
    try:
        info = api.model_info(repo_id)
    except RepositoryNotFoundError:
        files = tuple(PlannedFile(name, (folder / name).stat().st_size, "add") for name in list_files(folder))
        return PushPlan(repo_id, api.endpoint, None, None, files)
    tree = api.list_repo_tree(repo_id, recursive=True, revision=info.sha)
    remote = {entry.path: entry for entry in tree if isinstance(entry, RepoFile) and entry.path != HUB_FILE}
    planned = []
    for name in list_files(folder):
        path = folder / name
        action = "add" if name not in remote else "unchanged" if is_same(path, remote[name]) else "update"
        planned.append(PlannedFile(name, path.stat().st_size, action))
    kept = {file.path for file in planned}
    stale = [PlannedFile(name, entry.size, "delete") for name, entry in sorted(remote.items()) if name not in kept]
    if stale and MANIFEST not in remote:
        raise PublishError(
            f"{repo_id}: holds {stale[0].path}, and no {MANIFEST}, so it is not a repository that Carabin publishes; "
            "choose another name, or delete that file there"
        )
    return PushPlan(repo_id, api.endpoint, info.sha, bool(info.private), (*planned, *stale))


def is_same(path: Path, remote: RepoFile) -> bool:
    """Tell whether a local file is the one the Hub holds: by sha256 for LFS, by git's SHA-1 for a small file."""
    if path.stat().st_size != remote.size:
        return False
    return hash_file(path) == remote.lfs.sha256 if remote.lfs else hash_git_blob(path) == remote.blob_id


def check_visibility(repository: PublishableRepository, plan: PushPlan, private: bool) -> None:
    """Refuse to show to everyone what must be, or was asked to be, private."""
    if repository.must_be_private and not private:
        raise PublishError(
            f"{repository.folder}: the licence verdict is research-only; give --private, or train on open sources"
        )
    if private and plan.private is False:
        raise PublishError(
            f"{plan.url}: is public, the push must be private; make it private in its settings, or choose another name"
        )


def find_tag(api: HfApi, plan: PushPlan, tag: str) -> str | None:
    """Return the commit that a tag names.

    Raises:
        PublishError: The tag exists and does not name what would be published: a release never changes.
    """
    if plan.parent is None:
        return None
    commits = {found.name: found.target_commit for found in api.list_repo_refs(plan.repo_id).tags}
    if tag in commits and (plan.changes or commits[tag] != plan.parent):
        raise PublishError(f"{plan.url}: the tag {tag} exists and names other files; give another --revision-tag")
    return commits.get(tag)


def print_plan(console: Console, plan: PushPlan, repository: PublishableRepository) -> None:
    """Print where the push goes, with which verdict, and what it does to each file."""
    visibility = "new" if plan.private is None else "private" if plan.private else "public"
    console.print(f"target   {plan.url} ({visibility})", soft_wrap=True, highlight=False, markup=False)
    console.print(f"verdict  {repository.verdict}", highlight=False)
    console.print(f"metric   {repository.headline}", highlight=False)
    console.print(f"signed   {SIGNED[repository.signature]}", highlight=False)
    table = Table("file", "size", "action", box=None)
    table.columns[1].justify = "right"
    table.columns[0].overflow = "fold"
    for file in plan.files:
        table.add_row(escape(file.path), decimal(file.size), file.action)
    console.print(table, highlight=False)
