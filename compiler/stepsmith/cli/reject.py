"""`stepsmith reject`: decides what a run asks."""

from __future__ import annotations

import argparse
from typing import Final

from stepsmith.cli.console import Console
from stepsmith.cli.deciding import configure_vote, decide

EXAMPLE: Final = """
    stepsmith reject 3f2a91c0
    stepsmith reject 3f2a91c0 may_i --as ops@example.com --comment "CAB-1234"
    stepsmith reject latest --stack security-prod
"""


def configure(parser: argparse.ArgumentParser) -> None:
    configure_vote(parser)


def execute(arguments: argparse.Namespace, console: Console) -> int:
    return decide(arguments, console, approves=False)
