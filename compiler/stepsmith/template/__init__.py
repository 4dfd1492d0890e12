"""Keeps `template.yaml` in step with the workflows and the actions, inside the user's own file.

Decides only: text in, text and diagnostics out. Reading, writing and showing files is the command's business.
"""
