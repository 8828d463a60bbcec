"""Publish a finished repository folder on the Hugging Face Hub, in one commit, or in none if nothing changed.

    python -m export.push --repository runs/bert-small/local/seed-0/repository --to org/name --dry-run

1. Check the folder: metrics, licence verdict, parity, card, manifest, signature (`export.push_checks`).
2. Compare it with what the Hub holds, by hash (`export.push_plan`).
3. Print the plan; `--dry-run` stops here and sends nothing.
4. Create the repository if need be, and commit what differs: files added, updated, and stale ones deleted.
5. Compare again: what the Hub now holds must be the folder.

`HF_ENDPOINT` chooses another Hub, `HF_TOKEN` the account. Exit code 2: refused; 1: the Hub failed.
"""

from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Annotated, NoReturn

import httpx2
import typer
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import validate_repo_id
from rich.console import Console

from export.push_checks import PublishableRepository, check_publishable, read_publishable
from export.push_files import PublishError
from export.push_plan import PushPlan, check_visibility, find_tag, plan_push, print_plan

__all__ = ["PublishError", "PushPlan", "PushResult", "check_publishable", "plan_push", "push"]

app = typer.Typer(add_completion=False)


@dataclass(frozen=True)
class PushResult:
    """What a push did."""

    plan: PushPlan
    commit: str | None
    """The new commit, None when nothing differed or for a dry run."""


def check_target(repo_id: str) -> None:
    """Refuse a repository id that is malformed or has no namespace."""
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise PublishError(f"{repo_id!r}: not a repository id ({error}); give organisation/name") from error
    if "/" not in repo_id:
        raise PublishError(f"{repo_id!r}: has no namespace; give organisation/name")


def push(
    folder: Path,
    repo_id: str,
    *,
    api: HfApi | None = None,
    dry_run: bool = False,
    private: bool = False,
    revision_tag: str | None = None,
    public_key: Path | None = None,
    console: Console | None = None,
) -> PushResult:
    """Publish a folder as the whole content of a model repository.

    Args:
        folder: A publishable repository.
        repo_id: `namespace/name`.
        api: The client of the Hub; by default one for `HF_ENDPOINT` and `HF_TOKEN`.
        dry_run: Only print what would be done.
        private: Create the repository private, and refuse a public one.
        revision_tag: Tag to put on the published commit.
        public_key: Refuse a folder that is not signed with its private half (`export.sign`).
        console: Where to print the plan.

    Raises:
        PublishError: The folder must not be published there.
        HfHubHTTPError: The Hub failed; nothing was committed.
    """
    api, console = api or HfApi(), console or Console()
    check_target(repo_id)
    repository = read_publishable(folder, public_key)
    plan = plan_push(folder, api, repo_id)
    check_visibility(repository, plan, private)
    tagged = find_tag(api, plan, revision_tag) if revision_tag else None
    print_plan(console, plan, repository)
    if dry_run:
        console.print("dry run: nothing was sent", highlight=False)
        return PushResult(plan, None)
    if plan.parent is None:
        api.create_repo(repo_id, private=private or None, exist_ok=True)
        plan = plan_push(folder, api, repo_id)
        check_visibility(repository, plan, private)
    commit = commit_changes(api, plan, repository) if plan.changes else None
    if revision_tag and not tagged:
        api.create_tag(repo_id, tag=revision_tag, revision=commit or plan.parent)
    return PushResult(plan, commit)


def commit_changes(api: HfApi, plan: PushPlan, repository: PublishableRepository) -> str:
    """Send every change in one commit, and check that the Hub then holds the folder."""
    operations: list[CommitOperationAdd | CommitOperationDelete] = [
        CommitOperationDelete(file.path)
        if file.action == "delete"
        else CommitOperationAdd(file.path, repository.folder / file.path)
        for file in plan.changes
    ]
    name = repository.student or plan.repo_id.split("/")[1]
    try:
        committed = api.create_commit(
            plan.repo_id,
            operations,
            commit_message=f"Publish {name}: {repository.headline}",
            commit_description=f"licence verdict: {repository.verdict}\nmanifest sha256: {repository.manifest_sha256}",
            parent_commit=plan.parent,
        )
    except HfHubHTTPError as error:
        if error.response.status_code == 412:
            raise PublishError(f"{plan.url}: someone else committed meanwhile; push again") from error
        raise
    left = plan_push(repository.folder, api, plan.repo_id).changes
    if left:
        raise OSError(f"{plan.url}: {left[0].path} is not what was sent; look at the repository, then push again")
    return committed.oid


@app.command()
def main(
    repository: Annotated[Path, typer.Option(help="Folder of the finished repository.")],
    to: Annotated[str, typer.Option(help="Where to publish: organisation/name.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and send nothing.")] = False,
    revision_tag: Annotated[str | None, typer.Option(help="Tag for the published commit, such as v1.0.")] = None,
    private: Annotated[bool, typer.Option("--private", help="Publish to a private repository only.")] = False,
    public_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Refuse what is not signed with the private half of this key.")
    ] = None,
) -> None:
    """Publish a finished repository folder on the Hub, in one commit."""
    console, api = Console(), HfApi()
    try:
        result = push(
            repository, to, api=api, dry_run=dry_run, private=private, revision_tag=revision_tag,
            public_key=public_key, console=console,
        )  # fmt: skip
    except PublishError as error:
        stop(f"refused: {error}", 2)
    except (OSError, ValueError, RuntimeError, httpx2.HTTPError) as error:
        # HfHubHTTPError and offline mode are OSError; the client raises ValueError for a card that the Hub refuses
        # and RuntimeError for a failed LFS upload.
        stop(f"push to {api.endpoint}/{to} failed: {explain_failure(error)}", 1)
    if result.commit:
        console.print(f"published {result.plan.url}/tree/{result.commit}", soft_wrap=True, highlight=False)
    elif not dry_run:
        console.print(f"nothing to do: {result.plan.url} is up to date", soft_wrap=True, highlight=False)


def explain_failure(error: Exception) -> str:
    """Return the cause of a failed push and the way out."""
    if isinstance(error, RuntimeError) and error.__cause__:
        return f"{error} {error.__cause__}; push again"
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        way_out = "check that HF_TOKEN may write there" if status in (401, 403, 404) else "push again later"
        return f"{error.server_message or error} (HTTP {status}); {way_out}"
    if isinstance(error, httpx2.HTTPError | ConnectionError):
        return f"{error}; check HF_ENDPOINT and the network"
    if isinstance(error, ValueError):
        return f"{shorten(str(error), 400)}; correct the card's metadata, render and export again"
    return f"{error}; push again"


def stop(message: str, code: int) -> NoReturn:
    """Print an error on one line of stderr and exit."""
    Console(stderr=True).print(" ".join(message.split()), soft_wrap=True, highlight=False, markup=False)
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
