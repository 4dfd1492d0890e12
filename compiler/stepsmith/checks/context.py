"""What a check gets to see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stepsmith.analysis.facts import Analysis, Point, Use
from stepsmith.analysis.scopes import NoCodes, build_scope
from stepsmith.catalog import ActionCatalog
from stepsmith.diagnostics import Diagnostics
from stepsmith.expressions.scope import Binding, Scope
from stepsmith.expressions.syntax import Template
from stepsmith.expressions.translate import Translation, translate
from stepsmith.model.secrets import holds_secret
from stepsmith.model.signature import Siblings
from stepsmith.model.workflow import Workflow
from stepsmith.services import ServiceCatalog


@dataclass(frozen=True, slots=True)
class CheckContext:
    """A workflow, what is known of it, and where to say what is wrong."""

    workflow: Workflow
    analysis: Analysis
    catalog: ActionCatalog
    diagnostics: Diagnostics
    siblings: Siblings | None = None
    """The workflows of the project; None when nothing is known of them."""
    services: ServiceCatalog | None = None
    """The operations of AWS; None when nothing is known of them."""
    _scopes: dict[int, Scope] = field(default_factory=dict, repr=False)
    _translations: dict[int, tuple[Template, Translation | None]] = field(default_factory=dict, repr=False)

    def scope(self, point: Point, extra: Mapping[str, Binding] | None = None) -> Scope:
        return build_scope(self.analysis, point, NoCodes(), extra)

    def scope_of(self, use: Use) -> Scope:
        """The names in scope where `use` stands."""
        # Several checks ask of the same place. Uses live as long as the analysis, so that their ids stay theirs.
        if id(use) not in self._scopes:
            extra: dict[str, Binding] = {}
            if use.output is not None:
                extra["output"] = Binding(type=use.output, code="$output")
            self._scopes[id(use)] = self.scope(use.point, extra)
        return self._scopes[id(use)]

    def translated(self, use: Use, template: Template) -> Translation | None:
        """What a template of `use` comes to; what is wrong with it is reported. None then, and if it reads a secret."""
        if id(template) not in self._translations:
            secret = holds_secret(template)
            found = None if secret else translate(template, self.scope_of(use), self.diagnostics)
            self._translations[id(template)] = (template, found)
        return self._translations[id(template)][1]
