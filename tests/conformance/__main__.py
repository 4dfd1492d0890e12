"""Runs the conformance cases: `python -m tests.conformance` on our engine, with `--aws` on a real account.

    python -m tests.conformance --aws --role-arn arn:aws:iam::111122223333:role/Conformance --region eu-west-1

The role is the machines' own, trusted by states.amazonaws.com; `--policy` prints what it must allow. Machines are made
with a prefix of their own and deleted in the end. Exits 0 when everything came out as our engine has it, else 1.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from tests.conformance.cases import Case
from tests.conformance.catalogue import CASES, NOT_ASKED
from tests.conformance.local import local_bench
from tests.conformance.runner import Bench, compared, read_expected, write_expected

DOLLARS_PER_TRANSITION: Final = 0.025 / 1000
"""Standard workflows in most regions; the first 4,000 of a month are free (AWS's price list)."""
POLICY: Final = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "states:StartExecution",
                "states:DescribeExecution",
                "states:StopExecution",
                "states:SendTaskSuccess",
                "states:SendTaskFailure",
                "states:ValidateStateMachineDefinition",
            ],
            "Resource": "*",
        },
        {
            "Effect": "Allow",
            "Action": ["events:PutTargets", "events:PutRule", "events:DescribeRule"],
            "Resource": "arn:aws:events:*:*:rule/StepFunctionsGetEventsForStepFunctionsExecutionRule",
        },
    ],
}


def transitions_of(outcome: Mapping[str, Any]) -> int:
    """States entered and retries, from the types of the events."""
    events: Sequence[str] = outcome.get("events") or ()
    entered = sum(kind.endswith("Entered") for kind in events)
    tasks = sum(kind == "TaskStateEntered" for kind in events)
    return entered + max(0, events.count("TaskScheduled") - tasks)


def estimate(cases: Sequence[Case], expected: Mapping[str, Mapping[str, Any]]) -> str:
    """What a run costs at most, in words. Children are counted twice over: their events are not in the histories."""
    transitions = 2 * sum(transitions_of(expected.get(case.name, {})) for case in cases) + 4 * len(cases)
    dollars = transitions * DOLLARS_PER_TRANSITION
    minutes = max(1, round(len(cases) * 3 / 60))
    return (
        f"{len(cases)} cases, some {minutes} minutes; at most {transitions:,} state transitions, "
        f"${dollars:.3f} beyond the free 4,000 of a month. Nothing but Step Functions is used."
    )


def aws_bench(role: str, region: str | None) -> Bench:
    import boto3

    client = boto3.client("stepfunctions", region_name=region)
    return Bench(client, role, lambda: time.sleep(1), f"conformance-{uuid.uuid4().hex[:8]}")


def run(cases: Sequence[Case], bench: AbstractContextManager[Bench], expected: Mapping[str, Any]) -> dict[str, Any]:
    """Runs the cases, prints what comes out otherwise than expected and the answers; the outcomes by case."""
    outcomes: dict[str, Any] = {}
    differing = 0
    with bench as at:
        for case in cases:
            found = outcomes[case.name] = at.outcome(case)
            if case.question:
                shown = {name: value for name, value in found.items() if name != "events"}
                print(f"? {case.name}: {case.question}\n    {json.dumps(shown)[:600]}", flush=True)
                continue
            differences = list(compared(expected.get(case.name, {}), found))
            differing += bool(differences)
            print(f"{'x' if differences else '.'} {case.name}", flush=True)
            for line in differences:
                print(f"    {line}")
    asked = sum(bool(case.question) for case in cases)
    print(f"{len(cases) - asked - differing} of {len(cases) - asked} as our engine has it, {asked} questions answered")
    for number, reason in NOT_ASKED.items():
        print(f"question {number} is not asked: {reason}")
    return outcomes


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__.splitlines()[0])
    parser.add_argument("--aws", action="store_true", help="run on the account that boto3 is set up for")
    parser.add_argument("--role-arn", help="the role of the machines; needed with --aws")
    parser.add_argument("--region")
    parser.add_argument("-k", default="", help="only cases whose name holds this")
    parser.add_argument("--estimate", action="store_true", help="say what it would cost, and do nothing")
    parser.add_argument("--policy", action="store_true", help="print the policy that the role needs")
    parser.add_argument("--write", action="store_true", help="write what our engine does as what is expected")
    options = parser.parse_args(argv)
    if options.policy:
        print(json.dumps(POLICY, indent=2))
        return 0
    cases = [case for case in CASES if options.k in case.name]
    expected = read_expected() if not options.write else {}
    if options.aws or options.estimate:
        print(estimate(cases, expected), flush=True)
    if options.estimate:
        return 0
    if options.aws and not options.role_arn:
        parser.error("--aws needs --role-arn")
    if options.aws and options.write:
        parser.error("what is expected is what our engine does: --write goes without --aws")
    bench = aws_bench(options.role_arn, options.region) if options.aws else local_bench()
    outcomes = run(cases, bench, expected)
    if options.write:
        write_expected({case.name: outcomes[case.name] for case in cases if not case.question})
        return 0
    wrong = [
        case for case in cases if not case.question and [*compared(expected.get(case.name, {}), outcomes[case.name])]
    ]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
