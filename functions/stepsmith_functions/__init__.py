"""What runs in Lambda: the actions, their runtime and the history of runs.

This file is the first of ours that a function's process runs, so it makes ready for a cold start: see `_spare`.
"""

from __future__ import annotations

import gc
import os
from typing import Final

_ALLOCATIONS: Final = 50_000
"""How many more objects than were freed make the collector look; Python's own number is 700 or 2,000."""


def _spare() -> None:
    """Spares a cold start what it gains nothing by.

    Imports keep nearly all that they allocate, so that the garbage collector would look through it again and again; it
    still works, only less often. And pydantic would read the metadata of every distribution in search of plugins;
    whoever ships one sets the variable to an empty text.
    """
    gc.set_threshold(_ALLOCATIONS, 20, 20)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


if "AWS_LAMBDA_RUNTIME_API" in os.environ:  # where awslambdaric takes its events from: this process is Lambda's
    _spare()
