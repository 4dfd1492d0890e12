"""The source map that stands beside a compiled machine: which state came from which step and line.

As JSON: `{"version", "workflow", "source", "states": {STATE: {...}}, "steps": {ID: {"line", "path"}}}`. Of a state:
`role`, `line` and `column` of the step's `-`, `step` (its id), `path` (with `[]` for each iteration or round),
`action`, `blocks` (the paths of the switch, try and repeat blocks around it), `round_of` (the repeat whose next round
it begins), `folded` (steps without a state of their own that happen when it ends), `ways` (the same for one way out:
`next`, `steps`, and the blocks that fail on it; `output` or the `errors` of a Catch tell two ways to one state apart),
`wraps` (its output holds the step's under `output`), `raises` (the error that its step fails with here) and `says` (its
message, where it is constant), `rejects_late` (a timeout of the state is a rejection).
"""

from __future__ import annotations

from typing import Final

from stepsmith.document import Json

ORIGINS_VERSION: Final = 1

Origins = dict[str, Json]
