"""The licence gate: what a student may be, given its teacher, its corpora, who wrote them, and what it takes from each.

`policy.toml` is the table; `python -m zoo.licences` (`make licences`) prints the verdict on every student and profile.
"""

from __future__ import annotations

from zoo.licences.gate import enforce, find_objection, judge_corpus, judge_encoder, judge_recipe, judge_teacher
from zoo.licences.policy import LEVELS, Policy, default_policy, read_policy
from zoo.licences.verdicts import LicenceRefused, Reason, Verdict

__all__ = [
    "LEVELS",
    "LicenceRefused",
    "Policy",
    "Reason",
    "Verdict",
    "default_policy",
    "enforce",
    "find_objection",
    "judge_corpus",
    "judge_encoder",
    "judge_recipe",
    "judge_teacher",
    "read_policy",
]
