"""From the text of a YAML field to parsed expressions.

We split the text ourselves, so that everything outside `{{ }}` stays as written (`{#`, `${x}`, line ends); Jinja2's
own parser reads only what is inside. It is given token offsets for line numbers, and so every node of its tree knows
its place. Nothing here knows names, types or JSONata.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import Token, TokenStream, operators
from jinja2.parser import Parser

from stepsmith.diagnostics import Diagnostics
from stepsmith.document import ScalarNode
from stepsmith.expressions.places import Places, places_of
from stepsmith.source import SourceFile, Span

_ENVIRONMENT = Environment(autoescape=False)  # noqa: S701 - it parses, it never renders

# Far beyond what a person writes; they keep Jinja2's recursive parser and our walks within Python's stack.
_MOST_TOKENS = 4000
_DEEPEST_BRACKETS = 40
_MOST_PREFIXES = 40

_STRING_ESCAPE = re.compile(
    r"\\(?:\n|[\\'\"abfnrtv]|[0-7]{1,3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\{[^}]*\}|[xuUN])"
)
_STATEMENT = re.compile(r"\{%.*?%\}", re.DOTALL)
_NESTING = (nodes.And, nodes.Or, nodes.Concat)


@dataclass(frozen=True, slots=True)
class Expression:
    """The parsed inside of one `{{ }}`. Equal when written equally; where it stands is not part of its value."""

    source: str
    node: nodes.Expr = field(compare=False, repr=False)
    span: Span = field(compare=False, repr=False)
    places: Places = field(compare=False, repr=False)
    tokens: tuple[tuple[int, int], ...] = field(compare=False, repr=False)

    @property
    def secret(self) -> str | None:
        """The name of the secret when the whole expression is just `secrets.NAME`."""
        match chain_of(self.node):
            case ("secrets", (str() as name,)):
                return name
        return None

    def span_of(self, node: nodes.Node) -> Span:
        """Where `node` is written: a reference as a whole, else the first word of it."""
        start = _leftmost(node).lineno
        last = node.lineno
        if isinstance(node, nodes.Getattr | nodes.Getitem):
            return self.places.span(start, self._end_of_step(node))
        if isinstance(node, nodes.Filter | nodes.Test):
            start = last if isinstance(node, nodes.Filter) else self._after(last)
        return self.places.span(start, self._end_of_token(start))

    def step_span(self, node: nodes.Getattr | nodes.Getitem) -> Span:
        """Where the last step of a reference is written: `size` of `input.file.size`."""
        end = self._end_of_step(node)
        if isinstance(node, nodes.Getattr):
            return self.places.span(end - len(node.attr), end)
        return self.places.span(node.lineno, end)

    def text_of(self, node: nodes.Expr) -> str:
        """The source of a reference for messages, such as `input.file.size`."""
        end = self._end_of_token(node.lineno)
        if isinstance(node, nodes.Getattr | nodes.Getitem):
            end = self._end_of_step(node)
        return self.source[_leftmost(node).lineno : end].strip()

    def _end_of_token(self, offset: int) -> int:
        return next((end for start, end in self.tokens if start >= offset), len(self.source))

    def _after(self, offset: int) -> int:
        return next((start for start, _ in self.tokens if start > offset), offset)

    def _end_of_step(self, node: nodes.Getattr | nodes.Getitem) -> int:
        """The end of `.name` or `[…]`, which begins at the node's own offset."""
        after = [token for token in self.tokens if token[0] >= node.lineno]
        if self.source[node.lineno : node.lineno + 1] != "[":
            return after[1][1] if len(after) > 1 else len(self.source)
        depth = 0
        for start, end in after:
            depth += {"[": 1, "]": -1}.get(self.source[start:end], 0)
            if depth == 0:
                return end
        return len(self.source)


@dataclass(frozen=True, slots=True)
class Template:
    """A field with expressions in it. `whole`: it is exactly one expression, and keeps the type of its value.

    `bare_words` says that the dialect compares with unquoted words (`severity == critical`).
    """

    parts: tuple[str | Expression, ...]
    whole: bool
    span: Span = field(compare=False, repr=False)
    bare_words: bool = False

    @property
    def expressions(self) -> tuple[Expression, ...]:
        return tuple(part for part in self.parts if isinstance(part, Expression))

    @property
    def secret(self) -> str | None:
        """The name of the secret when the whole field is just `{{ secrets.NAME }}`."""
        match self.parts:
            case (Expression() as only,) if self.whole:
                return only.secret
        return None


@dataclass(frozen=True, slots=True)
class Reference:
    """A read of a name: its root and the constant steps behind it. `guarded`: under `default` or `is defined`."""

    root: str
    path: tuple[str | int, ...]
    guarded: bool
    span: Span = field(compare=False, repr=False)


# --- splitting ------------------------------------------------------------------------------------------------------


def parse_template(node: ScalarNode, source: SourceFile, diagnostics: Diagnostics) -> Template | None:
    """The template that a field holds; None for a literal without `{{`, or after reporting an error."""
    text = node.value
    if not isinstance(text, str) or "{{" not in text:
        return None
    places = places_of(node, source)
    pieces = split(text, places, diagnostics)
    if pieces is None:
        return None
    parts: list[str | Expression] = []
    failed = False
    for piece in pieces:
        if isinstance(piece, str):
            parts.append(piece)
            continue
        start, end = piece
        expression = parse_expression(text[start:end], places.part(range(start, end)), diagnostics)
        if expression is None:
            failed = True
        else:
            parts.append(expression)
    if failed:
        return None
    if len(parts) == 2 and isinstance(parts[0], Expression) and parts[1] == "\n":
        parts.pop()
    return Template(tuple(parts), len(parts) == 1, node.span)


def split(text: str, places: Places, diagnostics: Diagnostics) -> list[str | tuple[int, int]] | None:
    """Literal texts and the bounds of what is inside each `{{ }}`; `{{-` and `-}}` trim their neighbour."""
    pieces: list[str | tuple[int, int]] = []
    at, trim = 0, False
    while True:
        opening = text.find("{{", at)
        literal = text[at:] if opening < 0 else text[at:opening]
        if trim:
            literal = literal.lstrip()
        if opening < 0:
            pieces += [literal] if literal else []
            break
        start = opening + 2
        if text[start : start + 1] in ("-", "+"):
            literal = literal.rstrip() if text[start] == "-" else literal
            start += 1
        pieces += [literal] if literal else []
        closing = _closing(text, start)
        if closing < 0:
            quoted = "}}" in text[start:]
            diagnostics.error(
                "expression-syntax",
                "a quote or bracket inside this {{ is not closed" if quoted else "this {{ has no }}",
                places.span(opening, opening + 2),
                "close it before the }}" if quoted else "for the two characters themselves write {{ '{{' }}",
            )
            return None
        trim = text[closing - 1] == "-" and closing - 1 > start
        pieces.append((start, closing - trim))
        at = closing + 2
    outside = "".join(piece if isinstance(piece, str) else "\0" for piece in pieces)
    if _STATEMENT.search(outside):
        marks = text.find("{%")
        diagnostics.error(
            "statement-in-template",
            "statements such as {% if %} and {% for %} do not exist here",
            places.span(marks, marks + 2),
            "write {{ a if condition else b }}; for the characters themselves write {{ '{%' }}",
        )
        return None
    return pieces


def _closing(text: str, at: int) -> int:
    """Where the `}}` stands that closes an expression which begins at `at`; -1 when there is none."""
    open_brackets: list[str] = []
    mark = ""
    while at < len(text):
        char = text[at]
        if mark:
            if char == "\\":
                at += 1
            elif char == mark:
                mark = ""
        elif char in "\"'":
            mark = char
        elif char in "([{":
            open_brackets.append(char)
        elif char == "}" and not open_brackets:
            if text.startswith("}}", at):
                return at
        elif char in ")]}" and open_brackets:
            open_brackets.pop()
        at += 1
    return -1


# --- parsing --------------------------------------------------------------------------------------------------------


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


def parse_expression(fragment: str, places: Places, diagnostics: Diagnostics) -> Expression | None:
    """One expression, the inside of `{{ }}`; None after reporting why it is none."""
    span = _inner_span(fragment, places)
    try:
        return _parse(fragment, places, span)
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


def _parse(fragment: str, places: Places, span: Span) -> Expression:
    if not fragment.strip():
        raise _UnreadableError("this {{ }} is empty", -1, "write what to read, such as {{ input.name }}")
    tokens = list(_tokens(fragment))
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


# --- reading the tree -----------------------------------------------------------------------------------------------


def _leftmost(node: nodes.Node) -> nodes.Node:
    """The node with which the source of `node` begins."""
    while True:
        match node:
            case nodes.Getattr() | nodes.Getitem() | nodes.Call() | nodes.Test():
                node = node.node
            case nodes.Filter() if node.node is not None:
                node = node.node
            case nodes.BinExpr():
                node = node.left
            case nodes.Compare():
                node = node.expr
            case nodes.Concat():
                node = node.nodes[0]
            case nodes.CondExpr():
                node = node.expr1
            case _:
                return node


def chain_of(node: nodes.Node) -> tuple[str, tuple[str | int, ...]] | None:
    """Root and constant steps of a reference such as `a.b['c'][0]`; None for anything else."""
    steps: list[str | int] = []
    while True:
        match node:
            case nodes.Getattr():
                steps.append(node.attr)
                node = node.node
            case nodes.Getitem(arg=nodes.Const(value=str() | int() as key)) if not isinstance(key, bool):
                steps.append(key)
                node = node.node
            case nodes.Name():
                return node.name, tuple(reversed(steps))
            case _:
                return None


def guarded_subject(node: nodes.Node) -> nodes.Expr | None:
    """What a `default`, `is defined` or `is undefined` guards; None for another node."""
    match node:
        case nodes.Filter(name="default" | "d") | nodes.Test(name="defined" | "undefined"):
            return node.node
    return None


def references(template: Template) -> tuple[Reference, ...]:
    """Every read of a name in the template, in the order written."""
    found: list[Reference] = []
    for expression in template.expressions:
        _collect(expression, expression.node, False, found)
    return tuple(found)


def _collect(expression: Expression, root: nodes.Node, guarded: bool, found: list[Reference]) -> None:
    pending: list[tuple[nodes.Node, bool]] = [(root, guarded)]
    while pending:
        node, under_guard = pending.pop()
        chain = chain_of(node)
        if chain is not None and isinstance(node, nodes.Expr):
            found.append(Reference(chain[0], chain[1], under_guard, expression.span_of(node)))
            continue
        subject = guarded_subject(node)
        stays = under_guard and isinstance(node, nodes.Getattr | nodes.Getitem)
        children = list(node.iter_child_nodes())
        for child in reversed(children):
            keeps = child is subject or (stays and child is getattr(node, "node", None))
            pending.append((child, keeps))
