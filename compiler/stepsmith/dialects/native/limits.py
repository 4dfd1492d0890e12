"""Reads what runs share: `rate_limit`, `circuit_breaker` and `concurrency`."""

from __future__ import annotations

from typing import Final

from stepsmith.dialects.native.reading import Reader
from stepsmith.document import MappingNode, Node
from stepsmith.model.policies import CircuitBreaker, Concurrency, OnLimit, RateLimit
from stepsmith.model.values import Literal, Templated, Value

RATE_KEYS: Final = ("limit", "per", "key")
BREAKER_KEYS: Final = ("threshold", "window", "cooldown", "key")
CONCURRENCY_KEYS: Final = ("key", "limit", "on_limit")
MOST_RUNS: Final = 1000
MOST_STARTS: Final = 1_000_000
MOST_FAILURES: Final = 100
"""The failures that a circuit remembers."""
LONGEST: Final = 31 * 86_400
"""Seconds. A retrier waits no longer than that (ASL, `MaxDelaySeconds`)."""

EXAMPLES: Final = {
    "rate_limit": "write rate_limit: {limit: 10, per: 1m}",
    "concurrency": "write concurrency: {limit: 1, on_limit: queue}",
    "circuit_breaker": "write circuit_breaker: {threshold: 5, window: 1m, cooldown: 5m}",
}


def read_rate_limit(reader: Reader, node: Node) -> RateLimit | None:
    mapping = reader.mapping(node, "rate_limit", EXAMPLES["rate_limit"])
    if mapping is None:
        return None
    reader.known_keys(mapping, RATE_KEYS, "rate_limit")
    limit = _whole(reader, mapping, "rate_limit", "limit", MOST_STARTS)
    per = _duration(reader, mapping, "rate_limit", "per")
    key = _key(reader, mapping)
    return RateLimit(limit, per, key) if limit is not None and per is not None else None


def read_circuit_breaker(reader: Reader, node: Node) -> CircuitBreaker | None:
    mapping = reader.mapping(node, "circuit_breaker", EXAMPLES["circuit_breaker"])
    if mapping is None:
        return None
    reader.known_keys(mapping, BREAKER_KEYS, "circuit_breaker")
    threshold = _whole(reader, mapping, "circuit_breaker", "threshold", MOST_FAILURES)
    window = _duration(reader, mapping, "circuit_breaker", "window")
    cooldown = _duration(reader, mapping, "circuit_breaker", "cooldown")
    key = _key(reader, mapping)
    if threshold is None or window is None or cooldown is None:
        return None
    return CircuitBreaker(threshold, window, cooldown, key)


def read_concurrency(reader: Reader, node: Node) -> Concurrency | None:
    mapping = reader.mapping(node, "concurrency", EXAMPLES["concurrency"])
    if mapping is None:
        return None
    reader.known_keys(mapping, CONCURRENCY_KEYS, "concurrency")
    limit = _whole(reader, mapping, "concurrency", "limit", MOST_RUNS)
    word = reader.choice(given, "on_limit", tuple(OnLimit)) if (given := mapping.get("on_limit")) else OnLimit.QUEUE
    key = _key(reader, mapping, "the workflow's name")
    return Concurrency(limit, OnLimit(word), key, node.span) if limit is not None and word is not None else None


def _needed(reader: Reader, mapping: MappingNode, noun: str, name: str) -> Node | None:
    found = mapping.get(name)
    if found is None:
        reader.diagnostics.error("missing-key", f"{noun} needs `{name}`", mapping.span, EXAMPLES[noun])
    return found


def _whole(reader: Reader, mapping: MappingNode, noun: str, name: str, most: int) -> int | None:
    node = _needed(reader, mapping, noun, name)
    return reader.whole(node, name, 1, most) if node is not None else None


def _duration(reader: Reader, mapping: MappingNode, noun: str, name: str) -> int | None:
    node = _needed(reader, mapping, noun, name)
    return reader.duration(node, name, most=LONGEST) if node is not None else None


def _key(reader: Reader, mapping: MappingNode, default: str = "the action's name") -> Value | None:
    """A text in which expressions may stand."""
    node = mapping.get("key")
    if node is None:
        return None
    value = reader.value(node)
    if isinstance(value, Templated) or (isinstance(value, Literal) and isinstance(value.value, str) and value.value):
        return value
    reader.wrong_shape(node, "key", 'a text such as "{{ input.host }}"', f"leave it out to take {default}")
    return None
