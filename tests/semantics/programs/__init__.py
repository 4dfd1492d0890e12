"""Random well-formed workflows with every verb and modifier, and random outcomes for each attempt of an action.

`choosing` says where the choices come from, `generating` puts a workflow together (`blocks` and `calls` have its steps,
`expressions` what these read), `settling` makes it one that the checks accept, `program` is the result. Nothing here
knows how a workflow is run.
"""
