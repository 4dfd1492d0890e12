"""What Step Functions refuses when a state machine is created, all problems at once.

The codes are those of ValidateStateMachineDefinition; the texts are the service's where they were recorded and ours
elsewhere (it says itself that they may change). Functions, roles and buckets are not looked for, as the service does
not look for them. JSONPath states are checked for their structure only.
"""

from stepsmith.engine.validation.problem import Problem
from stepsmith.engine.validation.validate import validate

__all__ = ["Problem", "validate"]
