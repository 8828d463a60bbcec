"""The licence gate: teacher x output terms x corpora x their makers x methods -> verdict, before anything is fetched.

The rules are DESIGN's: the strictest of all parts decides, and what is unknown is refused. A test corpus is only read
to measure: it never lowers the student, but it must be readable at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal

from zoo.licences.evidence import judge_evidence
from zoo.licences.policy import USE_OF_METHOD, Policy, Use, default_policy
from zoo.licences.verdicts import LicenceRefused, Reason, Verdict
from zoo.registry import Corpus, DeclarationError, Encoder, Profile, Registry, Student, Teacher, Terminology
from zoo.registry.corpora import CorpusPurpose
from zoo.registry.recipes import CorpusUse, Method

Role = Literal["gold", "teacher_gold", "dev", "transfer", "pretraining", "terminology", "test"]
ROLES: tuple[Role, ...] = ("gold", "teacher_gold", "dev", "transfer", "test")  # those a profile names itself
PURPOSES: dict[Role, tuple[CorpusPurpose, ...]] = {
    "gold": ("gold",),
    "teacher_gold": ("gold",),
    "dev": ("gold",),
    "transfer": ("transfer",),
    "pretraining": ("pretraining",),
    "terminology": ("lexicon",),
    "test": ("test", "evaluation"),
}
"""What a card must list in `uses` for a corpus to play each role; one of them is enough."""
FULL_COMMIT = re.compile(r"[0-9a-f]{40}")
SHA256 = re.compile(r"[0-9a-f]{64}")


def judge_recipe(registry: Registry, student: Student, profile: Profile, policy: Policy | None = None) -> Verdict:
    """Return what a student made by this profile may be.

    Nothing is fetched and nothing raises: an unknown id or a file at fault is a reason to refuse.
    """
    policy = policy or default_policy()
    reasons = list(_teacher_reasons(registry, profile, policy))
    for role in ROLES:
        for use in getattr(profile, role):
            reasons += _use_reasons(registry, profile.upstream, role, use, policy)
    for encoder_id in dict.fromkeys(filter(None, (profile.encoder, _teachers_encoder(registry, profile)))):
        reasons += _entry_reasons(registry, "encoder", encoder_id, profile.upstream, policy)
    for terminology_id in profile.all_terminologies:
        reasons += _entry_reasons(registry, "terminology", terminology_id, profile.upstream, policy)
    return Verdict.of(f"student '{student.id}'", reasons)


def judge_encoder(registry: Registry, encoder: Encoder, policy: Policy | None = None) -> Verdict:
    """Return what a pretrained encoder of the zoo's own may be, by the texts it reads."""
    policy = policy or default_policy()
    reasons = [
        reason
        for use in encoder.corpora
        for reason in _use_reasons(registry, encoder.upstream, "pretraining", use, policy)
    ]
    return Verdict.of(f"encoder '{encoder.id}'", reasons)


def judge_teacher(teacher: Teacher, methods: tuple[Method, ...], policy: Policy | None = None) -> Verdict:
    """Return what a student may be that takes these things from this teacher."""
    policy = policy or default_policy()
    subject = f"teacher '{teacher.id}'"
    if teacher.licence is None:
        why = "trained on the recipe's own corpora, which are judged apart"
        return Verdict.of(subject, [Reason(subject, "open", "", "", "", why)])
    uses: tuple[Use, ...] = tuple(dict.fromkeys(USE_OF_METHOD[method] for method in methods)) or ("outputs",)
    reasons = [judge_evidence(subject, teacher.id, teacher.licence, uses, policy)]
    if teacher.output_terms.strip() and set(uses) & {"outputs", "pseudo_labels"}:
        reasons.append(_judge_output_terms(subject, teacher, policy))
    if not FULL_COMMIT.fullmatch(teacher.revision or ""):
        reasons.append(_unpinned(subject, "model", teacher.hub_id, teacher.revision))
    return Verdict.of(subject, reasons)


def judge_corpus(
    registry: Registry,
    corpus: Corpus,
    upstream: bool = False,
    policy: Policy | None = None,
    uses: tuple[Use, ...] = ("text",),
) -> Verdict:
    """Return what a student may be that learns from this corpus.

    Args:
        registry: where the models that generated the corpus are declared.
        corpus: the corpus.
        upstream: rely on the publisher's clause instead of the copy's tag.
        policy: the policy table; the zoo's own by default.
        uses: what is taken from it; of a terminology, the labels it gives too.
    """
    policy = policy or default_policy()
    subject = f"corpus '{corpus.id}'"
    reasons = [_judge_text(subject, corpus, upstream, policy, uses)]
    reasons += _pin_reasons(subject, corpus)
    for generator in corpus.generated_by:
        reasons.append(_judge_generator(registry, subject, generator, policy))
    return Verdict.of(subject, reasons)


def find_objection(verdict: Verdict, profile: Profile) -> Reason | None:
    """Return the strictest reason that the profile does not accept; None when it may go ahead.

    `open` needs no word, `refused` and `evaluation-only` cannot be accepted, and each level in between must be listed
    by name: to accept `research-only` is not to accept `share-alike`.
    """
    accepted = {"open", *profile.accept} - {"evaluation-only", "refused"}
    return next((reason for reason in verdict.reasons if reason.level not in accepted), None)


def enforce(verdict: Verdict, profile: Profile, who: str) -> None:
    """Let the recipe through, or raise.

    Raises:
        LicenceRefused: one line with who, what, the clause and the way out.
    """
    reason = find_objection(verdict, profile)
    if reason is None:
        return
    way_out = reason.way_out
    if reason.level not in {"evaluation-only", "refused"}:
        way_out = f'add accept = ["{reason.level}"] to the profile, which marks the card, or {way_out}'
    raise LicenceRefused(" ".join(f"{who}: {reason}; {way_out}".split()))


def _teacher_reasons(registry: Registry, profile: Profile, policy: Policy) -> Iterator[Reason]:
    subject = f"teacher '{profile.teacher}'"
    try:
        teacher = registry.teacher(profile.teacher)
    except DeclarationError as error:
        yield _refusal(subject, str(error), "correct it or name another teacher")
        return
    methods = profile.methods
    if profile.distillation.relation_weight > 0:
        methods = (*methods, "logits")  # what that loss takes, whatever `methods` says
    if profile.distillation.soft_weight > 0:  # so too the soft labels: a generated answer, or a distribution
        methods = (*methods, "pseudo-labels" if teacher.kind == "endpoint" else "logits")
    yield from judge_teacher(teacher, methods, policy).reasons


def _teachers_encoder(registry: Registry, profile: Profile) -> str | None:
    try:
        return registry.teacher(profile.teacher).encoder
    except DeclarationError:
        return None  # the teacher's own reasons refuse it


def _entry_reasons(
    registry: Registry,
    kind: Literal["encoder", "terminology"],
    entry_id: str,
    upstream: tuple[str, ...],
    policy: Policy,
) -> Iterator[Reason]:
    """Yield the reasons of the texts behind an entry.

    What an encoder read binds whoever starts from its weights. A terminology's lists are texts that are read, and
    labels that are given. The recipe that names the entry says itself whether it relies on the publishers' clauses:
    what one recipe accepted, another has not.
    """
    find: Callable[[str], Encoder | Terminology] = registry.encoder if kind == "encoder" else registry.terminology
    role: Role = "pretraining" if kind == "encoder" else "terminology"
    try:
        entry = find(entry_id)
    except DeclarationError as error:
        yield _refusal(f"{kind} '{entry_id}'", str(error), f"correct it or name another {kind}")
        return
    for use in entry.corpora:
        for reason in _use_reasons(registry, upstream, role, use, policy):
            yield replace(reason, subject=f"{kind} '{entry_id}', {reason.subject}")


def _use_reasons(
    registry: Registry, upstream: tuple[str, ...], role: Role, use: CorpusUse, policy: Policy
) -> Iterator[Reason]:
    subject = f"corpus '{use.corpus}' ({role})"
    try:
        corpus = registry.corpus(use.corpus)
    except DeclarationError as error:
        yield _refusal(subject, str(error), "correct it or name another corpus")
        return
    if not set(PURPOSES[role]) & set(corpus.uses):
        yield _refusal(subject, f"its card does not list '{PURPOSES[role][0]}' among its uses", "take another corpus")
    if not corpus.splits.get(use.split):
        known = ", ".join(sorted(split for split, file in corpus.splits.items() if file)) or "none"
        yield _refusal(subject, f"split '{use.split}' has no known file; known: {known}", "write it on the card")
    uses: tuple[Use, ...] = ("text", "pseudo_labels") if role == "terminology" else ("text",)
    for reason in judge_corpus(registry, corpus, use.corpus in upstream, policy, uses).reasons:
        yield replace(_in_role(reason, role, corpus), subject=subject)


def _in_role(reason: Reason, role: Role, corpus: Corpus) -> Reason:
    """Return what a reason about a text comes to in its role: tests measure, everything else teaches."""
    if role == "test" and reason.level != "refused":
        why = f"read only to measure, {reason.level} text does not bind the student"
        kept = () if reason.level == "open" else (f"never redistribute the text of {corpus.id}",)
        return replace(reason, level="open", why=why, obligations=kept)
    if role != "test" and reason.level == "evaluation-only":
        why = f"evaluation-only text cannot teach ({reason.why})"
        return replace(reason, level="refused", why=why, obligations=(), way_out="use it in test only")
    return reason


def _judge_text(subject: str, corpus: Corpus, upstream: bool, policy: Policy, uses: tuple[Use, ...]) -> Reason:
    if not upstream:
        reason = judge_evidence(subject, corpus.id, corpus.licence, uses, policy)
        if corpus.upstream is None or reason.level == "open":
            return reason
        switch = f'list upstream = ["{corpus.id}"] to rely on the publisher\'s clause ({corpus.upstream.spdx})'
        return replace(reason, way_out=f"{switch}, or {reason.way_out}")
    if corpus.upstream is None:
        return _refusal(subject, "the profile's `upstream` names it, but its card quotes no upstream clause", "drop it")
    reason = judge_evidence(subject, corpus.id, corpus.upstream, uses, policy)
    both = (
        f"say on the card that this copy of {corpus.id} is tagged {corpus.licence.spdx} "
        f"and that its publisher's {corpus.upstream.spdx} is relied upon"
    )
    why = f"under its publisher's clause, by the profile's `upstream` (copy tagged {corpus.licence.spdx}): {reason.why}"
    return replace(reason, why=why, obligations=(*reason.obligations, both))


def _pin_reasons(subject: str, corpus: Corpus) -> Iterator[Reason]:
    revision = corpus.revision or ""
    if corpus.source == "hub" and not FULL_COMMIT.fullmatch(revision):
        yield _unpinned(subject, "dataset", corpus.hub_id, corpus.revision)
    if corpus.source == "archive" and not SHA256.fullmatch(revision):
        yield _refusal(
            subject, "archive not pinned by its sha256", "write the archive's sha256 as its revision", pin=True
        )
    if corpus.source == "synthetic" and not revision.strip():
        yield _refusal(subject, "generator version not given", "write the generator's version as its revision")


def _judge_generator(registry: Registry, subject: str, generator: str, policy: Policy) -> Reason:
    way_out = "take a corpus that no such model wrote"
    try:
        teacher = registry.teacher(generator)
    except DeclarationError:
        return _refusal(subject, f"generated by '{generator}', which no file of models/teachers declares", way_out)
    if teacher.licence is None:
        return _refusal(subject, f"generated by '{generator}', trained from corpora that are not named", way_out)
    worst = judge_teacher(teacher, ("generated-text",), policy).reasons[0]
    return replace(worst, subject=subject, why=f"generated by '{generator}': {worst.why}", way_out=way_out)


def _judge_output_terms(subject: str, teacher: Teacher, policy: Policy) -> Reason:
    spdx, read_at = (teacher.licence.spdx, teacher.licence.read_at) if teacher.licence else ("", "")
    terms = policy.terms(teacher.output_terms)
    if terms is None:
        why = "its terms speak of models trained on its outputs, in words that the policy table does not weigh"
        way_out = "weigh them in zoo/licences/policy.toml"
        return Reason(subject, "refused", spdx, teacher.output_terms, read_at, why, way_out)
    return Reason(subject, terms.level, spdx, teacher.output_terms, read_at, terms.why, "take another teacher")


def _unpinned(subject: str, kind: Literal["model", "dataset"], hub_id: str | None, revision: str | None) -> Reason:
    said = f"'{revision}' is not a full commit" if revision else "no commit is given"
    hint = "write the full commit (40 hex digits) as its revision"
    if hub_id:
        code = f"from huggingface_hub import HfApi; print(HfApi().{kind}_info('{hub_id}').sha)"
        hint = f'pin it, after reading it: python -c "{code}" prints the commit'
    return _refusal(subject, f"revision not pinned: {said}", hint, pin=True)


def _refusal(subject: str, why: str, way_out: str, pin: bool = False) -> Reason:
    return Reason(subject, "refused", "", "", "", why, way_out, pin=pin)
