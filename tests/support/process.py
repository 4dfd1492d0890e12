"""Takes back what a local run does to the process that it runs in."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

PACKAGE = "stepsmith_functions"
OURS = str(Path(__file__).parents[2] / "functions")


@contextmanager
def process_as_before() -> Iterator[None]:
    """Afterwards the functions' modules, their search paths and the level of their log are as they were."""
    path, loaded = list(sys.path), _loaded()
    folders = {name: list(module.__path__) for name, module in loaded.items() if hasattr(module, "__path__")}
    logger = logging.getLogger("stepsmith")
    level = logger.level
    try:
        yield
    finally:
        for name in _loaded().keys() - loaded.keys():
            # What was imported of ours may stay; what came from elsewhere must not be found again.
            if not str(sys.modules[name].__file__).startswith(OURS):
                del sys.modules[name]
        sys.modules.update(loaded)
        sys.path[:] = path
        for name, places in folders.items():
            loaded[name].__path__[:] = places
        for name, module in _loaded().items():
            if name not in folders and hasattr(module, "__path__"):
                module.__path__[:] = [place for place in module.__path__ if place.startswith(OURS)]
        # Powertools makes a logger with the level INFO where nothing else is asked for.
        logger.setLevel(level or logging.INFO)


def _loaded() -> dict[str, ModuleType]:
    return {name: module for name, module in sys.modules.items() if name.split(".")[0] == PACKAGE}
