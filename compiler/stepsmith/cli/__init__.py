"""The `stepsmith` command: one thin module per command, found by `main`.

Start-up matters here: a module imports what its command needs inside `execute`, so that `--help`, `version`,
`check` and the history answer at once.
"""
