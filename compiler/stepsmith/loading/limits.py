"""How large a file may be before loading gives up on it; far above any workflow that AWS would take.

A state machine's definition is at most 1 MiB (Step Functions' quotas), and a step makes some ten nodes.
"""

MAX_BYTES = 8 * 1024 * 1024
"""The size of a file. A caller that reads from disk need read no more than one byte past it."""

MAX_NODES = 250_000
"""Keys and values in a document, those that aliases repeat included."""

MAX_DEPTH = 100
"""Collections inside each other; stages that recurse over a document rely on it."""

MAX_PROBLEMS = 500
"""Problems reported of one file before the rest of it is left unread."""
