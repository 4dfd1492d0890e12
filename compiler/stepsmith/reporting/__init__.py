"""Writes diagnostics for people and for programs; decides nothing about them and prints nothing itself."""

from stepsmith.reporting.render import Format, render, summary

__all__ = ["Format", "render", "summary"]
