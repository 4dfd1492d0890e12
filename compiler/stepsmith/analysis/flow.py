"""Walks a workflow forward and notes what is known at each place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import assert_never

from stepsmith.analysis.endings import (
    always_yields,
    anywhere,
    cannot_fail,
    last,
    last_fact,
    may_be_skipped,
    with_variables_of,
)
from stepsmith.analysis.facts import (
    HERE,
    Analysis,
    LoopName,
    Point,
    StepFact,
    Use,
    UseKind,
    VariableFact,
    maybe,
    never,
)
from stepsmith.analysis.reads import reads_of
from stepsmith.analysis.results import DECISION, S3_ITEMS, STARTED, WRITTEN
from stepsmith.analysis.scopes import NoCodes, build_scope, input_type
from stepsmith.catalog import ActionCatalog
from stepsmith.diagnostics import Diagnostics
from stepsmith.expressions.scope import Binding, Presence, Scope
from stepsmith.expressions.syntax import Template
from stepsmith.expressions.translate import translate
from stepsmith.expressions.types import (
    ANY,
    INTEGER,
    NULL,
    ListType,
    ObjectType,
    Property,
    Type,
    item_type,
    type_of,
    union,
)
from stepsmith.integrations import integration_of
from stepsmith.model.policies import Handler, Then
from stepsmith.model.signature import Siblings
from stepsmith.model.steps import (
    ActionStep,
    ApprovalStep,
    AwsStep,
    Block,
    ChildStep,
    FailStep,
    ForEachStep,
    GraphStep,
    ParallelStep,
    RepeatStep,
    S3Items,
    SetStep,
    Step,
    StopStep,
    SwitchStep,
    TryStep,
    WaitStep,
    walk,
)
from stepsmith.model.values import ListValue, Literal, ObjectValue, Templated, Value
from stepsmith.model.workflow import Workflow
from stepsmith.services import ServiceCatalog


def analyse(
    workflow: Workflow, catalog: ActionCatalog, siblings: Siblings, services: ServiceCatalog | None = None
) -> Analysis:
    """What is known everywhere in `workflow`. Never fails: what is wrong is taken as unknown, for checks to report."""
    return _Walk(workflow, catalog, siblings, services).analysis()


def output_type(workflow: Workflow, analysis: Analysis) -> Type:
    """The type of what the workflow puts out, at its end or where it stops before."""
    walk_ = _Walk(workflow, ActionCatalog(), {})
    stops = [step for step in workflow.every_step() if isinstance(step, StopStep)]
    found = [walk_.type_of_output(step.result, analysis, analysis.points[step.id]) for step in stops]
    if not analysis.end.dead:
        found.append(walk_.type_of_output(workflow.output, analysis, analysis.end))
    return union(*found)


class _Walk:
    def __init__(
        self, workflow: Workflow, catalog: ActionCatalog, siblings: Siblings, services: ServiceCatalog | None = None
    ) -> None:
        self._siblings = siblings
        self._services = services
        self._workflow = workflow
        self._catalog = catalog
        self._points: dict[str, Point] = {}
        self._uses: list[Use] = []
        self._outputs: dict[str, Type] = {}
        self._results: dict[str, Type] = {}
        self._lasts: dict[str, list[tuple[str, Presence]]] = {}
        """By block: the last step of each way through it, and whether its output is there then."""
        self._ends: dict[str, Point] = {}
        self._joined_lasts: list[Step] = []
        """The last steps of branches and iterations."""
        self._unreachable: list[Step] = []
        self._outer: list[tuple[Step, frozenset[str]]] = []
        """The branches and iterations around, with the variables that are set outside of each."""
        self._outer_sets: list[tuple[Step, str]] = []
        self._input = input_type(workflow)
        self._looking = False
        """Whether a loop's first look is being taken."""
        self._order = dict.fromkeys(step.id for step in (*walk(workflow.steps), *walk(workflow.finally_steps)))

    def analysis(self) -> Analysis:
        if (concurrency := self._workflow.concurrency) is not None and concurrency.key is not None:
            self._use(UseKind.KEY, concurrency.key, Point(), None)
        end = self._block(self._workflow.steps, Point())
        if self._workflow.finally_steps:
            end = self._finally(self._workflow.finally_steps, self._workflow.steps, Point(), end)
        if self._workflow.output is not None:
            self._uses.append(Use(UseKind.RESULT, self._workflow.output, None, end, None))
        every = walk((*self._workflow.steps, *self._workflow.finally_steps))
        reads = reads_of(self._uses, (step.id for step in every), self._lasts, self._joined_lasts)
        return Analysis(
            input=self._input,
            points=self._points,
            ends=self._ends,
            end=end,
            uses=tuple(self._uses),
            outputs=self._outputs,
            results=self._results,
            order=self._order,
            read={name: frozenset(facets) for name, facets in reads.steps.items()},
            records=frozenset(reads.records),
            variables_read=frozenset(reads.variables),
            errors_read=frozenset(reads.errors),
            loop_names_read=frozenset(reads.loops),
            unreachable=tuple(self._unreachable),
            outer_sets=tuple(self._outer_sets),
            readers={name: frozenset(who) for name, who in reads.readers.items()},
        )

    def type_of_output(self, value: Value | None, analysis: Analysis, point: Point) -> Type:
        self._outputs = dict(analysis.outputs)
        return NULL if value is None else self._type(value, point, {})

    # -- the walk ---------------------------------------------------------------------------------

    def _block(self, block: Block, point: Point) -> Point:
        for step in block:
            if point.dead:
                self._unreachable.append(step)
                point = replace(point, dead=False)
            point = self._step(step, point)
        return point

    def _step(self, step: Step, point: Point) -> Point:
        self._points[step.id] = point
        if step.condition is None:
            return self._verb(step, point)
        self._uses.append(Use(UseKind.CONDITION, None, step.condition, point, step))
        ran = self._verb(step, point.knowing(step.condition, True))
        skipped = point.with_step(step.id, StepFact(never(may_be_skipped(step)), HERE, cannot_fail(step)))
        merged = ran.merge(skipped)
        fact = merged.steps[step.id]
        if fact.output.presence is not Presence.NEVER:
            fact = replace(fact, output=maybe(fact.output.reason or may_be_skipped(step)))
        return replace(merged.with_step(step.id, fact), proven=point.proven)

    def _verb(self, step: Step, point: Point) -> Point:
        match step:
            case ActionStep():
                self._use(UseKind.PARAMS, step.params, point, step)
                for limit in (step.rate_limit, step.circuit_breaker):
                    if limit is not None and limit.key is not None:
                        self._use(UseKind.KEY, limit.key, point, step)
                action = self._catalog.get(step.action)
                return self._after(step, point, action.result_type if action else ANY)
            case ChildStep():
                self._use(UseKind.PARAMS, step.params, point, step)
                child = self._siblings.get(step.workflow)
                return self._after(
                    step, point, child.output if child and step.waits else ANY if step.waits else STARTED
                )
            case AwsStep():
                self._use(UseKind.PARAMS, step.params, replace(point, answerable=step.waits), step)
                return self._after(step, point, integration_of(step, self._services).result_type)
            case ApprovalStep():
                self._use(UseKind.PARAMS, step.request, point, step)
                return self._after(step, point, DECISION)
            case SetStep():
                return self._set(step, point)
            case WaitStep():
                return self._wait(step, point)
            case StopStep():
                if step.result is not None:
                    self._use(UseKind.RESULT, step.result, point, step)
                return replace(point, dead=True)
            case FailStep():
                self._use(UseKind.TEXT, step.cause, point, step)
                return replace(point, dead=True)
            case SwitchStep():
                return self._switch(step, point)
            case RepeatStep():
                return self._repeat(step, point)
            case ParallelStep():
                return self._parallel(step, point)
            case ForEachStep():
                return self._for_each(step, point)
            case TryStep():
                return self._try(step, point)
            case GraphStep():
                return self._graph(step, point)
            case _:
                assert_never(step)

    def _use(self, kind: UseKind, value: Value, point: Point, step: Step | None) -> None:
        self._uses.append(Use(kind, value, None, point, step))

    def _asked(self, condition: Template, point: Point, step: Step) -> None:
        self._uses.append(Use(UseKind.CONDITION, None, condition, point, step))

    def _after(self, step: Step, point: Point, result: Type) -> Point:
        """What is known after a step with a result of its own, failures that it survives included."""
        self._results[step.id] = self._outputs[step.id] = result
        if step.output is not None:
            self._uses.append(Use(UseKind.RESHAPE, step.output, None, point, step, result))
            self._outputs[step.id] = self._type(step.output, point, {"output": Binding(type=result, code="$output")})
        if step.rollback is not None:
            # It reads what stood there when the step began, and the step's own output.
            self._points[step.rollback.id] = point
            given = replace(point, answerable=False)
            self._uses.append(
                Use(UseKind.PARAMS, step.rollback.params, None, given, step.rollback, self._outputs[step.id])
            )
        after = point.with_step(step.id, StepFact(HERE, HERE, cannot_fail(step)))
        return replace(self._handled(step, step.on_failure or (), after, point), proven=point.proven)

    def _handled(self, step: Step, handlers: tuple[Handler, ...], after: Point, at_failure: Point) -> Point:
        """What is known after `step`, which succeeded or whose failure one of `handlers` survived."""
        for handler in handlers:
            failed = StepFact(never(f"step '{step.id}' may have failed"), HERE, HERE)
            inside = replace(at_failure.with_step(step.id, failed), failed=step.id, dead=False)
            handled = replace(self._block(handler.steps, inside), failed=at_failure.failed)
            if handler.then is Then.CONTINUE:
                after = after.merge(handled)
        return after

    def _set(self, step: SetStep, point: Point) -> Point:
        self._uses.append(Use(UseKind.SET, step.values, None, point, step))
        self._outputs[step.id] = NULL
        changed: dict[str, VariableFact] = {}
        for item in step.values.fields:
            if self._outer and item.key in self._outer[-1][1]:
                self._outer_sets.append((step, item.key))
            changed[item.key] = VariableFact(self._type(item.value, point, {}), HERE)
        known = replace(point.forgetting("vars", changed), variables=point.variables.having(changed))
        return known.with_step(step.id, StepFact(HERE, HERE, cannot_fail(step)))

    def _switch(self, step: SwitchStep, point: Point) -> Point:
        ends: list[Point] = []
        types: list[Type] = []
        before = point
        for case in step.cases:
            inside = before
            if case.condition is not None:
                self._asked(case.condition, before, step)
                inside = before.knowing(case.condition, True)
                before = before.knowing(case.condition, False)
            ends.append(replace(self._block(case.steps, inside), proven=point.proven))
            types.append(self._last_type(case.steps))
        self._lasts[step.id] = [
            found for case, end in zip(step.cases, ends, strict=False) for found in last(case.steps, end)
        ]
        last_output = HERE if always_yields(step, ends) else maybe(f"no case of '{step.id}' may have put out anything")
        if not step.cases or step.cases[-1].condition is not None:
            ends.append(replace(before, proven=point.proven))
        self._outputs[step.id] = union(*types)
        merged = ends[0].merge(*ends[1:])
        return merged.with_step(step.id, StepFact(last_output, HERE, cannot_fail(step)))

    def _wait(self, step: WaitStep, point: Point) -> Point:
        if isinstance(step.seconds, Template):
            self._use(UseKind.SECONDS, Templated(step.seconds), point, step)
        if isinstance(step.until, Template):
            self._use(UseKind.TIME, Templated(step.until), point, step)
        return self._done(step, point, NULL)

    def _done(self, step: Step, point: Point, output: Type) -> Point:
        """What is known after a step that cannot fail by itself."""
        self._outputs[step.id] = self._results[step.id] = output
        return point.with_step(step.id, StepFact(HERE, HERE, cannot_fail(step)))

    def _repeat(self, step: RepeatStep, point: Point) -> Point:
        # Variables that a round sets are there in the next one: a first look finds them, the second keeps what it sees.
        # One look is enough for the loops inside, so that nesting does not double the work with each level.
        again = replace(point, proven=frozenset())
        if not self._looking:
            kept_uses, kept_unreachable = len(self._uses), len(self._unreachable)
            self._looking = True
            first = self._block(step.steps, again)
            self._looking = False
            del self._uses[kept_uses:], self._unreachable[kept_unreachable:]
            again = replace(point.merge(with_variables_of(point, first)), proven=frozenset())
        if step.go_on is not None:
            self._asked(step.go_on, again, step)
            self._ends[step.id] = again
            again = again.knowing(step.go_on, True)
        end = self._block(step.steps, again)
        if step.until is not None:
            self._asked(step.until, end, step)
            self._ends[step.id] = end
        after = with_variables_of(point, end)
        self._lasts[step.id] = last(step.steps, end)
        output = self._last_type(step.steps)
        fact = last_fact(step.steps, end)
        if step.go_on is not None:
            after = after.merge(point)
            fact = maybe(f"the steps of '{step.id}' may not have run once")
            self._lasts[step.id] = [(name, Presence.MAYBE) for name, _ in self._lasts[step.id]]
        self._outputs[step.id] = self._results[step.id] = output
        after = replace(after, proven=frozenset(), dead=False)
        return after.with_step(step.id, StepFact(fact, HERE, cannot_fail(step)))

    def _parallel(self, step: ParallelStep, point: Point) -> Point:
        after = point
        types: dict[str, Type] = {}
        for branch in step.branches:
            end = self._private(step, branch.steps, point, point.loops)
            self._joined_lasts += branch.steps[-1:]
            types[branch.name] = self._last_type(branch.steps)
            after = replace(after, steps=after.steps.having(end.steps.since(point.steps)))
        result: Type = (
            ObjectType({name: Property(type_) for name, type_ in types.items()}, closed=True)
            if step.keyed
            else ListType(union(*types.values()))
        )
        return self._joined(step, point, after, result)

    def _for_each(self, step: ForEachStep, point: Point) -> Point:
        if isinstance(step.items, S3Items):
            self._use(UseKind.TEXT, step.items.uri, point, step)
            each = S3_ITEMS[step.items.format]
        else:
            self._use(UseKind.ITEMS, step.items, point, step)
            each = item_type(self._type(step.items, point, {}))
        if step.results is not None:
            self._use(UseKind.TEXT, step.results, point, step)
        loops = {**point.loops, step.item_name: LoopName(step.id, each, index=False)}
        if step.index_name is not None:
            loops[step.index_name] = LoopName(step.id, INTEGER, index=True)
        self._private(step, step.steps, point, loops)
        self._joined_lasts += step.steps[-1:]
        item = self._last_type(step.steps)
        tolerant = step.tolerate or step.tolerate_percent is not None
        result = WRITTEN if step.results is not None else ListType(union(item, NULL) if tolerant else item)
        return self._joined(step, point, point, result)

    def _private(self, step: Step, block: Block, point: Point, loops: Mapping[str, LoopName]) -> Point:
        """The end of a branch or iteration: a scope whose variables the outside never sees."""
        self._outer.append((step, frozenset(point.variables)))
        # What was proven of an outer loop's item says nothing of an inner one with the same name.
        renamed = {name for name, loop in loops.items() if point.loops.get(name) != loop}
        proven = frozenset(path for path in point.proven if path[0] not in renamed)
        end = self._block(block, replace(point, loops=loops, proven=proven))
        self._outer.pop()
        return end

    def _joined(self, step: Step, point: Point, after: Point, result: Type) -> Point:
        """What is known after a `parallel` or `for_each`, which fails as a whole."""
        self._results[step.id] = self._outputs[step.id] = result
        if step.output is not None:
            self._uses.append(Use(UseKind.RESHAPE, step.output, None, point, step, result))
            extra = {"output": Binding(type=result, code="$output")}
            self._outputs[step.id] = self._type(step.output, point, extra)
        after = after.with_step(step.id, StepFact(HERE, HERE, cannot_fail(step)))
        return replace(self._handled(step, step.on_failure or (), after, point), proven=point.proven)

    def _try(self, step: TryStep, point: Point) -> Point:
        end = self._block(step.steps, point)
        at_failure = replace(anywhere(point, end, step.steps), failed=point.failed, dead=False)
        self._lasts[step.id] = last(step.steps, end)
        self._outputs[step.id] = self._results[step.id] = self._last_type(step.steps)
        output = last_fact(step.steps, end)
        after = end.with_step(step.id, StepFact(output, HERE, cannot_fail(step)))
        after = replace(self._handled(step, step.catch, after, at_failure), proven=point.proven)
        if not step.finally_steps:
            return after
        handlers = tuple(inner for handler in step.catch for inner in handler.steps)
        return self._finally(step.finally_steps, handlers, at_failure, after)

    def _graph(self, step: GraphStep, point: Point) -> Point:
        end = self._block(step.steps, point)
        self._outputs[step.id] = self._results[step.id] = self._last_type((step.last,))
        self._lasts[step.id] = last((step.last,), end)
        output = last_fact((step.last,), end)
        after = end.with_step(step.id, StepFact(output, HERE, cannot_fail(step)))
        return replace(after, proven=point.proven)

    def _finally(self, block: Block, body: Block, at_failure: Point, after: Point) -> Point:
        """What is known after a `finally` block, which runs after a failure too; what follows it does not. Since the
        point `at_failure`, something in `body` may have failed."""
        before = replace(anywhere(at_failure, after, body), proven=frozenset(), dead=False)
        inside = self._block(block, before)
        ran = {inner.id: inside.steps[inner.id] for inner in walk(block) if inner.id in inside.steps}
        changed = inside.variables.since(after.variables)
        written = {item.key for inner in walk(block) if isinstance(inner, SetStep) for item in inner.values.fields}
        new = {name: fact for name, fact in changed.items() if name in written or name not in after.variables}
        return replace(after, steps=after.steps.having(ran), variables=after.variables.having(new))

    # -- types ------------------------------------------------------------------------------------

    def _type(self, value: Value, point: Point, extra: dict[str, Binding]) -> Type:
        match value:
            case Literal():
                return type_of(value.value)
            case ListValue():
                items = [self._type(item, point, extra) for item in value.items]
                return ListType(union(*items) if items else ANY)
            case ObjectValue():
                return ObjectType(
                    {item.key: Property(self._type(item.value, point, extra)) for item in value.fields},
                    closed=True,
                )
            case Templated():
                translation = translate(value.template, self._scope(point, extra), Diagnostics())
                return translation.type if translation else ANY
            case _:
                assert_never(value)

    def _last_type(self, block: Block) -> Type:
        return self._outputs.get(block[-1].id, ANY) if block else NULL

    def _scope(self, point: Point, extra: dict[str, Binding]) -> Scope:
        partial = Analysis(
            input=self._input, points=self._points, ends={}, end=point, uses=(), order=self._order,
            outputs=self._outputs, results=self._results,
            read={}, records=frozenset(), variables_read=frozenset(), errors_read=frozenset(),
            loop_names_read=frozenset(), unreachable=(), outer_sets=(), readers={},
        )  # fmt: skip
        return build_scope(partial, point, NoCodes(), extra)
