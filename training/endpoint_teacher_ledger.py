"""What a generative teacher was asked, what it answered and what that cost: one line of numbers a request, never text.

The file grows line by line, so that what a killed pass has spent stays counted when another goes on.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any

from training.endpoint_teacher_answers import ANSWER_COUNTS, ENTITY_COUNTS, MATCH_COUNTS
from zoo.registry.teachers import Endpoint

LEDGER = "ledger.jsonl"
RETRIES = ("busy", "server_errors", "timeouts", "connection_errors", "unreadable_replies")
REQUEST_COUNTS = ("requests", "retries", "failed_requests", *RETRIES)
TOKEN_COUNTS = ("prompt_tokens", "completion_tokens", "unmetered_answers")


class Ledger:
    """Counts that are kept on disk as they come."""

    def __init__(self, path: Path) -> None:
        """Open a ledger, with what earlier calls wrote there; a last line that a kill tore is left out."""
        self.path, self._lock = path, Lock()
        self.totals: Counter[str] = Counter()
        whole = b""
        if path.is_file():
            content = path.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            if whole != content:
                path.write_bytes(whole)
        for line in whole.splitlines():
            self.totals.update(json.loads(line))

    def add(self, counts: Mapping[str, float]) -> None:
        """Count, in memory and on disk."""
        kept = {name: value for name, value in counts.items() if value}
        with self._lock:
            self.totals.update(kept)  # type: ignore[arg-type]
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(kept) + "\n")

    def report(self, endpoint: Endpoint) -> dict[str, Any]:
        """Return the figures that stand beside the targets: counts, rates, tokens, seconds, cost and energy."""
        totals = self.totals
        unread = sum(totals[name] for name in ANSWER_COUNTS)
        unusable = sum(totals[name] for name in ENTITY_COUNTS if name != "listed")
        figures: dict[str, Any] = {name: totals[name] for name in ("passages", "answers", "untaught_passages")}
        for names in (REQUEST_COUNTS, TOKEN_COUNTS, ANSWER_COUNTS, ENTITY_COUNTS, MATCH_COUNTS):
            figures |= {name: totals[name] for name in names}
        return figures | {
            "request_seconds": round(totals["seconds"], 3),
            "waited_seconds": round(totals["waited"], 3),
            "rates": {
                "unread_answers": _rate(unread, totals["answers"]),
                "unusable_entities": _rate(unusable, totals["listed"]),
                "unaligned_entities": _rate(totals["unaligned"], totals["listed"]),
            },
            "cost": _cost(endpoint, totals),
            "energy": _energy(endpoint, totals),
        }


def _rate(part: float, whole: float) -> float | None:
    return round(part / whole, 6) if whole else None


def _cost(endpoint: Endpoint, totals: Counter[str]) -> dict[str, Any]:
    prices = endpoint.price_per_million_tokens
    if prices is None:
        return {"amount": None, "currency": None, "source": "no price declared in the teacher's [endpoint]"}
    amount = (totals["prompt_tokens"] * prices.prompt + totals["completion_tokens"] * prices.completion) / 1e6
    return {"amount": round(amount, 6), "currency": prices.currency, "source": prices.read_at + _caveat(totals)}


def _energy(endpoint: Endpoint, totals: Counter[str]) -> dict[str, Any]:
    rate = endpoint.watt_hours_per_1000_tokens
    if rate is None:
        source = "unknown: the teacher's [endpoint] declares no watt_hours_per_1000_tokens"
        return {"kwh": None, "grams_co2": None, "source": source}
    kwh = (totals["prompt_tokens"] + totals["completion_tokens"]) / 1000 * rate / 1000
    source = f"{rate:g} Wh per 1,000 tokens, declared: {endpoint.watt_hours_source}" + _caveat(totals)
    return {"kwh": round(kwh, 9), "grams_co2": None, "source": source}


def _caveat(totals: Counter[str]) -> str:
    unmetered = totals["unmetered_answers"]
    return f" (a lower bound: {unmetered} answers came without a count of tokens)" if unmetered else ""
