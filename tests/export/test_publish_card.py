"""What would go wrong silently: a committed card that is not the one its committed figures give."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from export.build_card import build_card
from export.card import CardError
from export.card_tagger import TAGGER_CARD
from export.publish_card import FACTS, card_folder, is_fresh, publish_run, published_students, render
from tests.export.run_fixture import METRICS, scores
from zoo.registry import REPOSITORY, Registry, Student
from zoo.runs import RunError, read_json, write_json

pytest_plugins = ["tests.export.run_fixture"]


@pytest.fixture
def zoo(tmp_path: Path) -> Registry:
    """The zoo's declarations in a folder of the test's own, without the cards that are kept."""
    root = tmp_path / "zoo"
    shutil.copytree(REPOSITORY / "models", root / "models", ignore=shutil.ignore_patterns("README.md", *FACTS))
    shutil.copytree(REPOSITORY / "datasets_cards", root / "datasets_cards")
    return Registry(root)


@pytest.fixture
def kept(run: Path, student: Student, registry: Registry, zoo: Registry) -> Path:
    """The folder of a student whose card is kept."""
    build_card(run, student, registry)
    assert publish_run(run, zoo) == student.id
    return card_folder(zoo, student.id)


def test_every_committed_card_is_fresh() -> None:
    registry = Registry()
    assert [student for student in published_students(registry) if not is_fresh(student, registry)] == []


def test_the_kept_card_is_the_published_one(run: Path, kept: Path, zoo: Registry) -> None:
    card = (kept / "README.md").read_text(encoding="utf-8")
    assert card == (run / "repository" / "README.md").read_text(encoding="utf-8")
    assert "Profile `local`, seed 1" in card
    assert published_students(zoo) == ["bert-small"]
    assert is_fresh("bert-small", zoo)


def test_an_edited_card_a_changed_figure_and_a_changed_declaration_are_stale(kept: Path, zoo: Registry) -> None:
    card = kept / "README.md"
    card.write_text(card.read_text(encoding="utf-8").replace("81.2", "99.9"), encoding="utf-8")
    assert not is_fresh("bert-small", zoo)
    render("bert-small", zoo, kept)
    assert is_fresh("bert-small", zoo)

    write_json(kept / "metrics.json", {**read_json(kept / "metrics.json"), **scores(0.6, 0.58, 0.62)})
    assert not is_fresh("bert-small", zoo)
    render("bert-small", zoo, kept)
    assert "60.0 (58.0-62.0)" in card.read_text(encoding="utf-8")

    declaration = kept / "student.toml"
    declaration.write_text(declaration.read_text(encoding="utf-8").replace('summary = "', 'summary = "Truly. '))
    assert not is_fresh("bert-small", zoo)


def test_a_changed_template_makes_it_stale(kept: Path, zoo: Registry, tmp_path: Path, monkeypatch) -> None:
    from export import card

    templates = Path(shutil.copytree(card.TEMPLATES, tmp_path / "templates"))
    common = templates / "card.md.jinja"
    common.write_text(common.read_text(encoding="utf-8") + "One more line.\n", encoding="utf-8")
    monkeypatch.setattr(card, "TEMPLATES", templates)
    assert not is_fresh("bert-small", zoo)


def test_half_a_card_is_an_error(kept: Path, zoo: Registry) -> None:
    """Git may bring README.md without the figures, or the figures without it."""
    (kept / "README.md").unlink()
    assert published_students(zoo) == ["bert-small"]
    assert not is_fresh("bert-small", zoo)
    (kept / "metrics.json").unlink()
    with pytest.raises(RunError, match=r"metrics\.json: no such file"):
        is_fresh("bert-small", zoo)


def test_another_students_figures_are_refused(kept: Path, zoo: Registry) -> None:
    for name in FACTS:
        shutil.copyfile(kept / name, kept.with_name("bert-mini") / name)
    with pytest.raises(CardError, match="is of 'bert-small', not of 'bert-mini'"):
        is_fresh("bert-mini", zoo)


def test_an_unfinished_run_and_a_machines_path_are_refused(run: Path, student, registry, zoo: Registry) -> None:
    with pytest.raises(RunError, match=r"lineage\.json: no such file"):
        publish_run(run, zoo)
    metrics = {**METRICS["student"], "provenance": {"command": f"python {REPOSITORY}/evaluation"}}
    write_json(run / "metrics" / "student.json", metrics)
    build_card(run, student, registry)
    with pytest.raises(CardError, match="which is nobody's business"):
        publish_run(run, zoo)
    assert published_students(zoo) == []


def test_the_check_is_a_command(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "export.publish_card", "--check"], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "fresh" in result.stdout


def test_corpora_of_the_hub_get_their_scores_in_the_hubs_form(tmp_path: Path) -> None:
    import yaml
    from huggingface_hub import parse_eval_result_entries

    from export.eval_results import write_eval_results

    corpora = [
        {"id": "synthetic-reports", "role": "gold", "hub_id": "org/not-tested"},
        {"id": "synthetic-reports", "role": "test", "hub_id": None},
    ]
    write_eval_results(tmp_path, METRICS["student"], corpora, TAGGER_CARD)
    assert not list(tmp_path.iterdir()), "a corpus that is not on the Hub has no page to show a score on"
    corpora[1]["hub_id"] = "org/corpus"
    write_eval_results(tmp_path, METRICS["student"], corpora, TAGGER_CARD)
    written = yaml.safe_load((tmp_path / ".eval_results" / "synthetic-reports.yaml").read_text(encoding="utf-8"))
    (entry,) = parse_eval_result_entries(written)
    assert (entry.dataset_id, entry.task_id, entry.value) == ("org/corpus", "synthetic-reports/test", 0.8123)
    assert entry.dataset_revision is None, "generator-1 is no commit of the Hub"
    assert "exact-span" in entry.notes and "0.7900-0.8340" in entry.notes
