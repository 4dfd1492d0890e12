"""The library of actions, one per module. None imports another, and nothing here lists them:
each module is the whole of one Lambda function."""
