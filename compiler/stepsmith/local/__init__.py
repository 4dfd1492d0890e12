"""Runs of workflows on this machine: our engine behind moto's API, and the handlers that the template names.

moto is the AWS API and the services; only `moto_seam` reaches under it.
"""
