"""Makes an instance under a known id, which EC2's API cannot: RunInstances gives each an id of its own."""

from __future__ import annotations

import importlib
from typing import Any, Final
from unittest.mock import patch

_IMAGE: Final = "ami-12c6146b"
"""One of the images that moto has; what it holds is never read."""


def make_instance(client: Any, identity: str) -> None:
    """Runs an instance that has the id `identity`, with a network interface and a disk, in the default VPC."""
    models = importlib.import_module("moto.ec2.models.instances")
    with patch.object(models, "random_instance_id", lambda: identity):
        client.run_instances(ImageId=_IMAGE, InstanceType="t3.micro", MinCount=1, MaxCount=1)
