"""The functions of a template as a deployment of it would run them, each in a process of its own.

The template says everything: handler, code, layers, environment, policies. What CloudFormation would put in the place
of a parameter or a resource is the test's to say, so that a variable which the template forgets is missing here too.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from stepsmith.local.sam import Resolver, SamTemplate, TemplateError, read_template
from tests.support.emulated_aws import ACCOUNT, REGION
from tests.support.runtime_api import LocalLambda

ROOT = Path(__file__).parents[2]
NETWORK = Path(__file__).parent / "network"
PATIENCE = 60
"""Seconds that a test waits for a call at most, however long the function may take."""

TABLE, BUCKET, DOCUMENT = "history", "data-bucket", "stack-kill-process"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
_PSEUDO = {"AWS::Partition": "aws", "AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::StackName": "stack"}
_NAMES = {"HistoryTable": TABLE, "DataBucket": BUCKET, "KillProcessDocument": DOCUMENT, "AlertsTopic": TOPIC}
_ARNS = {"HistoryTable": f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{TABLE}", "DataBucket": f"arn:aws:s3:::{BUCKET}"}


@dataclass(frozen=True)
class Statement:
    """What a policy allows; each may hold `*` and `?`."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]

    def grants(self, action: str, resource: str) -> bool:
        return _any(action, self.actions) and _any(resource, self.resources)


def _any(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern.replace("[", "[[]")) for pattern in patterns)


@dataclass(frozen=True)
class Deployment:
    """A stack from the template in `folder`: what `sam build` made, or this project's own with its sources."""

    folder: Path
    python: str
    """What has Lambda's own libraries; for the sources, those of their layers too."""
    parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def under_test(cls, parameters: Mapping[str, str]) -> Deployment:
        """The artefact that `make build` names, else the sources."""
        artefact = os.environ.get("STEPSMITH_ARTEFACT")
        if artefact is None:
            return cls(ROOT, sys.executable, parameters)
        return cls(Path(artefact), os.environ["STEPSMITH_RUNTIME"], parameters)

    def function(self, handler: str, environment: Mapping[str, str], **parameters: str) -> Function:
        """The function of that handler; `environment` is what the test adds, `parameters` differ from the others'."""
        template = read_template(self.folder / "template.yaml")
        known = template.parameters.keys()
        given = {**self.parameters, **parameters}
        assert given.keys() <= known, f"the template has no parameter {', '.join(given.keys() - known)}"
        template = replace(template, parameters={**template.parameters, **given})
        resolver = Resolver(template, _PSEUDO, _name, _arn)
        [found] = (each for each in template.functions().values() if each.handler == handler)
        variables = {name: resolver.text(value) for name, value in found.environment.items()}
        properties = template.resources[found.logical_id].properties
        policies = properties.get("Policies")
        assert isinstance(policies, list)
        process = LocalLambda(
            handler,
            [found.code, *self._layers(template, properties.get("Layers")), NETWORK],
            python=self.python,
            environment={**variables, **environment},
            timeout=min(found.timeout, PATIENCE),
            memory=found.memory,
            name=found.logical_id,
        )
        return Function(process, tuple(each for policy in policies for each in _statements(policy, resolver)))

    def _layers(self, template: SamTemplate, own: object) -> list[Path]:
        if self.folder == ROOT:
            return []
        shared = template.function_globals.get("Layers")
        assert isinstance(shared, list)
        layers = [*shared, *(own if isinstance(own, list) else ())]
        return [
            self.folder / str(template.resources[each["Ref"]].properties["ContentUri"]) / "python" for each in layers
        ]


@dataclass(frozen=True)
class Function:
    """A function and what its role may do."""

    process: LocalLambda
    statements: tuple[Statement, ...]

    def may(self, action: str, resource: str) -> bool:
        return any(statement.grants(action, resource) for statement in self.statements)


def _name(logical_id: str) -> str:
    if logical_id not in _NAMES:
        raise TemplateError(f"the tests' deployment has no {logical_id}")
    return _NAMES[logical_id]


def _arn(logical_id: str, attribute: str) -> str:
    if attribute != "Arn" or logical_id not in _ARNS:
        raise TemplateError(f"the tests' deployment has no {attribute} of {logical_id}")
    return _ARNS[logical_id]


def _statements(policy: object, resolver: Resolver) -> list[Statement]:
    match policy:
        case {"Ref": str() as name}:
            document = resolver.template.resources[name].properties["PolicyDocument"]
        case dict():
            document = policy
        case _:
            raise TemplateError(f"{policy!r} is no policy")
    resolved = resolver.resolve(document)
    assert isinstance(resolved, dict)
    found = []
    for each in _listed(resolved["Statement"]):
        assert each.keys() <= {"Sid", "Effect", "Action", "Resource"}, "a condition, which nothing here judges"
        assert each["Effect"] == "Allow"
        found.append(Statement(tuple(_listed(each["Action"])), tuple(_listed(each["Resource"]))))
    return found


def _listed(value: object) -> list:
    return value if isinstance(value, list) else [value]
