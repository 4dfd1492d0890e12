"""Turns a list of steps with `needs` into sequences and Parallels, which is all that Step Functions can nest.

`orders` knows partial orders, `nesting` nests one with the least over-waiting, `modules` and `cuts` help it, `reads`
finds what steps read of each other, `graphs` makes the model's `GraphStep` and reports mistakes, `waiting` tells who
waits for whom without need. It knows nothing of expressions' values, of states, or of how the list was written.
"""
