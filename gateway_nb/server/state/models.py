"""The model of the embedded gateway's agents, and what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

PROVIDER, MODEL = "local", "local-1"
CONTEXT_TOKENS = 131_072
MAX_TOKENS = 8192
PRICES = {"input": 1.0, "output": 2.0, "cacheRead": 0.5, "cacheWrite": 1.0}
"""USD per 1,000,000 tokens."""
KINDS = tuple(PRICES)


def usage_of(prompt: str, answer: str) -> dict[str, Any]:
    """Return the usage of one call of the model: a word is a token, and nothing is cached."""
    tokens = {"input": len(prompt.split()), "output": len(answer.split()), "cacheRead": 0, "cacheWrite": 0}
    cost = {kind: tokens[kind] * PRICES[kind] / 1_000_000 for kind in KINDS}
    return {**tokens, "totalTokens": sum(tokens.values()), "cost": {**cost, "total": sum(cost.values())}}


def no_usage() -> dict[str, Any]:
    """Return the usage of a call that failed."""
    return usage_of("", "")


def run_usage(calls: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return the usage of a run as its final answer tells it, given that of its calls."""
    calls = list(calls)
    tokens = {kind: sum(call[kind] for call in calls) for kind in KINDS}
    return {**tokens, "total": sum(tokens.values()), "cost": {"total": sum(call["cost"]["total"] for call in calls)}}
