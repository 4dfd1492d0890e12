"""What Step Functions would refuse at creation. A checked workflow that gets here is a bug of ours."""

from stepsmith.verify.machine import verify_machine

__all__ = ["verify_machine"]
