"""The licence gate: every class, their compositions, and the ways somebody might try to get round it."""

import dataclasses
import json

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from zoo.licences import (
    LEVELS,
    LicenceRefused,
    Verdict,
    default_policy,
    enforce,
    find_objection,
    judge_corpus,
    judge_encoder,
    judge_recipe,
    judge_teacher,
)
from zoo.licences.__main__ import app
from zoo.licences.evidence import judge_evidence
from zoo.registry import REPOSITORY, Registry
from zoo.registry.recipes import CorpusUse, Distillation
from zoo.registry.teachers import LicenceEvidence

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CLAUSE = "these are words that somebody has read"
METHODS = ("weights", "logits", "generated-text", "pseudo-labels")
LEVEL_OF = {
    "MIT": "open",
    "Apache-2.0": "open",
    "BSD-3-Clause": "open",
    "CC0-1.0": "open",
    "CC-BY-4.0": "open",
    "etalab-2.0": "open",
    "CC-BY-SA-4.0": "share-alike",
    "GFDL-1.3-only": "share-alike",
    "LicenseRef-Qwen": "attribution-bound",
    "CC-BY-NC-4.0": "research-only",
    "LicenseRef-Mistral-Research": "research-only",
    "LicenseRef-Qwen-Research": "research-only",
    "LicenseRef-Gemma": "refused",
    "LicenseRef-Health-AI-Developer-Foundations": "refused",
    "LicenseRef-Llama-2": "refused",
    "LicenseRef-Llama-3": "refused",
    "LicenseRef-Llama-3.1": "refused",
    "LicenseRef-Tongyi-Qianwen": "refused",
    "LicenseRef-OpenAI-Terms": "refused",
    "LicenseRef-Gemini-Terms": "refused",
    "LicenseRef-Anthropic-Terms": "refused",
    "LicenseRef-OpenRAIL": "refused",
    "GPL-3.0-only": "refused",
    "NOASSERTION": "refused",
}


class Zoo:
    """A small zoo in a folder, to which a test adds what it is about."""

    def __init__(self, root):
        self.root = root
        for name in ("models/teachers", "models/encoders", "models/bert-mini", "datasets_cards"):
            (root / name).mkdir(parents=True)
        recipe = (REPOSITORY / "models/bert-mini/student.toml").read_text(encoding="utf-8")
        local = recipe[: recipe.index("# The real benchmark")]  # its other profiles name teachers that this zoo has not
        (root / "models/bert-mini/student.toml").write_text(local, encoding="utf-8")
        self.registry = Registry(root)
        self.student, self.base = self.registry.profile("bert-mini", "local")
        self.teacher("teacher")
        self.corpus("text")

    def teacher(self, name, spdx="MIT", clause=CLAUSE, **values):
        top = {"id": name, "kind": "endpoint", "summary": "s", "hub_id": "o/n", "revision": COMMIT} | values
        licence = {"spdx": spdx, "clause": clause, "read_at": "LICENSE", "read_on": None}
        lines = [f"{key} = {json.dumps(value)}" for key, value in top.items() if value is not None]
        lines += ["[licence]", *(f"{key} = {json.dumps(value)}" for key, value in licence.items() if value is not None)]
        path = self.root / "models/teachers" / f"{name}.toml"
        path.write_text("\n".join([*lines, "read_on = 2026-11-24", ""]), encoding="utf-8")
        return self.registry.teacher(name)

    def corpus(self, name, spdx="MIT", **values):
        licence = {"spdx": spdx, "clause": CLAUSE, "read_at": "LICENSE", "read_on": "2026-11-24"}
        licence |= values.pop("licence", {})
        block = {"id": name, "summary": "s", "task": "ner", "source": "hub", "hub_id": "o/n", "revision": COMMIT}
        block |= {"splits": {"train": "train.jsonl", "test": "test.jsonl", "dev": "dev.jsonl"}, "licence": licence}
        block |= {"uses": ["gold", "transfer", "test", "pretraining"]} | values
        front = yaml.safe_dump({"carabin": block}, allow_unicode=True)
        (self.root / "datasets_cards" / f"{name}.md").write_text(f"---\n{front}---\n", encoding="utf-8")
        return self.registry.corpus(name)

    def encoder(self, name, corpus):
        text = (REPOSITORY / "models/encoders/open-small.toml").read_text(encoding="utf-8")
        top = f'id = "{name}"\nsummary = "s"\ncorpora = [{{ corpus = "{corpus}", split = "train" }}]\n\n'
        path = self.root / "models/encoders" / f"{name}.toml"
        path.write_text(top + text[text.index("[architecture]") :], encoding="utf-8")

    def teacher_upon(self, encoder):
        top = f'id = "upon-{encoder}"\nkind = "trained"\nsummary = "s"\nencoder = "{encoder}"\n'
        training = "[training]\ntokens = 9\nlearning_rate = 1e-3\n"
        (self.root / "models/teachers" / f"upon-{encoder}.toml").write_text(top + training, encoding="utf-8")
        return f"upon-{encoder}"

    def profile(self, **values):
        use = {
            role: (CorpusUse("text", split),) for role, split in (("gold", "train"), ("dev", "dev"), ("test", "test"))
        }
        plain = {"teacher": "teacher", "teacher_gold": (), "transfer": ()}
        return dataclasses.replace(self.base, **{**plain, **use, **values})

    def judge(self, **values):
        return judge_recipe(self.registry, self.student, self.profile(**values))

    def accepts(self, **values):
        profile = self.profile(**values)
        return find_objection(judge_recipe(self.registry, self.student, profile), profile) is None


@pytest.fixture
def zoo(tmp_path):
    return Zoo(tmp_path)


@pytest.mark.parametrize(("spdx", "level"), LEVEL_OF.items())
def test_each_licence_of_a_teacher_and_of_a_text(zoo, spdx, level):
    """One wrong cell of the policy table would mark a student open that is not."""
    zoo.teacher("other", spdx)
    zoo.corpus("other", spdx)
    for method in METHODS:
        methods = (method, "logits")
        assert zoo.judge(teacher="other", methods=methods).level == level
    for role in ("gold", "teacher_gold", "dev", "transfer"):
        assert zoo.judge(**{role: (CorpusUse("other", "train"),)}).level == level, role
    assert zoo.judge(test=(CorpusUse("other", "test"),)).level == ("refused" if level == "refused" else "open")


def test_a_plain_open_recipe_passes_with_its_obligations(zoo):
    """The gate must let through what is allowed, or everybody would go round it."""
    verdict = zoo.judge()
    assert verdict.level == "open" and zoo.accepts()
    assert "keep the MIT notice of teacher beside what is published" in verdict.obligations
    enforce(verdict, zoo.profile(), "student 'bert-mini'")
    assert json.loads(json.dumps(verdict.to_dict()))["level"] == "open"


def test_evaluation_only_text_measures_but_never_teaches(zoo):
    """A user agreement lets one evaluate; a gold corpus under it would end in published weights."""
    zoo.corpus("cas", "LicenseRef-User-Agreement", uses=["evaluation"])
    assert judge_corpus(zoo.registry, zoo.registry.corpus("cas")).level == "evaluation-only"
    verdict = zoo.judge(test=(CorpusUse("cas", "test"),))
    assert verdict.level == "open"
    assert "never redistribute the text of cas" in verdict.obligations
    zoo.corpus("cas", "LicenseRef-User-Agreement")  # even if its card claims every use
    for role in ("gold", "dev", "transfer"):
        uses = {role: (CorpusUse("cas", "train"),)}
        assert zoo.judge(**uses).level == "refused", role
        assert not zoo.accepts(**uses, accept=("evaluation-only", "refused"))


def test_a_card_s_uses_bind(zoo):
    """A card that offers a test set must not be read as gold."""
    zoo.corpus("tests-only", uses=["test"])
    assert zoo.judge(gold=(CorpusUse("tests-only", "train"),)).level == "refused"
    assert zoo.judge(test=(CorpusUse("tests-only", "test"),)).level == "open"
    zoo.corpus("no-pretraining", uses=["gold", "transfer"])
    for role in ("gold", "transfer"):
        assert zoo.judge(**{role: (CorpusUse("no-pretraining", "train"),)}).level == "open"
    zoo.encoder("reader", "no-pretraining")
    assert zoo.judge(encoder="reader").level == "refused"
    zoo.corpus("unread-files", splits={"train": ""})
    assert "no known file" in zoo.judge(gold=(CorpusUse("unread-files", "train"),)).reasons[0].why
    assert zoo.judge(gold=(CorpusUse("text", "validation"),)).level == "refused"


def test_what_an_encoder_has_read_binds_who_starts_from_it(zoo):
    """Weights pretrained on share-alike or unread text must not come out open because the recipe's own texts are."""
    zoo.corpus("sa", "CC-BY-SA-4.0")
    zoo.corpus("cas", "LicenseRef-User-Agreement")
    for corpus, level in (("text", "open"), ("sa", "share-alike"), ("cas", "refused"), ("nowhere", "refused")):
        zoo.encoder("reader", corpus)
        assert zoo.judge(encoder="reader").level == level
        assert zoo.judge(teacher=zoo.teacher_upon("reader")).level == level
        assert judge_encoder(zoo.registry, zoo.registry.encoder("reader")).level == level
    assert "encoder 'reader', corpus 'nowhere'" in zoo.judge(encoder="reader").reasons[0].subject
    assert zoo.judge(encoder="never-declared").level == "refused"


def test_opt_in_is_by_level_and_never_for_refused(zoo):
    """`accept` is a list of names: research-only does not bring share-alike with it, and nothing brings refused."""
    zoo.corpus("sa", "CC-BY-SA-4.0")
    zoo.corpus("nc", "CC-BY-NC-4.0")
    zoo.corpus("gemma", "LicenseRef-Gemma")
    share, both = (CorpusUse("sa", "train"),), (CorpusUse("sa", "train"), CorpusUse("nc", "train"))
    assert not zoo.accepts(gold=share)
    assert zoo.accepts(gold=share, accept=("share-alike",))
    assert not zoo.accepts(gold=share, accept=("research-only",)), "a stricter opt-in is another opt-in"
    assert not zoo.accepts(gold=both, accept=("research-only",)), "the laxer of two levels needs its word too"
    assert zoo.accepts(gold=both, accept=("research-only", "share-alike"))
    assert not zoo.accepts(gold=(CorpusUse("gemma", "train"),), accept=LEVELS)


def test_refusal_is_one_line_with_who_what_clause_and_way_out(zoo):
    """An error that only says "licence" sends the author to read code."""
    zoo.corpus("sa", "CC-BY-SA-4.0")
    profile = zoo.profile(gold=(CorpusUse("sa", "train"),))
    with pytest.raises(LicenceRefused) as caught:
        enforce(judge_recipe(zoo.registry, zoo.student, profile), profile, "student 'bert-mini', profile 'local'")
    message = str(caught.value)
    assert message.startswith("student 'bert-mini', profile 'local': corpus 'sa' (gold) is share-alike (CC-BY-SA-4.0")
    assert CLAUSE in message and 'accept = ["share-alike"]' in message and "\n" not in message
    profile = zoo.profile(teacher="nobody")
    with pytest.raises(LicenceRefused, match="unknown teacher 'nobody'"):
        enforce(judge_recipe(zoo.registry, zoo.student, profile), profile, "x")


def test_unknown_ids_are_refused_not_skipped(zoo):
    """A missing file must count as the strictest licence, not as none."""
    assert zoo.judge(teacher="nobody").level == "refused"
    for role in ("gold", "dev", "test", "transfer"):
        assert zoo.judge(**{role: (CorpusUse("nowhere", "train"),)}).level == "refused"
    (zoo.root / "datasets_cards" / "broken.md").write_text("no front matter", encoding="utf-8")
    assert zoo.judge(transfer=(CorpusUse("broken", "train"),)).level == "refused"
    assert Verdict.of("nothing", ()).level == "refused"


@pytest.mark.parametrize(
    "clause",
    ["", "  ", "MIT", "mit", '"MIT"', "MIT License", "License: MIT", "cc-by-4.0", "Apache 2.0", "apache-2.0 AND mit"]
    + ["tag: CC-BY-4.0", "GPL-3.0-only", "TODO", "n/a", "yes!", "GFDL-1.3, MIT", "..."],
)
def test_a_tag_is_not_a_clause(zoo, clause):
    """A YAML tag repeated as its own evidence is what the gate exists to disbelieve."""
    assert judge_teacher(zoo.teacher("tagged", "MIT", clause), ("logits",)).level == "refused"


@pytest.mark.parametrize("missing", [{"read_at": " "}, {"read_on": None}, {"clause": ""}, {"spdx": ""}])
def test_evidence_is_all_or_nothing(missing):
    """A clause read nowhere, or on no day, cannot be checked again."""
    whole = {"spdx": "MIT", "clause": CLAUSE, "read_at": "LICENSE", "read_on": "2026-11-24"}
    policy = default_policy()
    assert judge_evidence("corpus 'x'", "x", LicenceEvidence(**whole), ("text",), policy).level == "open"
    assert judge_evidence("corpus 'x'", "x", LicenceEvidence(**whole | missing), ("text",), policy).level == "refused"


@pytest.mark.parametrize(
    "revision", [None, "", "main", "v1.0", "0123456", COMMIT[:-1], COMMIT + "0", COMMIT.upper(), "g" * 40]
)
def test_a_floating_revision_is_refused(zoo, revision):
    """A tag or a branch can be moved under a verdict that was given for other files (PARHAF's licence changed so)."""
    verdict = judge_teacher(zoo.teacher("floating", revision=revision), ("logits",))
    assert verdict.level == "refused" and "model_info('o/n').sha" in verdict.reasons[0].way_out
    assert verdict.once_pinned().level == "open"
    verdict = judge_corpus(zoo.registry, zoo.corpus("floating", revision=revision))
    assert verdict.level == "refused" and "dataset_info('o/n').sha" in verdict.reasons[0].way_out
    assert zoo.judge(test=(CorpusUse("floating", "test"),)).level == "refused", "a test set that moves measures nothing"


def test_archives_and_generators_are_pinned_too(zoo):
    """An archive is pinned by its sha256 (a commit is not one), generated text by its generator's version."""
    for revision, level in (("a" * 64, "open"), (COMMIT, "refused"), (None, "refused")):
        assert judge_corpus(zoo.registry, zoo.corpus("zip", source="archive", revision=revision)).level == level
    for revision, level in (("1", "open"), (" ", "refused"), (None, "refused")):
        assert judge_corpus(zoo.registry, zoo.corpus("made", source="synthetic", revision=revision)).level == level


def test_a_corpus_written_by_a_forbidden_model_is_refused(zoo):
    """An MIT tag on text that GPT-4o wrote does not lift OpenAI's terms."""
    zoo.teacher("openai-api", "LicenseRef-OpenAI-Terms")
    zoo.teacher("nc-model", "CC-BY-NC-4.0")
    for makers, level in (
        (["openai-api"], "refused"),
        (["gpt-4o"], "refused"),
        (["teacher", "openai-api"], "refused"),
        (["nc-model"], "research-only"),
        (["teacher"], "open"),
    ):
        zoo.corpus("made", generated_by=makers)
        assert zoo.judge(transfer=(CorpusUse("made", "train"),)).level == level, makers
    zoo.corpus("made", "LicenseRef-CC-BY-NC", generated_by=["openai-api"], upstream=dict(CLEAN))
    assert zoo.judge(transfer=(CorpusUse("made", "train"),), upstream=("made",)).level == "refused"


CLEAN = {"spdx": "etalab-2.0", "clause": CLAUSE, "read_at": "the publisher's page", "read_on": "2026-11-24"}


def test_the_upstream_switch_is_explicit_and_states_both_facts(zoo):
    """The leaflets' copy is tagged CC-BY-NC: taking them as open must be somebody's decision, written in the recipe."""
    zoo.corpus("leaflets", "LicenseRef-CC-BY-NC", upstream=dict(CLEAN))
    transfer = (CorpusUse("leaflets", "train"),)
    verdict = zoo.judge(transfer=transfer)
    assert verdict.level == "research-only" and 'upstream = ["leaflets"]' in verdict.reasons[0].way_out
    verdict = zoo.judge(transfer=transfer, upstream=("leaflets",))
    assert verdict.level == "open"
    assert any("tagged LicenseRef-CC-BY-NC" in duty and "etalab-2.0" in duty for duty in verdict.obligations)
    zoo.corpus("leaflets", "LicenseRef-CC-BY-NC")
    assert zoo.judge(transfer=transfer, upstream=("leaflets",)).level == "refused", "no upstream clause on the card"
    zoo.corpus("leaflets", "LicenseRef-CC-BY-NC", upstream=CLEAN | {"clause": "etalab-2.0"})
    assert zoo.judge(transfer=transfer, upstream=("leaflets",)).level == "refused", "a tag is no upstream clause"


@pytest.mark.parametrize(
    ("terms", "level"),
    [
        ("", "open"),
        ("Model Derivative", "refused"),
        ("Built with  Llama", "refused"),
        ("Built with Qwen", "attribution-bound"),
        ("You may do anything at all with outputs", "refused"),
        ("Built with Qwen. You may not train other models.", "refused"),
    ],
)
def test_output_terms_beyond_the_licence(zoo, terms, level):
    """An MIT tag over terms that forbid distillation; words nobody weighed are refused, kind ones too."""
    teacher = zoo.teacher("terms", output_terms=terms)
    for method in ("logits", "generated-text", "pseudo-labels"):
        assert judge_teacher(teacher, (method,)).level == level
    assert judge_teacher(teacher, ("weights",)).level == "open"


def test_methods_cannot_be_understated(zoo):
    """Losing `logits` from the list, while the losses read them, would skip the terms on outputs."""
    zoo.teacher("terms", output_terms="Model Derivative")
    relation = Distillation(soft_weight=0, relation_weight=1)
    assert zoo.judge(teacher="terms", methods=("weights",), distillation=relation).level == "refused"
    assert zoo.judge(teacher="terms", methods=(), distillation=Distillation(soft_weight=0)).level == "refused"


LICENCES = st.sampled_from(sorted(LEVEL_OF) + ["LicenseRef-User-Agreement"])
ROLE = st.sampled_from(["gold", "dev", "test", "transfer"])


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    zoo = Zoo(tmp_path_factory.mktemp("zoo"))
    for spdx in [*LEVEL_OF, "LicenseRef-User-Agreement"]:
        zoo.corpus(spdx.casefold(), spdx)
    return zoo


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(uses=st.lists(st.tuples(ROLE, LICENCES), max_size=4), more=st.tuples(ROLE, LICENCES))
def test_adding_a_corpus_never_makes_a_verdict_laxer(crowd, uses, more):
    """Any rule that breaks this is a way to launder a licence: add a text until the verdict opens."""

    def level(chosen):
        roles = {"gold": [CorpusUse("text", "train")], "dev": [CorpusUse("text", "dev")], "transfer": []}
        roles["test"] = [CorpusUse("text", "test")]
        for role, spdx in chosen:
            roles[role].append(CorpusUse(spdx.casefold(), "test" if role == "test" else "train"))
        return LEVELS.index(crowd.judge(**{role: tuple(found) for role, found in roles.items()}).level)

    assert level([*uses, more]) >= level(uses)


def test_command_prints_tables_and_fails_on_a_refused_recipe(zoo):
    """A table that shows `refused` and exits with 0 would let CI pass."""
    zoo.corpus("synthetic-reports", splits={name: f"{name}.jsonl" for name in ("train", "dev", "test", "transfer")})
    result = CliRunner().invoke(app, ["--root", str(zoo.root)])
    assert result.exit_code == 1 and "synthetic-medium" in result.output
    zoo.teacher("synthetic-medium")
    result = CliRunner().invoke(app, ["--root", str(zoo.root)])
    assert result.exit_code == 0, result.output
    assert "bert-mini" in result.output and "open" in result.output
    result = CliRunner().invoke(app, ["--root", str(zoo.root), "--student", "bert-mini", "--profile", "local"])
    assert result.exit_code == 0 and CLAUSE in result.output and "obligations:" in result.output
    result = CliRunner().invoke(app, ["--root", str(zoo.root), "--student", "nobody"])
    assert result.exit_code == 2 and "unknown student 'nobody'" in result.output
