"""From the inside of one `{{ }}` to Jinja2's tree, by Jinja2's own parser.

The parser is given token offsets for line numbers, strings that we decoded, and no more nesting than Python's stack
holds. Nothing here knows names, types or JSONata.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import Token, TokenStream, operators
from jinja2.parser import Parser

from stepsmith.diagnostics import Diagnostics
from stepsmith.expressions.places import Places
from stepsmith.expressions.tree import Expression
from stepsmith.source import Span

_ENVIRONMENT = Environment(autoescape=False)  # noqa: S701 - it parses, it never renders

# Far beyond what a person writes; they keep Jinja2's recursive parser and our walks within Python's stack.
_MOST_TOKENS = 4000
_DEEPEST_BRACKETS = 40
_MOST_PREFIXES = 40

_STRING_ESCAPE = re.compile(
    r"\\(?:\n|[\\'\"abfnrtv]|[0-7]{1,3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]*\}|[xuUN])"
)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN = re.compile(rf"[ \t]*({_WORD.pattern})(?:\.{_WORD.pattern}){{0,20}}[ \t]*")
"""A reference without anything that needs more than a look at its words."""
_WORDS = frozenset(("and", "or", "not", "in", "is", "if", "else", "true", "false", "none", "True", "False", "None"))
"""Words that mean something else than a name where an expression begins."""
_NESTING = (nodes.And, nodes.Or, nodes.Concat)


class _UnreadableError(Exception):
    """A fragment that is not an expression; becomes a diagnostic at once."""

    def __init__(self, message: str, offset: int, help_text: str = "", slug: str = "expression-syntax") -> None:
        super().__init__(message)
        self.message, self.offset, self.help, self.slug = message, offset, help_text, slug


_TOO_DEEP = "split it: compute a part in a `set:` step and read it as vars.NAME"

_HINTS = {
    "&": "write `and`; to join texts write `~`",
    "|": "a filter's name follows `|`; for a choice between two conditions write `or`",
    "!": "write `not`, or `!=`",
    "?": "write `a if condition else b`",
    "=": "to compare write `==`",
    ";": "write one expression",
    "$": "names have no $: write input.x, steps.id.output.x, vars.x",
    "`": "quote text with ' or \"",
    "#": "comments stand outside of expressions",
    "@": "there are no decorators or context references; write input.x",
    "<>": "write `!=`",
    ":": "an object is written {'key': value}",
}


def parse_expression(
    fragment: str, places: Places, diagnostics: Diagnostics, *, hyphens: bool = False
) -> Expression | None:
    """One expression, the inside of `{{ }}`; None after reporting why it is none.

    `hyphens`: in a reference, words joined by hyphens are one name (`steps.check-api.output`), as in dialects that do
    not calculate.
    """
    span = _inner_span(fragment, places)
    try:
        return _parse(fragment, places, span, hyphens)
    except _UnreadableError as problem:
        found = _inner_span(fragment, places)
        if 0 <= problem.offset < len(fragment):
            found = places.span(problem.offset, problem.offset + 1)
        diagnostics.error(problem.slug, problem.message, found, problem.help)
    except RecursionError:
        diagnostics.error("expression-too-deep", "this expression is nested too deeply", span, _TOO_DEEP)
    return None


def _inner_span(fragment: str, places: Places) -> Span:
    start = len(fragment) - len(fragment.lstrip())
    return places.span(start, max(len(fragment.rstrip()), start + 1))


def _parse(fragment: str, places: Places, span: Span, hyphens: bool) -> Expression:
    plain = _PLAIN.fullmatch(fragment)
    if plain is not None and plain[1] not in _WORDS:
        return _plain_reference(fragment, places, span)
    if not fragment.strip():
        raise _UnreadableError("this {{ }} is empty", -1, "write what to read, such as {{ input.name }}")
    tokens = list(_tokens(fragment))
    if hyphens:
        tokens = _with_hyphens(fragment, tokens)
    if len(tokens) > _MOST_TOKENS:
        raise _UnreadableError("this expression is too long", -1, _TOO_DEEP, "expression-too-deep")
    _refuse_deep_nesting(tokens)
    parser = Parser(_ENVIRONMENT, "", state="variable")
    parser.stream = TokenStream(iter([token for token, _ in tokens]), None, None)
    try:
        node = parser.parse_tuple(with_condexpr=True)
        if parser.stream.current.type != "eof":
            parser.fail("trailing", parser.stream.current.lineno)
    except TemplateSyntaxError as error:
        raise _explained(fragment, error.lineno, parser.stream.current.type == "eof") from None
    _refuse_deep_tree(node)
    return Expression(fragment, node, span, places, tuple((token.lineno, end) for token, end in tokens))


def _plain_reference(fragment: str, places: Places, span: Span) -> Expression:
    """A reference such as `input.host.name`, as Jinja2's parser gives it; most expressions are one."""
    tokens: list[tuple[int, int]] = []
    node: nodes.Expr | None = None
    for word in _WORD.finditer(fragment):
        start, end = word.span()
        if node is None:
            node = nodes.Name(word[0], "load", lineno=start)
        else:
            tokens.append((start - 1, start))
            node = nodes.Getattr(node, word[0], "load", lineno=start - 1)
        tokens.append((start, end))
    assert node is not None
    return Expression(fragment, node, span, places, tuple(tokens))


def _explained(fragment: str, offset: int, at_end: bool) -> _UnreadableError:
    if at_end:
        return _UnreadableError("the expression ends too early", -1, "complete it, or quote it if it is text")
    word = re.match(r"\w+|<>|.", fragment[offset:], re.DOTALL)
    found = word[0] if word else ""
    return _UnreadableError(f"unexpected {found!r} in the expression", offset, _HINTS.get(found, ""))


def _tokens(fragment: str) -> Iterator[tuple[Token, int]]:
    """Jinja2's tokens with the offset in place of the line, and the offset behind each."""
    at = 0
    try:
        for _, kind, text in _ENVIRONMENT.lexer.tokeniter(fragment, None, None, "variable"):
            start, at = at, at + len(text)
            if kind == "whitespace":
                continue
            yield _token(start, kind, text), at
    except TemplateSyntaxError:
        char = fragment[at : at + 1]
        help_text = _HINTS.get(char, "")
        if char in "\"'":
            raise _UnreadableError("this quote is not closed", at, "") from None
        raise _UnreadableError(f"unexpected {char!r} in the expression", at, help_text) from None


def _with_hyphens(fragment: str, tokens: list[tuple[Token, int]]) -> list[tuple[Token, int]]:
    """The tokens with `check-api` as one name, behind a dot or before one, where no space stands around the hyphen."""
    found: list[tuple[Token, int]] = []
    at = 0
    while at < len(tokens):
        token, end = tokens[at]
        last = at
        while token.type == "name" and _continues(tokens, last):
            last += 2
        behind_dot = bool(found) and found[-1][0].type == "dot"
        before_dot = last + 1 < len(tokens) and tokens[last + 1][0].type == "dot"
        if last > at and (behind_dot or before_dot):
            end = tokens[last][1]
            token = Token(token.lineno, "name", fragment[token.lineno : end])
            at = last
        found.append((token, end))
        at += 1
    return found


def _continues(tokens: list[tuple[Token, int]], at: int) -> bool:
    """Whether a hyphen and another word follow the word at `at`, without space between them."""
    if at + 2 >= len(tokens):
        return False
    (_, end), (hyphen, after), (word, _) = tokens[at : at + 3]
    return hyphen.type == "sub" and hyphen.lineno == end and word.lineno == after and word.type in ("name", "integer")


def _token(offset: int, kind: str, text: str) -> Token:
    match kind:
        case "operator":
            return Token(offset, operators[text], text)
        case "name":
            if not text.isidentifier():
                raise _UnreadableError(f"{text!r} is not a name", offset)
            return Token(offset, kind, text)
        case "string":
            return Token(offset, kind, _unescaped(text[1:-1], offset))
        case "integer":
            digits = text.replace("_", "")
            if len(digits) > 100:
                raise _UnreadableError("this number is too large", offset, "keep it as text", "big-integer")
            return Token(offset, kind, int(digits, 0))  # type: ignore[arg-type]  # as Jinja2's own lexer does
        case "float":
            return Token(offset, kind, float(text.replace("_", "")))  # type: ignore[arg-type]
        case "variable_end" | "variable_begin":
            raise _UnreadableError(f"unexpected {text.strip()!r} in the expression", offset)
    return Token(offset, kind, text)


def _unescaped(text: str, offset: int) -> str:
    def decoded(match: re.Match[str]) -> str:
        try:
            return match[0].encode("ascii").decode("unicode_escape")
        except UnicodeDecodeError:
            raise _UnreadableError(f"{match[0]} is not a character", offset, "write \\\\ for a backslash") from None

    value = _STRING_ESCAPE.sub(decoded, text) if "\\" in text else text
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise _UnreadableError("half of a surrogate pair is not a character", offset, "write it as \\UXXXXXXXX")
    return value


def _refuse_deep_nesting(tokens: Sequence[tuple[Token, int]]) -> None:
    """Bounds the recursion of Jinja2's parser before it starts: brackets, and prefixes that nest (`not not`, `--`)."""
    depth = prefixes = 0
    for token, _ in tokens:
        if token.type in ("lparen", "lbracket", "lbrace"):
            depth += 1
        elif token.type in ("rparen", "rbracket", "rbrace"):
            depth -= 1
        is_prefix = token.type in ("sub", "add") or (token.type, token.value) == ("name", "not")
        prefixes = prefixes + 1 if is_prefix else 0
        if depth > _DEEPEST_BRACKETS or prefixes > _MOST_PREFIXES:
            raise _UnreadableError(
                "this expression is nested too deeply", token.lineno, _TOO_DEEP, "expression-too-deep"
            )


def _refuse_deep_tree(root: nodes.Node, deepest: int = 110) -> None:
    """Bounds our own walks. Chains of `and`, `or` and `~` count once, since they are written as balanced groups."""
    pending: list[tuple[nodes.Node, int]] = [(root, 0)]
    while pending:
        node, depth = pending.pop()
        if depth > deepest:
            raise _UnreadableError("this expression is nested too deeply", -1, _TOO_DEEP, "expression-too-deep")
        for child in node.iter_child_nodes():
            in_chain = isinstance(node, _NESTING) and type(child) is type(node)
            pending.append((child, depth if in_chain else depth + 1))
