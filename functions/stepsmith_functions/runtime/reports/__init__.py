"""Reports on a run: gathered once as plain data, then written as JSON, YAML, HTML or Markdown.

Everything in a report may come from an attacker: file names, messages of errors, outputs. No format lets it become
markup, a link or an invisible character.
"""
