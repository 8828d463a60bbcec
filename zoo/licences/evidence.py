"""What a licence's evidence is worth: a clause that was read, somewhere, on a day. A tag alone is never believed."""

from __future__ import annotations

import re
from functools import lru_cache

from license_expression import get_spdx_licensing

from zoo.licences.expressions import judge_expression
from zoo.licences.policy import Policy, Use
from zoo.licences.verdicts import Reason
from zoo.registry.teachers import LicenceEvidence

FEWEST_WORDS = 3
"""A quoted clause has at least so many words (« Built with Qwen »); `TODO` and `n/a` have fewer."""


def judge_evidence(subject: str, name: str, evidence: LicenceEvidence, uses: tuple[Use, ...], policy: Policy) -> Reason:
    """Return what the evidence lets a student be, for all of the uses together.

    Args:
        subject: how the reason calls the thing, such as `corpus 'x' (gold)`.
        name: its id, for the obligations.
        evidence: what its file says of its licence.
        uses: what is taken from it.
        policy: the policy table.
    """
    ruling = judge_expression(evidence.spdx, uses, policy)
    fault = _find_fault(evidence, policy)
    if fault:
        why = f"{ruling.why}; and {fault}" if ruling.level == "refused" else fault
        way_out = "read it, then quote its clause with where and when it was read"
        return Reason(subject, "refused", evidence.spdx, evidence.clause, evidence.read_at, why, way_out)
    kind = subject.split(" ", 1)[0]
    return Reason(
        subject,
        ruling.level,
        evidence.spdx,
        evidence.clause,
        evidence.read_at,
        ruling.why,
        f"take another {kind}",
        tuple(obligation.replace("{name}", name) for obligation in ruling.obligations),
    )


def _find_fault(evidence: LicenceEvidence, policy: Policy) -> str:
    """Return what keeps the evidence from being believed; empty when nothing does."""
    if not evidence.clause.strip():
        return "no clause is quoted"
    if _is_tag(evidence.clause, policy):
        return f"'{evidence.clause.strip()}' is a tag, not a clause"
    if len(re.findall(r"\w+", evidence.clause)) < FEWEST_WORDS:
        return f"'{evidence.clause.strip()}' is too short to be a clause"
    if not evidence.read_at.strip():
        return "where the clause was read is not said"
    if evidence.read_on is None:
        return "when the clause was read is not said"
    return ""


def _is_tag(clause: str, policy: Policy) -> bool:
    """Tell whether the "clause" only repeats a licence's name, in any spelling, alone or in an expression."""
    names = _folded_names(tuple(policy.licences))
    parts = re.split(r"\b(?:and|or|with)\b|[,;/+]", clause.casefold())
    return all(_fold(re.sub(r"\b(licen[cs]e|tag)\b", "", part)) in names for part in parts)


def _fold(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "", name.casefold().removeprefix("licenseref-"))


@lru_cache(maxsize=8)
def _folded_names(policy_names: tuple[str, ...]) -> frozenset[str]:
    known = get_spdx_licensing().known_symbols
    aliases = (alias for symbol in known.values() for alias in symbol.aliases)
    return frozenset({"", *map(_fold, (*policy_names, *known, *aliases))})
