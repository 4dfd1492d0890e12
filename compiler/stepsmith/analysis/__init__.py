"""What is known at each place of a workflow: which steps have run there, which variables are set, of what type.

Checks and lowering both stand on it, so that what the one promises the other may rely on.
"""
