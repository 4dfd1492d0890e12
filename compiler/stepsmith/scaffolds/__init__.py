"""What a new workflow or action begins as: files that check and run at once, with comments that teach."""
