"""What editors are told of the language, so that they complete, explain and check a workflow while it is written."""
