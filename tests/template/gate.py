"""Checks the stack as CloudFormation will see it: `gate.py [--print] TEMPLATE`, run with SAM CLI's own interpreter.

`sam validate --lint` does not see what SAM's transform makes: a circle of roles and machines, a misspelt IAM action,
a route without an authorizer. So this translates the template, lints the outcome and makes our own assertions.
sam-translator stays out of the project's environment, whose pydantic it would hold back.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

from assertions import findings

REGION = "us-east-1"
CODE = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
}


class NoManagedPolicies:
    """Stands in for the list of AWS's managed policies, which only an account can give."""

    def load(self) -> dict[str, str]:
        return {}


def translate(text: str) -> dict:
    """The template after SAM's transform, with local code replaced by places in a bucket."""
    from samtranslator.translator.transform import transform
    from samtranslator.yaml_helper import yaml_parse

    template = yaml_parse(text)
    template.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
    for resource in template["Resources"].values():
        if resource["Type"] in CODE:
            properties = resource.setdefault("Properties", {})
            if "Definition" not in properties:
                properties[CODE[resource["Type"]]] = "s3://bucket/key"
    return transform(template, {}, NoManagedPolicies())


def lint(template: dict) -> list[str]:
    """What cfn-lint says of it."""
    from cfnlint import ManualArgs
    from cfnlint.api import lint as run

    return [
        f"{found.rule.id} {found.message}" for found in run(json.dumps(template), config=ManualArgs(regions=[REGION]))
    ]


def definitions(text: str, folder: Path) -> list[str]:
    """What is wrong with the state machines' files, which no linter opens."""
    from samtranslator.yaml_helper import yaml_parse

    wrong = []
    for name, resource in yaml_parse(text)["Resources"].items():
        if resource["Type"] != "AWS::Serverless::StateMachine":
            continue
        inline = resource["Properties"].get("Definition")
        path = folder / resource["Properties"].get("DefinitionUri", "")
        if inline is None and not path.is_file():
            wrong.append(f"{name}: there is no {path}")
        elif not _ends(inline or json.loads(path.read_text(encoding="utf-8"))):
            wrong.append(f"{name} may run for a year: it has no TimeoutSeconds and no deadline")
    return wrong


def _ends(definition: dict) -> bool:
    """Whether the machine has a limit of its own, or tasks that look at the time that is left since its start."""
    limits = [state.get("TimeoutSeconds") for state in _states(definition)]
    return "TimeoutSeconds" in definition or any("Execution.StartTime" in str(limit) for limit in limits)


def _states(machine: dict) -> list:
    found = []
    for state in machine["States"].values():
        found.append(state)
        for inner in (*state.get("Branches", ()), *filter(None, [state.get("ItemProcessor")])):
            found += _states(inner)
    return found


def main(path: str, *, show: bool) -> int:
    text = Path(path).read_text(encoding="utf-8")
    translated = translate(text)
    if show:
        print(json.dumps(translated, indent=1, default=str))
        return 0
    wrong = [*lint(translated), *findings(translated), *definitions(text, Path(path).parent)]
    print("\n".join(wrong) or f"{path}: {len(translated['Resources'])} resources, nothing to object to")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[-1], show="--print" in sys.argv))
