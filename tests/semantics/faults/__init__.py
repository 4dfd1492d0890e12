"""The fault matrix: every fault at every step of a workflow, and what must hold of the run whatever happened."""
