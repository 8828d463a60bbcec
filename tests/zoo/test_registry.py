"""Every declaration of the zoo, walked with no exemption; and what is malformed is one line that says where and why."""

import datetime
import hashlib
import os
import re
import shutil
from pathlib import Path

import pytest

from zoo.labels import LABEL_SETS
from zoo.licences import default_policy, judge_corpus, judge_encoder, judge_recipe, judge_teacher
from zoo.licences.gate import PURPOSES, ROLES
from zoo.registry import REPOSITORY, DeclarationError, Registry
from zoo.registry.reading import read_front_matter

ZOO = Registry()
CARDS = REPOSITORY / "datasets_cards"
SECTIONS = ("Where it comes from", "Licence", "Columns", "Splits", "Known traps", "Uses")
FIRST_DAY = datetime.date(2026, 11, 1)
"""Nothing was read for this project before this day."""
RECIPES = [(student.id, name) for student, name, _ in ZOO.recipes()]
WRITER = (REPOSITORY / "models" / "encoders" / "open-writer.toml").read_text(encoding="utf-8")
HUB_LICENCE = {
    "Apache-2.0": "apache-2.0",
    "BSD-3-Clause": "bsd-3-clause",
    "CC-BY-4.0": "cc-by-4.0",
    "CC-BY-NC-4.0": "cc-by-nc-4.0",
    "CC-BY-SA-4.0": "cc-by-sa-4.0",
    "GFDL-1.1-or-later": "gfdl",
    "GFDL-1.3-only": "gfdl",
    "MIT": "mit",
    "ODC-By-1.0": "odc-by",
    "etalab-2.0": "etalab-2.0",
}
"""How the Hub's card vocabulary writes an SPDX id; it writes `other` for all the rest."""


def test_no_file_lies_beside_the_entries_unread():
    """A card saved as `.markdown`, or a teacher put in the wrong folder, would never be judged."""
    assert {path.suffix for path in CARDS.iterdir()} == {".md"}
    kinds = ("teachers", "encoders", "terminologies")
    for kind in kinds:
        assert {path.suffix for path in (REPOSITORY / "models" / kind).iterdir()} == {".toml"}
    folders = {path.name for path in (REPOSITORY / "models").iterdir() if path.is_dir()} - set(kinds)
    assert folders == set(ZOO.student_ids())


@pytest.mark.parametrize("student_id", ZOO.student_ids())
def test_every_student_reads(student_id):
    """A student that does not parse would be missing from `make licences` and from the leaderboard."""
    student = ZOO.student(student_id)
    assert student.labels in LABEL_SETS
    assert student.profiles, "a student without a profile cannot be made"
    assert "local" in student.profiles, "the default profile is missing"


@pytest.mark.parametrize("encoder_id", ZOO.encoder_ids())
def test_every_encoder_reads_and_holds_out_what_others_are_measured_on(encoder_id):
    """An encoder that read a test set would lift every score above it, unseen."""
    encoder = ZOO.encoder(encoder_id)
    assert judge_encoder(ZOO, encoder).level not in {"refused", "evaluation-only"}
    held_out = {(use.corpus, use.split) for use in encoder.held_out}
    # Synthetic text is written here: a model that reads none of it has met nothing of its test split.
    written = {use.corpus for use in encoder.corpora if ZOO.corpus(use.corpus).source == "synthetic"}
    for _, name, profile in ZOO.recipes():
        if encoder_id in (profile.encoder, ZOO.teacher(profile.teacher).encoder):
            measured = {
                (use.corpus, use.split)
                for use in (*profile.dev, *profile.test)
                if ZOO.corpus(use.corpus).source != "synthetic" or use.corpus in written
            }
            assert measured <= held_out, f"{name}: {measured - held_out}"


def test_a_student_takes_an_encoder_of_its_own_shape_only(tmp_path):
    shutil.copytree(REPOSITORY / "models", tmp_path / "models")
    path = tmp_path / "models/encoders/open-small.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("layers = 4", "layers = 5"), encoding="utf-8")
    with pytest.raises(DeclarationError, match="another \\[architecture\\]"):
        Registry(tmp_path).profile("bert-small", "quaero")


@pytest.mark.parametrize(
    ("path", "old", "new", "why"),
    [
        ("encoders/open-writer", "hidden = 256", "hidden = 320", "has another [architecture] than the student"),
        ("encoders/open-writer", "max_tokens = 896", "max_tokens = 512", "has another [architecture] than the student"),
        ("encoders/open-writer", "layers = 6", "layers = 1", "has fewer layers than the student"),
        ("encoders/open-writer", "layers = 12", "layers = 5", "has fewer layers than teacher 'deep-writer'"),
        ("teachers/deep-writer", "heads = 4", "heads = 8", "has another [architecture] than teacher 'deep-writer'"),
        ("t5-small/student", 'encoder = "open-writer"', 'encoder = "open-small"', "is of another family"),
    ],
)  # fmt: skip
def test_who_writes_starts_from_what_is_as_wide_and_as_deep(tmp_path, path, old, new, why):
    """Else an hour of pretraining would end in a mismatch of shapes, or in a student that starts from nothing."""
    shutil.copytree(REPOSITORY / "models", tmp_path / "models")
    file = tmp_path / "models" / f"{path}.toml"
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(DeclarationError) as refused:
        Registry(tmp_path).profile("t5-small", "open")
    message = str(refused.value)
    assert "student 't5-small', profile 'open'" in message and why in message and "\n" not in message


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (WRITER.replace('kind = "t5"\n', ""), "give [word_vectors], [masking] or both"),
        (WRITER.replace("[decoder]\nlayers = 6\nmax_tokens = 320", ""), "kind 't5' has a [decoder] and a [corruption]"),
        (WRITER + "\n[word_vectors]\nwindow = 5\n", "are of kind = 'bert'"),
        (WRITER.replace("row_tokens = 512", "row_tokens = 896"), "needs 45 sentinels, a tokenizer has 32"),
    ],
    ids=range(4),
)
def test_a_malformed_start_of_writers_is_one_line(tmp_path, text, cause):
    path = tmp_path / "models" / "encoders" / "open-writer.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        Registry(tmp_path).encoder("open-writer")
    assert str(path) in str(caught.value) and cause in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("teacher_id", ZOO.teacher_ids())
def test_every_teacher_reads_and_is_evidenced_or_refused(teacher_id):
    """A teacher whose clause nobody quoted must not get past the gate."""
    teacher = ZOO.teacher(teacher_id)
    verdict = judge_teacher(teacher, ("weights", "logits", "generated-text", "pseudo-labels"))
    if teacher.licence is None:
        assert teacher.kind == "trained"
        return
    _check_evidence(teacher.licence, verdict)
    assert re.fullmatch("[0-9a-f]{40}", teacher.revision or "") or verdict.level == "refused"


@pytest.mark.parametrize("corpus_id", ZOO.corpus_ids())
def test_every_corpus_reads_and_is_evidenced_or_refused(corpus_id):
    """A corpus whose clause nobody quoted, or whose files may change, must not get past the gate."""
    corpus = ZOO.corpus(corpus_id)
    verdict = judge_corpus(ZOO, corpus)
    _check_evidence(corpus.licence, verdict)
    if corpus.upstream is not None:
        _check_evidence(corpus.upstream, judge_corpus(ZOO, corpus, upstream=True))
    if corpus.source == "hub" and not re.fullmatch("[0-9a-f]{40}", corpus.revision or ""):
        assert verdict.level == "refused"
    if set(corpus.generated_by) - set(ZOO.teacher_ids()):
        assert verdict.level == "refused"
    assert corpus.labels is None or corpus.labels in LABEL_SETS
    assert not corpus.redistributable or corpus.source == "synthetic", "Carabin republishes its own text only"


def _check_evidence(licence, verdict):
    read = bool(licence.clause.strip()) and licence.read_on is not None
    assert licence.read_at.strip(), "where it was read, or that it was not, is said in any case"
    assert read or verdict.level == "refused"
    assert licence.read_on is None or FIRST_DAY <= licence.read_on
    assert "YYYY" not in licence.clause and "TODO" not in licence.clause


@pytest.mark.parametrize("corpus_id", ZOO.corpus_ids())
def test_every_card_says_in_its_front_matter_what_its_block_says(corpus_id):
    """The Hub reads `license:`, the gate reads `carabin:`; a card that says two things misleads one of the two."""
    matter, _ = read_front_matter(CARDS / f"{corpus_id}.md")
    assert set(matter) >= {"language", "license", "pretty_name", "tags", "carabin"}
    assert matter["language"] == "fr"
    names = re.split(r" AND | OR |[()]", ZOO.corpus(corpus_id).licence.spdx)
    expected = {HUB_LICENCE.get(name, "other") for name in names if name}
    said = matter["license"] if isinstance(matter["license"], list) else [matter["license"]]
    assert set(said) == expected
    if "other" in expected:
        unlisted = {name.casefold() for name in names if name not in HUB_LICENCE}
        assert matter["license_name"] in unlisted, "the Hub wants the name of an `other` licence"
        assert matter["license_link"]


@pytest.mark.parametrize("corpus_id", ZOO.corpus_ids())
def test_every_card_has_its_prose(corpus_id):
    """A card without its traps is how a test set ends up in a training text."""
    _, body = read_front_matter(CARDS / f"{corpus_id}.md")
    assert [
        section for section in SECTIONS if f"\n## {section}\n" not in body and "Columns and splits" not in body
    ] == []
    assert "| split |" in body or ZOO.corpus(corpus_id).source != "local"
    if ZOO.corpus(corpus_id).source == "local":
        assert [split for split in ZOO.corpus(corpus_id).splits if f"| {split} |" not in body] == []


@pytest.mark.parametrize("path", sorted(CARDS.glob("*.md")) + sorted((REPOSITORY / "models").rglob("*.toml")), ids=str)
def test_no_declaration_names_a_place_of_one_machine(path):
    """A path of the author's machine works for nobody else."""
    assert not re.search(r"(?<![\w.])/(work|home|root|tmp|Users)/", path.read_text(encoding="utf-8"))


def test_our_own_clause_is_in_our_licence():
    """The clause that makes the synthetic text open must be words of the LICENSE file, not a memory of them."""
    words = re.findall(r"\w+", (REPOSITORY / "LICENSE").read_text(encoding="utf-8"))
    licence = " ".join(words)
    for corpus_id in ("synthetic-reports", "synthetic-identities"):
        quoted = re.search('"(.+)"', ZOO.corpus(corpus_id).licence.clause)
        assert quoted and " ".join(re.findall(r"\w+", quoted[1])) in licence


@pytest.mark.parametrize("corpus_id", [name for name in ZOO.corpus_ids() if ZOO.corpus(name).source == "local"])
def test_local_files_are_those_the_card_describes(corpus_id):
    """Counts, traps and licence were read on these bytes; others would be trained on under the same verdict."""
    corpus = ZOO.corpus(corpus_id)
    folder = Path(os.environ.get("CARABIN_DATA", "")) / (corpus.folder or corpus.id)
    if not os.environ.get("CARABIN_DATA") or not folder.is_dir():
        pytest.skip("set CARABIN_DATA to the folder that holds the corpora")
    found = {split: hashlib.sha256((folder / file).read_bytes()).hexdigest() for split, file in corpus.splits.items()}
    assert found == corpus.sha256


@pytest.mark.parametrize(("student_id", "profile_id"), RECIPES)
def test_every_recipe_names_what_exists(student_id, profile_id):
    """A misspelled split or a gold corpus with another label set would fail an hour into a run."""
    student, profile = ZOO.profile(student_id, profile_id)
    ZOO.teacher(profile.teacher)
    used = set()
    for role in ROLES:
        for use in getattr(profile, role):
            corpus = ZOO.corpus(use.corpus)
            used.add(corpus.id)
            assert corpus.splits.get(use.split), f"{role}: {use}"
            assert set(PURPOSES[role]) & set(corpus.uses), f"{role}: {use}"
            # Abstracts without entities teach and test a student that writes conclusions.
            concludes = profile.writing is not None and "conclusion" in profile.writing.tasks
            assert role == "transfer" or corpus.labels == student.labels or concludes, f"{role}: {use}"
    starts = filter(None, (profile.encoder, ZOO.teacher(profile.teacher).encoder))
    used |= {use.corpus for start in starts for use in ZOO.encoder(start).corpora}
    assert set(profile.upstream) <= used, "`upstream` names a corpus the recipe does not read"
    assert all(ZOO.corpus(name).upstream for name in profile.upstream)


@pytest.mark.parametrize(("student_id", "profile_id"), RECIPES)
def test_every_recipe_accepts_no_more_than_it_needs(student_id, profile_id):
    """An opt-in left over from an older recipe would let a stricter corpus in unseen."""
    student, profile = ZOO.profile(student_id, profile_id)
    needed = {reason.level for reason in judge_recipe(ZOO, student, profile).reasons}
    assert set(profile.accept) <= needed


def test_every_policy_entry_is_weighed():
    """An entry whose `why` is empty would print a verdict that nobody can contest."""
    for name, entry in default_policy().licences.items():
        assert len(entry.why.split()) > 2, name


STUDENT = (REPOSITORY / "models" / "bert-small" / "student.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("id = 'x", "not TOML"),
        ("", "id: Field required"),
        ("a = " + "[" * 3000, "not TOML"),
        (STUDENT.replace('family = "bert"', 'family = "gpt"'), "family"),
        (STUDENT.replace("layers = 4", "layers = 4\nlayer = 4"), "layer: Unexpected keyword argument"),
        (STUDENT.replace("layers = 4", 'layers = "4"'), "architecture.layers: Input should be a valid integer"),
        (STUDENT.replace("layers = 4", "layers = 4.5"), "architecture.layers"),
        (STUDENT.replace("layers = 4", "layers = -1"), "sizes must be positive"),
        (STUDENT.replace("layers = 4", "layers = 4\nlayers = 5"), "not TOML"),
        (STUDENT.replace("temperature = 2.0", "temperature = nan"), "temperature"),
        (STUDENT.replace('methods = ["logits"]', 'methods = ["osmosis"]'), "methods"),
        (STUDENT.replace('methods = ["logits"]', "methods = []"), "soft labels need method 'logits'"),
        (STUDENT.replace('split = "test", documents = 100', 'split = "train"'), "gold reads a test split"),
        (STUDENT.replace('id = "bert-small"', 'id = "bert-large"'), "its place says 'bert-small'"),
        (STUDENT.replace('id = "bert-small"', 'id = "a\0b"'), "not TOML"),
    ],
    ids=range(15),
)
def test_a_malformed_student_is_one_line_with_file_and_cause(tmp_path, text, cause):
    """A traceback, or a default taken in place of the wrong value, would leave the author guessing."""
    path = tmp_path / "models" / "bert-small" / "student.toml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        Registry(tmp_path).student("bert-small")
    message = str(caught.value)
    assert str(path) in message and cause in message and "\n" not in message


CARD = (CARDS / "quaero-emea.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("# No front matter\n", "no YAML front matter"),
        ("---\nlicense: mit\n", "no YAML front matter"),
        ("---\n---\n", "not a mapping"),
        ("---\n- a\n---\n", "not a mapping"),
        ("---\na: [1\n---\n", "not YAML"),
        ("---\nlicense: mit\n---\n", "no 'carabin:' block"),
        (CARD.replace("read_on: 2026-11-24", "read_on: 2026-13-45"), "not YAML"),
        (CARD.replace("read_on: 2026-11-24", "read_on: last week"), "licence.read_on"),
        (CARD.replace("  task: ner", "  task: ner\n  task: text"), "key given twice: task"),
        (CARD.replace("  task: ner", "  task: ner\n  gated: false"), "gated: Unexpected keyword argument"),
        (CARD.replace("  nested: true", '  nested: "yes"'), "nested: Input should be a valid boolean"),
        (CARD.replace("    train: train.jsonl", "    train: train.jsonl\n    extra: more.jsonl"), "missing: extra"),
        (re.sub(r"(sha256:\n    train: )\w+", r"\1abc", CARD), "sha256 must be 64 lower-case hex digits: train"),
        (CARD.replace("  source: local", "  source: hub"), "a hub corpus needs hub_id"),
        (CARD.replace("    - gold", "    - everything"), "uses.0"),
        (CARD.replace("\x2d\x2d\x2d\n", "---\nx: a\0b\n", 1), "not YAML"),
    ],
    ids=range(16),
)
def test_a_malformed_card_is_one_line_with_file_and_cause(tmp_path, text, cause):
    """A card read half would be judged on the half that was read."""
    assert text != CARD
    path = tmp_path / "datasets_cards" / "quaero-emea.md"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeclarationError) as caught:
        Registry(tmp_path).corpus("quaero-emea")
    message = str(caught.value)
    assert str(path) in message and cause in message and "\n" not in message


@pytest.mark.parametrize("place", ["models/x/student.toml", "models/teachers/x.toml", "datasets_cards/x.md"])
def test_invalid_utf8_and_folders_are_one_line(tmp_path, place):
    """Latin-1 accents read as replacement characters would change a quoted clause."""
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    path.write_bytes('---\nid = "x"\nsummary = "modèle"\n---\n'.encode("latin-1"))
    read = {"student.toml": Registry(tmp_path).student, "x.toml": Registry(tmp_path).teacher}
    with pytest.raises(DeclarationError, match=rf"{path.name}: not UTF-8 \(byte \d+\); save it as UTF-8"):
        read.get(path.name, Registry(tmp_path).corpus)("x")
    path.unlink()
    path.mkdir()
    with pytest.raises(DeclarationError, match="cannot be read"):
        read.get(path.name, Registry(tmp_path).corpus)("x")


def test_unknown_ids_name_the_nearest():
    """A slip of the finger should not need a search through forty files."""
    with pytest.raises(DeclarationError, match="unknown corpus 'quaero-emae'.*quaero-emea"):
        ZOO.corpus("quaero-emae")
    with pytest.raises(DeclarationError, match="unknown teacher"):
        ZOO.teacher("../teachers/barthez")
    with pytest.raises(DeclarationError, match="has no profile 'moon'; it has: "):
        ZOO.profile("bert-small", "moon")


def test_a_trained_teacher_cannot_carry_outside_weights(tmp_path):
    """`kind = "trained"` needs no licence: with a hub_id it would be a way round the gate."""
    path = tmp_path / "models" / "teachers" / "sly.toml"
    path.parent.mkdir(parents=True)
    shape = "layers = 2\nhidden = 8\nheads = 2\nintermediate = 8\n"
    path.write_text(
        'id = "sly"\nkind = "trained"\nsummary = "s"\nhub_id = "meta-llama/Llama-3.1-8B"\n'
        f"[architecture]\n{shape}[tokenizer]\nvocabulary = 400\n[training]\ntokens = 9\nlearning_rate = 1e-3\n",
        encoding="utf-8",
    )
    with pytest.raises(DeclarationError, match="a trained teacher comes from no one"):
        Registry(tmp_path).teacher("sly")
