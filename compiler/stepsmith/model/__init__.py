"""A workflow as data: what every dialect is read into and what checks and lowering work on."""
