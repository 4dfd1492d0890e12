"""Expressions: Jinja2's expression grammar, checked and compiled to the JSONata that Step Functions evaluates itself.

`parse_template` and `parse_condition` read a YAML field, `translate` and `translate_condition` give its JSONata in a
`Scope`. Data is never evaluated as an expression, and nothing here runs one.
"""

from stepsmith.expressions.helpers import RESERVED_PREFIX
from stepsmith.expressions.narrowing import narrow
from stepsmith.expressions.scope import Binding, Presence, Scope
from stepsmith.expressions.syntax import Expression, Reference, Template, parse_condition, parse_template, references
from stepsmith.expressions.translate import Translation, translate, translate_condition

__all__ = [
    "RESERVED_PREFIX",
    "Binding",
    "Expression",
    "Presence",
    "Reference",
    "Scope",
    "Template",
    "Translation",
    "narrow",
    "parse_condition",
    "parse_template",
    "references",
    "translate",
    "translate_condition",
]
