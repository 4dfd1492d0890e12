"""What a rollback has to know: which steps of a run have completed, and with what."""
