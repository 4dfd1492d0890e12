"""What runs in Lambda: the actions, their runtime and the history of runs."""
