"""Everything an expression may call by name, in tables one can read, and what to write in place of the rest of
Jinja2."""

from __future__ import annotations

from stepsmith.expressions import filters_data, filters_list, filters_text, functions, predicates
from stepsmith.expressions.table import named

FILTERS = named(*filters_data.ROWS, *filters_list.ROWS, *filters_text.ROWS)
TESTS = named(*predicates.ROWS)
FUNCTIONS = named(*functions.FUNCTIONS)
METHODS = named(*functions.METHODS)

# Filters of Jinja2 that have no translation, with what to write instead.
UNSUPPORTED_FILTERS = {
    "groupby": "select each group by itself with `| selectattr('name', 'eq', value)`",
    "slice": "use `| batch(n)`, or take x[a:b]",
    "format": "build the text with `~`",
    "indent": "build the text with `~` and `| replace`",
    "center": "leave the layout to what shows the text",
    "wordwrap": "leave the layout to what shows the text",
    "escape": "escape where HTML is made, in the action",
    "e": "escape where HTML is made, in the action",
    "forceescape": "escape where HTML is made, in the action",
    "safe": "leave it out: text is never escaped",
    "striptags": "use `| regex_replace('<[^>]+>', '')`",
    "xmlattr": "build HTML in the action",
    "urlize": "build HTML in the action",
    "filesizeformat": "divide, `| round(1)`, and build the text with `~`",
    "pprint": "use `| tojson`",
    "random": "choose in an action: an expression gives the same result when it is evaluated again",
    "attr": "write x.name or x['name']",
}

UNSUPPORTED_TESTS = {
    "callable": "data holds no functions",
    "escaped": "text is never escaped",
    "sameas": "write `==`, or `is none`, `is true`, `is false`",
    "filter": "every filter is known before a run",
    "test": "every test is known before a run",
}

UNSUPPORTED_METHODS = {
    "append": "write `a + [b]`",
    "extend": "write `a + b`",
    "update": "use `| combine(…)`",
    "format": "build the text with `~`",
    "lstrip": "use `| trim`",
    "rstrip": "use `| trim`",
    "count": "use `| select('eq', x) | list | length`",
    "index": "write `x in list`",
    "pop": "take x[-1] and x[:-1]",
    "title": "use `| title`",
    "capitalize": "use `| capitalize`",
    "find": "write `'a' in text`",
}
