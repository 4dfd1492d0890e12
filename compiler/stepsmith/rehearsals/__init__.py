"""Rehearsals: tests of workflows in YAML, read, run on the emulated AWS and held against what they expect."""
