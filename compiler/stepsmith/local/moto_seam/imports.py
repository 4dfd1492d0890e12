"""Postpones what moto imports and a run does not use.

moto's IAM backend, which every request imports to look up an access key, imports all of cryptography's X.509 for one
check of uploaded server certificates. That takes 20 ms; reading the rest of the backend takes 10.
"""

from __future__ import annotations

import sys
from importlib.util import LazyLoader, find_spec, module_from_spec
from typing import Final

POSTPONED: Final = "cryptography.x509"


def postpone(name: str = POSTPONED) -> None:
    """Lets the module `name` of a package load when it is first used. Does nothing if it is loaded, or not there."""
    if name in sys.modules:
        return
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        return
    spec.loader = LazyLoader(spec.loader)
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    # The import system sets this only when it loads a module itself, and `from package import module` looks here.
    package, _, last = name.rpartition(".")
    setattr(sys.modules[package], last, module)
