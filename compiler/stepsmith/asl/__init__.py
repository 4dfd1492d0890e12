"""A state machine as data, in JSONata mode: what lowering makes, verify judges and emission writes."""
