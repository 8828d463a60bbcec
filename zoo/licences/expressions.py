"""What an SPDX expression allows: OR takes its laxest branch, AND its strictest part, WITH only what the table lists.

See https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/. Parsing is the `license-expression` library's.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from functools import lru_cache

from boolean.boolean import Expression
from license_expression import (
    ExpressionError,
    ExpressionParseError,
    LicenseSymbol,
    LicenseWithExceptionSymbol,
    Licensing,
    get_spdx_licensing,
)

from zoo.licences.policy import LEVELS, Policy, Use, strictest
from zoo.registry.recipes import LicenceLevel

SPDX_ID = re.compile(r"[A-Za-z0-9.-]*[A-Za-z][A-Za-z0-9.-]*\+?")
"""The library takes nearly anything for an id, such as a lone `+` as one branch of an OR."""

UNFORESEEN = (AssertionError, AttributeError, IndexError, RecursionError, TypeError)
"""What the library raises, besides its own errors, on `()`, `(OR MIT` and their like."""


@dataclass(frozen=True)
class Ruling:
    """What one expression, or one part of it, lets a student be."""

    level: LicenceLevel
    why: str
    obligations: tuple[str, ...] = ()


def judge_expression(spdx: str, uses: tuple[Use, ...], policy: Policy) -> Ruling:
    """Return the ruling on an SPDX expression for all of the uses together.

    The same branch of an OR must serve every use: a licence is chosen once, not once per method. What does not parse,
    or is not in the table, is refused.
    """
    spdx = " ".join(spdx.split())
    try:
        parsed = _licensing(policy).parse(spdx)
    except (ExpressionError, ExpressionParseError) as error:
        return Ruling("refused", f"'{spdx}' is not an SPDX expression ({' '.join(str(error).split())})")
    except UNFORESEEN as error:
        return Ruling("refused", f"'{spdx}' is not an SPDX expression ({type(error).__name__})")
    if parsed is None:
        return Ruling("refused", "no licence is named")
    odd = [str(symbol) for symbol in parsed.symbols if not _is_written_well(symbol)]
    if odd:
        return Ruling("refused", f"'{spdx}' is not an SPDX expression ({' '.join(odd[0].split())} is not an id)")
    return _judge(parsed, uses, policy)


def _is_written_well(symbol: LicenseSymbol | LicenseWithExceptionSymbol) -> bool:
    return all(SPDX_ID.fullmatch(part) for part in str(symbol).split(" WITH "))


@lru_cache(maxsize=8)
def _names(policy_names: tuple[str, ...]) -> Licensing:
    # Our own symbols, without the library's aliases: one of those turns `LicenseRef-MIT-Discord` into `MIT`.
    return Licensing([LicenseSymbol(name) for name in policy_names if " WITH " not in name])


def _licensing(policy: Policy) -> Licensing:
    return _names(tuple(policy.licences))


def _judge(part: Expression, uses: tuple[Use, ...], policy: Policy) -> Ruling:
    if isinstance(part, LicenseWithExceptionSymbol):
        return _judge_name(f"{part.license_symbol.key} WITH {part.exception_symbol.key}", uses, policy)
    if isinstance(part, LicenseSymbol):
        return _judge_name(part.key, uses, policy)
    rulings = [(str(child), _judge(child, uses, policy)) for child in part.args]
    if part.operator.strip() == "OR":
        name, chosen = min(rulings, key=lambda pair: LEVELS.index(pair[1].level))
        return Ruling(chosen.level, f"'{name}' chosen of '{part}': {chosen.why}", chosen.obligations)
    level = strictest(*(ruling.level for _, ruling in rulings))
    binding = "; ".join(f"'{name}' binds: {ruling.why}" for name, ruling in rulings if ruling.level == level)
    return Ruling(level, binding, tuple(dict.fromkeys(o for _, ruling in rulings for o in ruling.obligations)))


def _judge_name(name: str, uses: tuple[Use, ...], policy: Policy) -> Ruling:
    found = policy.find(name)
    if found is None:
        return Ruling("refused", _why_unknown(name, policy))
    entry = found[1]
    level = entry.level_for(uses)
    return Ruling(level, entry.why, entry.obligations if level != "refused" else ())


def _why_unknown(name: str, policy: Policy) -> str:
    if name in {"NOASSERTION", "NONE"}:
        return "its licence has not been read yet"
    if " WITH " in name:
        return f"the pair '{name}' is not in the policy table"
    if name.casefold() in _spdx_ids():
        return f"'{name}' is an SPDX licence that the policy table does not weigh"
    near = difflib.get_close_matches(name.casefold(), [listed.casefold() for listed in policy.licences], n=1)
    found = policy.find(near[0]) if near else None
    hint = f"; '{found[0]}' is" if found else ""
    return f"'{name}' is not a licence of the policy table{hint}"


@lru_cache(maxsize=1)
def _spdx_ids() -> frozenset[str]:
    return frozenset(name.casefold() for name in get_spdx_licensing().known_symbols)
