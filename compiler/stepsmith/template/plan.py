"""What `template.yaml` should hold, decided before anything is written.

`stepsmith build` writes the plan's text, `stepsmith build --check` shows its difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import unified_diff
from typing import Final

from stepsmith.catalog import ActionCatalog
from stepsmith.diagnostics import Diagnostic, Diagnostics
from stepsmith.expressions.syntax import references
from stepsmith.model.steps import ActionStep
from stepsmith.model.values import templates
from stepsmith.source import SourceFile
from stepsmith.template.functions import SECRETS_PREFIX, function_resources
from stepsmith.template.machines import Deployable, TriggerRegistry, machine_resources
from stepsmith.template.marks import Resource, render
from stepsmith.template.splicing import Template, read_template, splice

CATALOGUE: Final = "functions/catalog.json"


@dataclass(frozen=True, slots=True)
class TemplatePlan:
    """The template as it should be. With errors among the diagnostics it must not be written."""

    text: str = field(repr=False)
    diagnostics: tuple[Diagnostic, ...]


def plan_template(
    text: str,
    workflows: Iterable[Deployable],
    catalog: ActionCatalog,
    *,
    path: str = "template.yaml",
    catalogue: str = CATALOGUE,
    force: bool = False,
) -> TemplatePlan:
    """The template `text`, known to people as `path`, with the resources of all actions and workflows.

    `workflows` are all of the project's: what a missing one had is removed. `catalogue` is the file in which
    the actions stand, as seen from the template. `force` gives up edits made inside generated resources.
    """
    diagnostics = Diagnostics()
    template = read_template(SourceFile(path, text), diagnostics)
    if template is None:
        return TemplatePlan(text, tuple(diagnostics))
    wanted: dict[str, Resource] = {}
    for resource in _resources(tuple(workflows), catalog, catalogue, template.secrets_prefix, diagnostics):
        wanted.setdefault(resource.logical_id, resource)
    _check_names(template, wanted, diagnostics)
    blocks = {name: render(resource) for name, resource in wanted.items()}
    return TemplatePlan(splice(template, blocks, diagnostics, force), tuple(diagnostics))


def difference(path: str, before: str, after: str) -> str:
    """What changes from `before` to `after` as a unified diff; empty when nothing does."""
    lines = unified_diff(before.splitlines(), after.splitlines(), f"{path} (now)", f"{path} (built)", lineterm="")
    shown = "\n".join(lines)
    if not shown and before != after:
        return f"{path}: line ends differ\n"
    return shown + "\n" if shown else ""


def _resources(
    workflows: tuple[Deployable, ...],
    catalog: ActionCatalog,
    catalogue: str,
    prefix: str,
    diagnostics: Diagnostics,
) -> Iterator[Resource]:
    secrets = _secrets_by_action(workflows)
    for action in catalog:
        yield from function_resources(action, catalogue, secrets.get(action.name, ()), prefix or SECRETS_PREFIX)
    shared, owners = TriggerRegistry(), dict[str, Deployable]()
    for item in sorted(workflows, key=lambda entry: (entry.workflow.name, entry.source)):
        other = owners.setdefault(item.machine_id, item)
        if other is not item:
            diagnostics.error(
                "workflow-name-taken",
                f'"{item.workflow.name}" makes the resource {item.machine_id}, as {other.source} does',
                item.workflow.name_span,
                "choose another name",
            )
            continue
        yield from machine_resources(item, shared, diagnostics)
    if workflows:
        yield from shared.resources("workflows")


def _secrets_by_action(workflows: Iterable[Deployable]) -> dict[str, set[str]]:
    """The names of the secrets that steps pass to each action."""
    found: dict[str, set[str]] = {}
    for item in workflows:
        for step in item.workflow.every_step():
            if not isinstance(step, ActionStep):
                continue
            for template in templates(step.params):
                for read in references(template):
                    if read.root == "secrets" and read.path:
                        found.setdefault(step.action, set()).add(str(read.path[0]))
    return found


def _check_names(template: Template, wanted: dict[str, Resource], diagnostics: Diagnostics) -> None:
    """Reports what generated resources need and the user's part of the template does not have."""
    kept = {entry.name for entry in template.entries if entry.kept}
    known = template.names | wanted.keys()
    known |= {name for resource in wanted.values() for name in resource.provides}
    reported: set[str] = set()
    for resource in wanted.values():
        for name in sorted(resource.names() - known - reported):
            if resource.logical_id in kept:
                continue
            reported.add(name)
            diagnostics.error(
                "template-missing",
                f"the template has no {name}, which the generated {resource.logical_id} refers to",
                template.start,
                "add a parameter, condition or resource of that name",
            )
