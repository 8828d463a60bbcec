"""The stock huggingface_hub client against the loopback Hub, as a user would call it.

If these pass only because the server is lax, a push that works here would fail on the real Hub: so the errors are
tested as much as the successes.
"""

import json
from pathlib import Path

import pytest

from tests.hub.loopback import LoopbackHub

pytest_plugins = ["tests.hub.fixtures"]

CARD = "---\nlicense: mit\nlanguage: fr\ntags: [medical]\npipeline_tag: token-classification\n---\n# Essai\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a card, a small text file in a sub-folder, and weights that must travel as LFS."""
    folder = tmp_path / "folder"
    (folder / "onnx").mkdir(parents=True)
    (folder / "README.md").write_text(CARD)
    (folder / "config.json").write_text('{"hidden_size": 32}\n')
    (folder / "onnx/notes.txt").write_text("œdème aigu\n")
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 1000)
    return folder


def test_a_folder_comes_back_as_it_was_sent(hub: LoopbackHub, folder: Path) -> None:
    """Silent failures guarded: a second commit for an unchanged folder, LFS content swapped or cut, a lost path."""
    seen = hub.run_python(
        f"""
        from pathlib import Path
        from huggingface_hub import HfApi, hf_hub_download, snapshot_download
        api = HfApi()
        api.create_repo("hospital/essai")
        api.create_repo("hospital/essai", exist_ok=True)
        first = api.upload_folder(repo_id="hospital/essai", folder_path={str(folder)!r}, commit_message="premier")
        second = api.upload_folder(repo_id="hospital/essai", folder_path={str(folder)!r}, commit_message="second")
        api.create_tag("hospital/essai", tag="v1.0")
        api.upload_file(repo_id="hospital/essai", path_or_fileobj=b"{{}}", path_in_repo="config.json")
        snapshot = Path(snapshot_download("hospital/essai", revision="v1.0"))
        info = api.model_info("hospital/essai", files_metadata=True)
        answer({{
            "me": api.whoami()["name"],
            "same": first.oid == second.oid,
            "files": sorted(api.list_repo_files("hospital/essai")),
            "titles": [commit.title for commit in api.list_repo_commits("hospital/essai")],
            "tags": [tag.name for tag in api.list_repo_refs("hospital/essai").tags],
            "tree": [(type(entry).__name__, entry.path) for entry in api.list_repo_tree("hospital/essai")],
            "paths": [entry.path for entry in api.get_paths_info("hospital/essai", ["config.json", "onnx", "no"])],
            "exists": [api.file_exists("hospital/essai", name) for name in ("config.json", "no.json")],
            "license": info.card_data.license,
            "lfs": {{file.rfilename: bool(file.lfs) for file in info.siblings}},
            "old_config": Path(hf_hub_download("hospital/essai", "config.json", revision="v1.0")).read_text(),
            "new_config": Path(hf_hub_download("hospital/essai", "config.json")).read_text(),
            "snapshot": str(snapshot),
            "listed": [model.id for model in api.list_models(author="hospital", filter="medical")],
        }})
        """
    )
    assert seen["me"] == "alice"
    assert seen["same"], "an unchanged folder made a commit"
    assert seen["files"] == [".gitattributes", "README.md", "config.json", "model.safetensors", "onnx/notes.txt"]
    assert seen["titles"] == ["Upload config.json with huggingface_hub", "premier", "initial commit"]
    assert seen["tags"] == ["v1.0"]
    assert ["RepoFolder", "onnx"] in seen["tree"]
    assert ["RepoFile", "onnx/notes.txt"] not in seen["tree"], "the tree is not recursive unless asked"
    assert seen["paths"] == ["config.json", "onnx"]
    assert seen["exists"] == [True, False]
    assert seen["license"] == "mit"
    assert {path for path, is_lfs in seen["lfs"].items() if is_lfs} == {"model.safetensors"}
    assert (seen["old_config"], seen["new_config"]) == ('{"hidden_size": 32}\n', "{}")
    assert seen["listed"] == ["hospital/essai"]
    for file in folder.rglob("*.*"):
        if file.is_file():
            assert (Path(seen["snapshot"]) / file.relative_to(folder)).read_bytes() == file.read_bytes()


MISTAKES = """
from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download
api, bob = HfApi(), HfApi(token="hf_bob")
for name in ("public", "private", "gated"):
    api.create_repo(f"hospital/{name}", private=name == "private")
    api.upload_file(repo_id=f"hospital/{name}", path_or_fileobj=b"x", path_in_repo="a.txt")
api.update_repo_settings("hospital/gated", gated="manual")
first = api.list_repo_commits("hospital/public")[-1].commit_id
change = [CommitOperationAdd("b.txt", b"b")]
attempts = {
    "missing repository": lambda: hf_hub_download("hospital/none", "a.txt"),
    "missing revision": lambda: hf_hub_download("hospital/public", "a.txt", revision="v9"),
    "missing file": lambda: hf_hub_download("hospital/public", "b.txt"),
    "gated": lambda: hf_hub_download("hospital/gated", "a.txt", token="hf_bob"),
    "gated card": lambda: bob.model_info("hospital/gated"),
    "private": lambda: bob.model_info("hospital/private"),
    "private, anonymous": lambda: HfApi(token=False).model_info("hospital/private"),
    "wrong token": lambda: HfApi(token="hf_nobody").model_info("hospital/public"),
    "write without right": lambda: bob.create_commit("hospital/public", change, commit_message="m"),
    "stale parent": lambda: api.create_commit(
        "hospital/public", change, commit_message="m", parent_commit=first
    ),
    "create twice": lambda: api.create_repo("hospital/public"),
    "create elsewhere": lambda: api.create_repo("clinique/essai"),
    "bad card": lambda: api.upload_file(
        repo_id="hospital/public", path_or_fileobj=b"---\\nlicense: libre\\n---\\n", path_in_repo="README.md"
    ),
}
seen = {}
for name, attempt in attempts.items():
    try:
        attempt()
        seen[name] = "allowed"
    except (OSError, ValueError) as error:
        response = getattr(error, "response", None)
        seen[name] = f"{type(error).__name__} {response.status_code if response is not None else ''}".strip()
answer(seen)
"""
"""Client code that answers {what was tried: exception and HTTP status}."""


def test_each_mistake_has_its_exception(hub: LoopbackHub) -> None:
    """A client that cannot tell a missing repository from a missing revision gives the wrong advice."""
    seen = hub.run_python(MISTAKES)
    assert seen == {
        "missing repository": "RepositoryNotFoundError 404",
        "missing revision": "RevisionNotFoundError 404",
        "missing file": "RemoteEntryNotFoundError 404",
        "gated": "GatedRepoError 403",
        "gated card": "allowed",
        "private": "RepositoryNotFoundError 404",
        "private, anonymous": "RepositoryNotFoundError 401",
        "wrong token": "HfHubHTTPError 401",
        "write without right": "HfHubHTTPError 403",
        "stale parent": "HfHubHTTPError 412",
        "create twice": "HfHubHTTPError 409",
        "create elsewhere": "HfHubHTTPError 403",
        "bad card": "ValueError",
    }
    assert [commit.title for commit in hub.repository("hospital/public").main_history] == [
        "Upload a.txt with huggingface_hub",
        "initial commit",
    ]


def test_cache_works_with_no_network(hub: LoopbackHub, folder: Path) -> None:
    """A hospital copies a cache and sets HF_HUB_OFFLINE=1: no request may be needed, not even to loopback."""
    paths = hub.run_python(
        f"""
        from huggingface_hub import HfApi, snapshot_download
        HfApi().create_repo("hospital/essai")
        HfApi().upload_folder(repo_id="hospital/essai", folder_path={str(folder)!r})
        answer(snapshot_download("hospital/essai"))
        """
    )
    asked = len(hub.requests)
    offline = hub.run_python(
        'from huggingface_hub import snapshot_download\nanswer(snapshot_download("hospital/essai"))', HF_HUB_OFFLINE="1"
    )
    assert offline == paths
    assert len(hub.requests) == asked


def test_commits_branches_and_pull_requests(hub: LoopbackHub, folder: Path) -> None:
    """A pull request must leave main alone until it is merged; one commit may add and delete."""
    seen = hub.run_python(
        f"""
        from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
        api, repo = HfApi(), "hospital/essai"
        api.create_repo(repo)
        api.upload_folder(repo_id=repo, folder_path={str(folder)!r})
        api.create_branch(repo, branch="essai")
        api.create_commit(
            repo,
            [CommitOperationAdd("vide.txt", b""), CommitOperationDelete("config.json"), CommitOperationDelete("onnx/")],
            commit_message="mixed",
            revision="essai",
        )
        bob = HfApi(token="hf_bob")
        proposal = bob.create_commit(
            repo, [CommitOperationAdd("bob.txt", b"b")], commit_message="proposal", create_pr=True
        )
        before = api.file_exists(repo, "bob.txt")
        in_request = api.file_exists(repo, "bob.txt", revision=proposal.pr_revision)
        api.comment_discussion(repo, proposal.pr_num, comment="merci")
        api.merge_pull_request(repo, proposal.pr_num)
        answer({{
            "branch": sorted(api.list_repo_files(repo, revision="essai")),
            "main": sorted(api.list_repo_files(repo)),
            "before": before,
            "in_request": in_request,
            "status": api.get_discussion_details(repo, proposal.pr_num).status,
        }})
        """
    )
    assert seen["branch"] == [".gitattributes", "README.md", "model.safetensors", "vide.txt"]
    assert seen["main"] == [
        ".gitattributes",
        "README.md",
        "bob.txt",
        "config.json",
        "model.safetensors",
        "onnx/notes.txt",
    ]
    assert (seen["before"], seen["in_request"], seen["status"]) == (False, True, "merged")


def test_parts_of_files_and_collections(hub: LoopbackHub, folder: Path) -> None:
    """Resumed downloads ask for a range: answering with the whole file would corrupt them silently."""
    seen = hub.run_python(
        f"""
        from huggingface_hub import HfApi, HfFileSystem
        api, repo = HfApi(), "hospital/essai"
        api.create_repo(repo)
        api.upload_folder(repo_id=repo, folder_path={str(folder)!r})
        collection = api.create_collection("Carabin", namespace="hospital")
        api.add_collection_item(collection.slug, repo, "model", note="NER")
        api.add_collection_item(collection.slug, repo, "model", exists_ok=True)
        part = list(HfFileSystem().cat_file(repo + "/model.safetensors", start=100, end=110))
        items = [(item.item_id, item.note) for item in api.get_collection(collection.slug).items]
        api.delete_repo(repo)
        answer({{"part": part, "items": items, "exists": api.repo_exists(repo)}})
        """
    )
    assert seen == {"part": list(range(100, 110)), "items": [["hospital/essai", "NER"]], "exists": False}


def test_download_resumes_where_it_stopped(hub: LoopbackHub, folder: Path) -> None:
    """The server honours `Range` on the signed address and refuses a token that a client leaks there."""
    seen = hub.run_python(
        f"""
        import httpx2
        from huggingface_hub import HfApi, constants
        api, repo = HfApi(), "hospital/essai"
        api.create_repo(repo)
        api.upload_folder(repo_id=repo, folder_path={str(folder)!r})
        page = constants.ENDPOINT + "/" + repo + "/resolve/main/model.safetensors"
        redirect = httpx2.get(page)
        address = redirect.headers["location"]
        part = httpx2.get(address, headers={{"Range": "bytes=255998-"}})
        beyond = httpx2.get(address, headers={{"Range": "bytes=256000-"}})
        leaked = httpx2.get(address, headers={{"Authorization": "Bearer hf_alice"}})
        unsigned = httpx2.get(address.split("?")[0])
        answer({{
            "statuses": [reply.status_code for reply in (redirect, part, beyond, leaked, unsigned)],
            "part": list(part.content),
            "range": part.headers["content-range"],
            "etag": redirect.headers["x-linked-etag"],
        }})
        """
    )
    assert seen["statuses"] == [302, 206, 416, 400, 403]
    assert seen["part"] == [254, 255]
    assert seen["range"] == "bytes 255998-255999/256000"
    files = hub.repository("hospital/essai").main_history[0].files
    assert json.loads(seen["etag"]) == files["model.safetensors"].sha256


def test_a_requested_failure_happens_once(hub: LoopbackHub) -> None:
    """`fail_once` must reach the client as an error and leave nothing behind, or tests of failures test nothing."""
    hub.fail_once("POST", "/commit/", status=500)
    seen = hub.run_python(
        """
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError
        api, seen = HfApi(), []
        api.create_repo("alice/essai")
        for _ in range(2):
            try:
                api.upload_file(repo_id="alice/essai", path_or_fileobj=b"x", path_in_repo="a.txt")
                seen.append(200)
            except HfHubHTTPError as error:
                seen.append(error.response.status_code)
        answer(seen)
        """
    )
    assert seen == [500, 200]
    assert len(hub.repository("alice/essai").main_history) == 2
