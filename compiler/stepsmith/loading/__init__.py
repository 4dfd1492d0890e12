"""From bytes to a `Document`: reads YAML (and so JSON) into nodes that know where they were written.

Whatever the bytes are, the answer is a document or diagnostics, in bounded time and memory. Loading knows
YAML, not workflows: what keys mean is for the dialects.
"""

from stepsmith.loading.documents import load_document
from stepsmith.loading.limits import MAX_BYTES, MAX_DEPTH, MAX_NODES, MAX_PROBLEMS
from stepsmith.loading.reading import read_source

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_NODES", "MAX_PROBLEMS", "load_document", "read_source"]
