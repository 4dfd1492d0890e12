"""What a deployment answers over HTTP: the pages of approvals."""
