"""The source map that stands beside a compiled machine: which state came from which step and line.

It is written as JSON: `{"version": 1, "workflow", "source", "states": {STATE: {"step", "path", "line", "column",
"role", "action"?}}}`; `line` is the line of the step's `-`.
"""

from __future__ import annotations

from stepsmith.document import Json

ORIGINS_VERSION = 1

Origins = dict[str, Json]
