"""Scanning with YARA: bundles of rules, which of them are in use, what is scanned and what came of it.

Only the actions that scan or keep rules import it: their functions alone have the layer that holds YARA.
"""
