"""What a check gets to see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stepsmith.analysis.facts import Analysis, Point
from stepsmith.analysis.scopes import NoCodes, build_scope
from stepsmith.catalog import ActionCatalog
from stepsmith.diagnostics import Diagnostics
from stepsmith.expressions.scope import Binding, Scope
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

    def scope(self, point: Point, extra: Mapping[str, Binding] | None = None) -> Scope:
        return build_scope(self.analysis, point, NoCodes(), extra)
