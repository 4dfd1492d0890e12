"""Approvals of local runs: mocked ones, and people at the desk who decide."""
