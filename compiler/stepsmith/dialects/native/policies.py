"""Reads `retry` and `on_failure`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stepsmith.dialects.native.reading import Reader, describe
from stepsmith.document import MappingNode, Node, ScalarNode, SequenceNode
from stepsmith.model.policies import Handler, Jitter, RetryPolicy, RetryRule, Then
from stepsmith.model.steps import Block

RETRY_KEYS: Final = ("max_retries", "delay", "backoff", "max_delay", "jitter", "on")
HANDLER_KEYS: Final = ("errors", "steps", "then")
MAX_RETRIES: Final = 99_999_999
"""Of a retrier: Amazon States Language, "Retrying after an error"."""

BlockReader = Callable[[Node, str], Block]


def read_retry(reader: Reader, node: Node) -> RetryPolicy | None:
    """A number of retries, a mapping or a list of mappings."""
    if isinstance(node, ScalarNode) and isinstance(node.value, int) and not isinstance(node.value, bool):
        count = reader.whole(node, "retry", 0, MAX_RETRIES)
        if count is None:
            return None
        return RetryPolicy((RetryRule(count, span=node.span),) if count else (), transient=count > 0, span=node.span)
    if isinstance(node, MappingNode):
        rule = _rule(reader, node)
        return RetryPolicy((rule,), span=node.span) if rule else None
    if isinstance(node, SequenceNode):
        found = [_rule(reader, item) for item in _mappings(reader, node, "a retry rule")]
        return RetryPolicy(tuple(rule for rule in found if rule), span=node.span)
    reader.wrong_shape(node, "retry", "a number of retries, a mapping or a list", "write retry: 3")
    return None


def _rule(reader: Reader, node: MappingNode) -> RetryRule | None:
    reader.known_keys(node, RETRY_KEYS, "retry")
    entry = node.get("max_retries")
    retries = reader.whole(entry, "max_retries", 0, MAX_RETRIES) if entry else 3
    delay = reader.duration(node_, "delay") if (node_ := node.get("delay")) else 1
    cap = reader.duration(node_, "max_delay", most=31_622_400) if (node_ := node.get("max_delay")) else None
    backoff = _backoff(reader, node_) if (node_ := node.get("backoff")) else 2.0
    jitter = reader.choice(node_, "jitter", tuple(Jitter)) if (node_ := node.get("jitter")) else Jitter.FULL
    names = reader.texts(node_, "an error name") if (node_ := node.get("on")) else None
    if names == ():
        reader.diagnostics.error(
            "bad-retry", "retry.on lists no error", node.span, "leave `on` out to retry on every error"
        )
    if cap is not None and delay is not None and cap < delay:
        reader.diagnostics.error(
            "bad-retry",
            f"max_delay ({cap}s) is shorter than delay ({delay}s)",
            node.span,
            "raise max_delay or lower delay",
        )
        return None
    if retries is None or delay is None or backoff is None or jitter is None:
        return None
    return RetryRule(
        retries,
        delay,
        backoff,
        cap,
        Jitter(jitter),
        tuple(name for name, _ in names) if names else None,
        node.span,
        tuple(span for _, span in names or ()),
    )


def _backoff(reader: Reader, node: Node) -> float | None:
    value = node.value if isinstance(node, ScalarNode) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        reader.wrong_shape(node, "backoff", "a number such as 2")
        return None
    if value < 1:
        reader.diagnostics.error(
            "bad-retry", f"backoff must be at least 1, not {value}", node.span, "write 1 for a steady delay"
        )
        return None
    return float(value)


def read_on_failure(reader: Reader, node: Node, block: BlockReader) -> tuple[Handler, ...] | None:
    """`fail`, `continue` (or `skip`), `rollback`, or a list of handlers."""
    if isinstance(node, SequenceNode):
        handlers = tuple(_handler(reader, item, block) for item in _mappings(reader, node, "a handler"))
        for handler in handlers[:-1]:
            if handler.errors is None:
                reader.diagnostics.error(
                    "handler-order",
                    "a handler without `errors` takes every error, so it must be the last",
                    handler.span,
                    "move it to the end of the list",
                )
        return handlers
    word = reader.choice(node, "on_failure", ("fail", "continue", "skip", "rollback"))
    if word is None:
        return None
    then = Then.ROLLBACK if word == "rollback" else Then.CONTINUE
    return () if word == "fail" else (Handler(None, (), then, node.span),)


def _mappings(reader: Reader, node: SequenceNode, noun: str) -> list[MappingNode]:
    """The items of a list that are mappings; the others are reported."""
    found: list[MappingNode] = []
    for item in node.items:
        if mapping := reader.mapping(item, noun):
            found.append(mapping)
    return found


def _handler(reader: Reader, node: MappingNode, block: BlockReader) -> Handler:
    reader.known_keys(node, HANDLER_KEYS, "a handler")
    names = reader.texts(node_, "an error name") if (node_ := node.get("errors")) else None
    steps = block(node_, "steps") if (node_ := node.get("steps")) else ()
    then = reader.choice(node_, "then", tuple(Then)) if (node_ := node.get("then")) else Then.FAIL
    if names == () and (empty := node.get("errors")):
        reader.diagnostics.error(
            "wrong-shape",
            f"errors must list error names, not {describe(empty)}",
            empty.span,
            "leave it out to take every error",
        )
    return Handler(
        tuple(name for name, _ in names) if names else None,
        steps,
        Then(then or Then.FAIL),
        node.span,
        tuple(span for _, span in names or ()),
    )
