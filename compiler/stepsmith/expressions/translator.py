"""One expression in one scope: operators by type, names through the scope, filters through the tables.

Every mistake of the author becomes a diagnostic at the part that holds it, and translation goes on beside it, so that
one run shows all of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

from jinja2 import nodes

from stepsmith.diagnostics import Diagnostics, did_you_mean, one_of
from stepsmith.expressions import jsonata as j
from stepsmith.expressions import values as v
from stepsmith.expressions.calls import Use, row_of_filter, row_of_test
from stepsmith.expressions.catalogue import FUNCTIONS, METHODS, UNSUPPORTED_METHODS
from stepsmith.expressions.comparisons import compare, is_namespace
from stepsmith.expressions.helpers import RESERVED_PREFIX
from stepsmith.expressions.lookups import Place, item_of, property_of
from stepsmith.expressions.names import as_proven, binding_of, bound, shown
from stepsmith.expressions.narrowing import narrow_by
from stepsmith.expressions.scope import Scope
from stepsmith.expressions.tree import Expression, chain_of
from stepsmith.expressions.types import ANY, NULL, describe, type_of
from stepsmith.expressions.values import Maybe, Refused, Value
from stepsmith.source import Span

# What stands for the value of a part that was refused, so that the rest can still be checked.
_BROKEN = Value(j.constant(None), ANY, total=True, simple=True)


class Translator:
    """Translates one expression in one scope."""

    def __init__(
        self,
        expression: Expression,
        scope: Scope,
        diagnostics: Diagnostics,
        *,
        bare_words: bool = False,
        numbers: Iterator[int] | None = None,
    ) -> None:
        """`numbers` are those of local names, shared by the parts of one text."""
        self._expression = expression
        self.scope = scope
        self._diagnostics = diagnostics
        self.bare_words = bare_words
        self._numbers = count(1) if numbers is None else numbers
        self._standing: dict[int, tuple[nodes.Name, Value]] = {}

    # --- whole expressions

    def field(self) -> Value:
        node = self._expression.node
        if chain_of(node) is not None:
            try:
                read = self._place(node).read
            except Refused as refusal:
                return self._refused(refusal, node)
            self._report_doubt(read, node)
            return Value(read.code, read.type, read.present)
        return self.value(node)

    def text(self) -> Value:
        """The expression as a part of a text; data structures get a warning, they print as JSON."""
        node = self._expression.node
        value = self.value(node)
        if not value.may("string", "number") and not self._diagnostics.has_errors:
            self.warn(
                "data-as-text",
                f"{describe(value.type)} is put into text here, as JSON",
                node,
                "write `| tojson` where JSON is meant, or `| join(', ')`, or read one part of it",
            )
        return value

    # --- services for the tables

    def fresh(self) -> str:
        return f"{RESERVED_PREFIX}{next(self._numbers)}"

    def warn(self, slug: str, message: str, node: nodes.Node, help_text: str) -> None:
        self._diagnostics.warning(slug, message, self._expression.span_of(node), help_text)

    def source_of(self, node: nodes.Expr) -> str:
        return self._expression.text_of(node) if chain_of(node) else "the value"

    def standing_for(self, value: Value, node: nodes.Expr) -> nodes.Expr:
        """A node whose value is `value`, for an argument that was bound to a local name."""
        stand_in = nodes.Name("", "load", lineno=node.lineno)
        self._standing[id(stand_in)] = (stand_in, value)
        return stand_in

    def consumed(self, read: Maybe, node: nodes.Node) -> Value:
        """The value of a reference that must be there; says so to the author when it may be missing."""
        self._report_doubt(read, node)
        return v.needed(read)

    def written(self, use: Use, node: nodes.Node) -> Value:
        """The value that a row of the tables writes."""
        result = use.row.write(use)
        return result if isinstance(result, Value) else self.consumed(result, node)

    # --- errors

    def _refused(self, refusal: Refused, node: nodes.Node) -> Value:
        """Reports why a node is refused, and gives what stands for its value."""
        self._diagnostics.error(refusal.slug, refusal.message, self._refusal_span(refusal, node), refusal.help)
        return _BROKEN

    def _refusal_span(self, refusal: Refused, node: nodes.Node) -> Span:
        if refusal.slug.startswith("unknown-") and isinstance(node, nodes.Getattr | nodes.Getitem):
            return self._expression.step_span(node)
        return self._expression.span_of(node)

    def _report_doubt(self, read: Maybe, node: nodes.Node) -> None:
        if read.doubt is None:
            return
        report = self._diagnostics.error if read.doubt.strict else self._diagnostics.warning
        report(
            "maybe-missing",
            f"{read.label} may be missing here: {read.doubt.reason}",
            self._expression.span_of(node),
            f"write {{{{ {read.label} | default(…) }}}}, or test `{read.label} is defined` first",
        )

    # --- values

    def value(self, node: nodes.Expr) -> Value:
        """The value of a node, or a stand-in after reporting what is wrong with it."""
        try:
            return self._value(node)
        except Refused as refusal:
            return self._refused(refusal, node)

    def optional(self, node: nodes.Expr) -> Maybe:
        """What a node reads, where it may be missing."""
        match node:
            case nodes.Name() | nodes.Getattr() | nodes.Getitem() if not self._is_slice(node):
                return self._place(node).read
            case nodes.Filter(name="first" | "last" | "min" | "max"):
                result = self._use_of_filter(node)
                written = result.row.write(result)
                if isinstance(written, Maybe):
                    return written
                return Maybe(written.code, written.type, self.source_of(node), present=True)
            case _:
                value = self.value(node)
                return Maybe(value.code, value.type, self.source_of(node), present=True, simple=value.simple)

    @staticmethod
    def _is_slice(node: nodes.Expr) -> bool:
        return isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Slice)

    def _value(self, node: nodes.Expr) -> Value:
        match node:
            case nodes.Const():
                return self._constant(node.value)
            case nodes.Name() if id(node) in self._standing:
                return self._standing[id(node)][1]
            case nodes.Getitem(arg=nodes.Slice() as bounds):
                return self._slice(node, bounds)
            case nodes.Name() | nodes.Getattr() | nodes.Getitem():
                return self.consumed(self._place(node).read, node)
            case nodes.List() | nodes.Tuple():
                return v.list_of([self.value(item) for item in node.items])
            case nodes.Dict():
                return self._dict(node)
            case nodes.And() | nodes.Or():
                return self._choice(node)
            case nodes.Not():
                return v.inverted(self.condition(node.node))
            case nodes.Compare():
                return compare(self, node)
            case nodes.Add():
                return v.added(self.value(node.left), self.value(node.right))
            case nodes.Sub() | nodes.Mul() | nodes.Div() | nodes.FloorDiv() | nodes.Mod() | nodes.Pow():
                return self._arithmetic(node)
            case nodes.Neg():
                return self._negative(node)
            case nodes.Pos():
                value = self.value(node.node)
                v.expect(value, "`+`", "number")
                return v.required_number(value, "`+`")
            case nodes.Concat():
                return v.joined([self.value(part) for part in self._flattened(node)])
            case nodes.CondExpr():
                return self._conditional(node)
            case nodes.Filter():
                return self.written(self._use_of_filter(node), node)
            case nodes.Test():
                return self._test(node)
            case nodes.Call():
                return self._call(node)
            case _:
                raise Refused("expression-not-supported", "this is not supported in an expression")

    def _constant(self, value: object) -> Value:
        match value:
            case bool() | str() | None:
                return v.constant(value, type_of(value) if value is not None else NULL)
            case int() if abs(value) > j.LARGEST_INTEGER:
                raise Refused(
                    "big-integer", f"{value} is beyond what a JSON number holds exactly (2^53)", "write it as text"
                )
            case float() if not math.isfinite(value):
                raise Refused("big-integer", "this number is too large", "write it as text")
            case int() | float():
                return v.constant(value, type_of(value))
            case _:
                raise Refused("expression-not-supported", "this constant is not supported")

    def _dict(self, node: nodes.Dict) -> Value:
        pairs: list[tuple[Value, str | None, Value]] = []
        known: dict[str, int] = {}
        for pair in node.items:
            key, value = self.value(pair.key), self.value(pair.value)
            if not key.may("string"):
                raise Refused("object-key", f"the key of an object is text, this is {describe(key.type)}", "quote it")
            name = pair.key.value if isinstance(pair.key, nodes.Const) else None
            if name is None:
                key = v.required_text(key, "the key of an object")
            elif name in known:
                pairs[known[name]] = (key, name, value)
                continue
            else:
                known[name] = len(pairs)
            pairs.append((key, name, value))
        return v.object_of(pairs)

    # --- names

    def _place(self, node: nodes.Expr) -> Place:
        """What a reference reads. Refuses names that do not exist."""
        match node:
            case nodes.Name() if id(node) in self._standing:
                _, value = self._standing[id(node)]
                return Place(Maybe(value.code, value.type, "the value", present=True))
            case nodes.Name() | nodes.Getattr() | nodes.Getitem():
                binding, path = binding_of(self.scope, node)
                if binding is not None:
                    return bound(self.scope, binding, path)
            case _:
                pass
        match node:
            case nodes.Getattr():
                if node.attr.startswith("__"):
                    raise Refused("unknown-property", f"{node.attr} is no data", "names of data do not begin with __")
                return as_proven(self.scope, node, property_of(self._base(node.node), node.attr))
            case nodes.Getitem(arg=nodes.Const(value=str() as name)):
                return as_proven(self.scope, node, property_of(self._base(node.node), name))
            case nodes.Getitem():
                key = self.value(node.arg)
                source = repr(node.arg.value) if isinstance(node.arg, nodes.Const) else "…"
                return as_proven(self.scope, node, item_of(self._base(node.node), key, source))
        raise AssertionError(f"{type(node).__name__} is no reference")

    def _base(self, node: nodes.Expr) -> Place:
        """What stands before the last step of a reference. A mistake in it is reported at itself."""
        if isinstance(node, nodes.Name | nodes.Getattr | nodes.Getitem) and not self._is_slice(node):
            try:
                return self._place(node)
            except Refused as refusal:
                broken = self._refused(refusal, node)
                return Place(Maybe(broken.code, broken.type, "the value", present=True))
        read = self.optional(node)
        return Place(read)

    # --- operators

    def condition(self, node: nodes.Expr) -> Value:
        """The truth of a node; `and` and `or` as such, since their operands' values do not matter."""
        if isinstance(node, nodes.And | nodes.Or):
            operator = "and" if isinstance(node, nodes.And) else "or"
            operands = list(self._narrowing(self._flattened(node), truth=operator == "and"))
            code = j.chain(operator, [operand.code for operand in operands])
            return v.boolean(code, *operands)
        return v.truth(self.value(node))

    def _narrowing(self, operands: Sequence[nodes.Expr], *, truth: bool) -> Iterator[Value]:
        """The truth of each operand, in the scope that the operands before it have proven."""
        scope = self.scope
        for operand in operands:
            yield self.condition(operand)
            self.scope = narrow_by(self.scope, operand, truth)
        self.scope = scope

    @staticmethod
    def _flattened(node: nodes.Expr) -> list[nodes.Expr]:
        """The operands of a chain of one operator, in order."""
        kind = type(node)
        found: list[nodes.Expr] = []
        pending: list[nodes.Expr] = [node]
        while pending:
            at = pending.pop()
            if isinstance(at, nodes.And | nodes.Or) and type(at) is kind:
                pending += [at.right, at.left]
            elif isinstance(at, nodes.Concat) and type(at) is kind:
                pending += reversed(at.nodes)
            else:
                found.append(at)
        return found

    def _choice(self, node: nodes.And | nodes.Or) -> Value:
        """`and` and `or` as values give one of their operands, as in Python."""
        is_and = isinstance(node, nodes.And)
        scope = self.scope
        operands: list[Value] = []
        for part in self._flattened(node):
            operands.append(self.value(part))
            self.scope = narrow_by(self.scope, part, is_and)
        self.scope = scope
        if all(operand.only("boolean") for operand in operands):
            return v.boolean(j.chain("and" if is_and else "or", [each.code for each in operands]), *operands)
        result = operands[-1]
        for operand in reversed(operands[:-1]):
            bindings: list[tuple[str, j.Code]] = []
            kept = operand
            if not operand.simple:
                name = self.fresh()
                bindings.append((name, operand.code))
                kept = replace(operand, code=j.variable(name), simple=True)
            chosen = v.either(kept, result, kept) if is_and else v.either(kept, kept, result)
            result = replace(chosen, code=j.block(bindings, chosen.code), total=operand.total and result.total)
        return result

    def _arithmetic(self, node: nodes.BinExpr) -> Value:
        if isinstance(node, nodes.Sub):
            self._refuse_hyphen(node)
        if isinstance(node, nodes.Pow) and isinstance(node.left, nodes.Pow | nodes.Neg):
            raise Refused(
                "ambiguous-power",
                "Jinja2 and Python group this power differently",
                "compute the left side in a `set:` step, or multiply",
            )
        left, right = self.value(node.left), self.value(node.right)
        if isinstance(node, nodes.Mod) and not left.may("number"):
            raise v.mismatch("text % values is not supported", "build the text with `~`")
        if isinstance(node, nodes.Mul) and not (left.may("number") and right.may("number")):
            raise v.mismatch("text and lists cannot be repeated", "")
        return v.arithmetic(node.operator, left, right)

    def _refuse_hyphen(self, node: nodes.Sub) -> None:
        """`steps.my-step.output` is read as a subtraction; says how a name with a hyphen is written."""
        left, right = chain_of(node.left), chain_of(node.right)
        if left is None or right is None or right[0] in self.scope.names:
            return
        name = f"{[left[0], *left[1]][-1]}-{right[0]}"
        if name not in self._expression.source:
            return
        if left[1]:
            text = "".join([shown((left[0], *left[1][:-1])), f"['{name}']", *(f".{step}" for step in right[1])])
        elif left[0] in self.scope.names:
            return
        else:
            text = f"'{name}'"
        raise Refused("hyphen-in-name", f'"{name}" is read as a subtraction', f"write {text}")

    def _negative(self, node: nodes.Neg) -> Value:
        constant = node.node.value if isinstance(node.node, nodes.Const) else None
        if isinstance(constant, int | float) and not isinstance(constant, bool):
            return self._constant(-constant)
        return v.negated(self.value(node.node))

    def _conditional(self, node: nodes.CondExpr) -> Value:
        if node.expr2 is None:
            raise Refused(
                "if-without-else", "an `if` in an expression needs an `else`", "write `a if condition else b`"
            )
        test = self.condition(node.test)
        scope = self.scope
        self.scope = narrow_by(scope, node.test, True)
        then = self.value(node.expr1)
        self.scope = narrow_by(scope, node.test, False)
        otherwise = self.value(node.expr2)
        self.scope = scope
        return v.either(test, then, otherwise)

    def _slice(self, node: nodes.Getitem, bounds: nodes.Slice) -> Value:
        value = self.value(node.node)
        step = bounds.step
        if step is not None and not (isinstance(step, nodes.Const) and step.value in (1, None)):
            backwards = isinstance(step, nodes.Neg) and isinstance(step.node, nodes.Const) and step.node.value == 1
            if not backwards or bounds.start is not None or bounds.stop is not None:
                raise Refused(
                    "slice-step", "slice steps other than 1, or a plain [::-1], are not supported", "use `| batch(n)`"
                )
            v.expect(value, "[::-1]", "array", "string")
            return self.written(Use(self, row_of_filter("reverse"), "reverse", node, value, [], []), node)
        low = self.value(bounds.start) if bounds.start is not None else None
        high = self.value(bounds.stop) if bounds.stop is not None else None
        return v.sliced(value, low, high)

    # --- filters, tests, calls

    def _use_of_filter(self, node: nodes.Filter) -> Use:
        row = row_of_filter(node.name)
        self._refuse_stars(node)
        return Use(self, row, node.name, node, node.node, node.args, node.kwargs)

    def _test(self, node: nodes.Test) -> Value:
        row = row_of_test(node.name)
        self._refuse_stars(node)
        return self.written(Use(self, row, node.name, node, node.node, node.args, node.kwargs), node)

    def _refuse_stars(self, node: nodes.Filter | nodes.Test | nodes.Call) -> None:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise Refused("unknown-function", "`*` and `**` are not supported in calls", "write each argument")

    def _call(self, node: nodes.Call) -> Value:
        self._refuse_stars(node)
        target = node.node
        if isinstance(target, nodes.Getattr):
            if target.attr not in METHODS:
                help_text = UNSUPPORTED_METHODS.get(target.attr) or did_you_mean(target.attr, METHODS, "use a filter")
                raise Refused("unknown-function", f".{target.attr}() cannot be called here", help_text)
            row = METHODS[target.attr]
            if target.attr == "get" and (member := self._member_by_get(node, target)):
                return member
            return self.written(Use(self, row, target.attr, node, target.node, node.args, node.kwargs), node)
        if not isinstance(target, nodes.Name) or target.name not in FUNCTIONS:
            name = target.name if isinstance(target, nodes.Name) else "this"
            help_text = did_you_mean(name, FUNCTIONS, f"there is {one_of(FUNCTIONS, 20)}")
            raise Refused("unknown-function", f"there is no function `{name}`", help_text)
        row = FUNCTIONS[target.name]
        if not row.takes:
            return self.written(Use(self, row, target.name, node, None, node.args, node.kwargs), node)
        if not node.args:
            raise Refused("filter-argument", f"`{target.name}` needs an argument", f"write {target.name}(x)")
        return self.written(Use(self, row, target.name, node, node.args[0], node.args[1:], node.kwargs), node)

    def _member_by_get(self, node: nodes.Call, target: nodes.Getattr) -> Value | None:
        """`context.get('name', 0)` of a namespace, which has no value of its own: the member, or the default."""
        if not is_namespace(self, target.node) or not 1 <= len(node.args) <= 2 or node.kwargs:
            return None
        if not isinstance(node.args[0], nodes.Const) or not isinstance(node.args[0].value, str):
            raise Refused("unknown-function", "`get` of this needs a quoted name", "write .get('name', 0)")
        read = nodes.Getitem(target.node, node.args[0], "load", lineno=target.lineno)
        instead = node.args[1] if len(node.args) == 2 else nodes.Const(None, lineno=node.lineno)
        return self.written(Use(self, row_of_filter("default"), "get", node, read, [instead], []), node)
