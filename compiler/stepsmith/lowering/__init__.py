"""Turns a checked workflow into the states of a machine, as a careful person would write them by hand."""
