"""Compiles rules in a process of its own, which may take so much time and memory and no more.

YARA knows no limit while it compiles, and its parser is C code that reads what somebody wrote: a bundle that hangs,
swells or crashes it ends there. Rules may not include files, nor read variables that only some other program sets.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stepsmith_functions.runtime import processes
from stepsmith_functions.runtime.scanning.bundle import RulesInvalid, Sources

LONGEST: Final = 90.0
"""Seconds for compiling."""
TRIAL: Final = 10
"""Seconds in which compiled rules must be through with a megabyte."""

_PROGRAM: Final = """
import json, resource, sys
library, given, compiled, seconds = sys.argv[1:]
hard = resource.getrlimit(resource.RLIMIT_AS)[1]
most = 1 << 30
resource.setrlimit(resource.RLIMIT_AS, (most if hard < 0 else min(most, hard),) * 2)
sys.path.append(library)
import yara
with open(given, encoding="utf-8") as file:
    sources = json.load(file)
try:
    rules = yara.compile(sources=sources, includes=False, error_on_warning=False)
    count = sum(1 for _ in rules)
    if int(seconds):
        quiet = {"console_callback": lambda text: None, "warnings_callback": lambda kind, text: None}
        rules.match(data=bytes(range(256)) * 4096, timeout=int(seconds), **quiet)
    rules.save(compiled)
    answer = {"rules": count}
except yara.TimeoutError:
    answer = {"error": f"a megabyte takes them longer than {seconds} s"}
except MemoryError:
    answer = {"error": "they take too much memory"}
except yara.Error as error:
    answer = {"error": str(error)[:500]}
print(json.dumps(answer))
"""


@dataclass(frozen=True, slots=True)
class Compiled:
    """Rules as YARA saves them."""

    rules: int
    """How many there are, private ones included."""
    content: bytes


def compiled(sources: Sources, seconds: float, *, trial: bool = False) -> Compiled:
    """The rules of `sources`, compiled within `seconds` of real time; a `trial` has them look at a megabyte too.

    Raises RulesInvalid.
    """
    limit = max(min(seconds, LONGEST), 1.0)
    with tempfile.TemporaryDirectory(prefix="rules-") as name:
        folder = Path(name)
        given, made = folder / "sources.json", folder / "compiled"
        given.write_text(json.dumps(dict(sources)), encoding="utf-8")
        tried = str(TRIAL if trial else 0)
        command = [sys.executable, "-I", "-S", "-c", _PROGRAM, _library(), str(given), str(made), tried]
        # Where Lambda's Python finds its own library.
        found = {key: os.environ[key] for key in ("LD_LIBRARY_PATH",) if key in os.environ}
        done = processes.run(command, folder, limit, found)
        if done.exit_code is None:
            raise RulesInvalid(f"the rules do not compile within {limit:g} s")
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            raise RulesInvalid(f"the rules break the compiler (exit {done.exit_code})") from None
        if "error" in answer:
            raise RulesInvalid(f"the rules do not compile: {answer['error']}")
        if not answer["rules"]:
            raise RulesInvalid("there is no rule")
        return Compiled(answer["rules"], made.read_bytes())


def _library() -> str:
    """The folder that holds YARA, which a process without site-packages would not find."""
    found = importlib.util.find_spec("yara")
    assert found, "the functions that handle rules have the layer with yara-python"
    assert found.origin
    return str(Path(found.origin).parent)
