"""What surrounds an action under test: an emulated AWS, a web, a folder of files, and the deployment's functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from stepsmith_functions.history.items import step_from_item, step_key
from stepsmith_functions.history.records import StepRecord
from stepsmith_functions.runtime import clients
from stepsmith_functions.runtime.registry import AnyAction, actions
from tests.support.deployment import BUCKET, ROOT, TABLE, Deployment, Function
from tests.support.emulated_aws import REGION, Answer, Call, EmulatedAws, Proceed
from tests.support.runtime_api import Outcome
from tests.support.web import Web

UPLOADS, RULES = "uploads-example", "rules-example"
SENDER = "stepsmith@example.com"
SIGNING = "stepsmith/webhook-signing"
PUBLIC = "93.184.215.14"
"""An address of the public internet, at which the test's web stands under any name below example.com."""
PARAMETERS = {
    "WatchedBucket": UPLOADS,
    "DefinitionsBucket": RULES,
    "AlertsSender": SENDER,
    "ScanTargets": "10.0.0.0/28",
    "WebhookSigningSecret": SIGNING,
}
"""How the deployment is set up; all else has the template's defaults."""

ACTIONS: Mapping[str, AnyAction] = {action.contract.name: action for action in actions()}


@dataclass
class Functions:
    """The processes of one action: one for the deployment as it is, more where a case needs it set up otherwise."""

    deployment: Deployment
    environment: Mapping[str, str]
    stack: ExitStack
    running: dict[str, Function] = field(default_factory=dict)

    def get(self, action: str, variables: Mapping[str, str], parameters: Mapping[str, str]) -> Function:
        key = json.dumps([action, *sorted(variables.items()), *sorted(parameters.items())])
        if key not in self.running:
            handler = ACTIONS[action].contract.handler
            found = self.deployment.function(handler, {**self.environment, **variables}, **parameters)
            self.stack.enter_context(found.process)
            self.running[key] = found
        return self.running[key]


@dataclass
class Scene:
    """One test's world."""

    aws: EmulatedAws
    web: Web
    root: Path
    """The folder that the deployment lets actions touch."""
    network: Path
    functions: Functions

    def client(self, service: str) -> Any:
        """A client of the emulated AWS, past hooks and policies."""
        return clients.of_process().get(service, REGION)

    def sample(self, action: str) -> dict[str, Any]:
        """The sample event of the action, as its file holds it."""
        event: dict[str, Any] = json.loads((ROOT / "events" / "actions" / f"{action}.json").read_text("utf-8"))
        return event

    def event(self, action: str, **params: object) -> dict[str, Any]:
        """The sample event with some other params."""
        event = self.sample(action)
        event["params"] |= params
        return event

    def function(
        self, action: str, variables: Mapping[str, str] | None = None, parameters: Mapping[str, str] | None = None
    ) -> Function:
        """The action's function; `variables` and `parameters` of another deployment than this."""
        return self.functions.get(action, variables or {}, parameters or {})

    def invoke(self, function: Function, event: object, left: float | None = None) -> Outcome:
        """Calls the function, which may do with AWS what its role allows."""
        self.aws.granted = function.may
        return function.process.invoke(event, left=left)

    def done(self, action: str, event: object) -> Any:
        """What the action answers, which it must."""
        function = self.function(action)
        outcome = self.invoke(function, event)
        assert not outcome.failed, (outcome.payload, function.process.log, self.aws.denied)
        return outcome.payload

    def record(self, event: Mapping[str, Any]) -> StepRecord:
        """What the history says of the event's step."""
        key = step_key(event["run"]["id"], event["step"]["path"])
        return step_from_item(self.client("dynamodb").get_item(TableName=TABLE, Key=key)["Item"])

    def writes(self, event: Mapping[str, Any]) -> int:
        """How often the history was written to for the event's step."""
        key = step_key(event["run"]["id"], event["step"]["path"])
        return sum(call.arguments["Key"] == key for call in self.aws.called("UpdateItem"))

    # --- the world outside --------------------------------------------------------------------------------------

    def reach(self, names: Mapping[str, str], ports: Mapping[str, int]) -> None:
        """From now on these names resolve and these addresses with ports lead here."""
        self.network.write_text(json.dumps({"names": names, "ports": ports}), encoding="utf-8")

    def put(self, bucket: str, key: str, body: bytes = b"harmless") -> str:
        """Puts an object; returns its URI."""
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
        return f"s3://{bucket}/{key}"

    def script(self, content: bytes, digest: str | None = None) -> dict[str, Any]:
        """Puts a script into the data bucket; returns the event of `run_script` that names it."""
        uri = self.put(BUCKET, "scripts/own.sh", content)
        return self.event("run_script", script=uri, sha256=digest or sha256(content).hexdigest())

    def read(self, key: str, bucket: str = BUCKET) -> bytes:
        body: bytes = self.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        listed = self.client("s3").list_objects_v2(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for entry in listed.get("Contents", ())]

    def refuse(self, operation: str, code: str, status: int = 400, about: str = "") -> None:
        """Has AWS refuse the calls of an operation, those whose target or body holds `about`."""

        def hook(call: Call, proceed: Proceed) -> Answer:
            concerned = about in call.target or about.encode() in call.body
            return call.refusal(code, status) if concerned else proceed()

        self.aws.hooks[operation] = hook

    def meanwhile(self, operation: str, happens: Callable[[], object]) -> None:
        """Has something happen just before AWS carries out the first call of an operation."""
        pending = [happens]

        def hook(call: Call, proceed: Proceed) -> Answer:
            if pending:
                pending.pop()()
            return proceed()

        self.aws.hooks[operation] = hook
