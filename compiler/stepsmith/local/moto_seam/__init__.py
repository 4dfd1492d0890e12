"""The one place that reaches under moto. Each seam is a row of `seams.SEAMS` with its reason.

moto is the AWS API and the services; its Step Functions interpreter is not true to AWS, and importing it costs twice
as much as boto3 and moto together. So our engine stands behind moto's API, and moto's interpreter is loaded only for
a JSONPath machine. `tests/local/test_moto_seam.py` holds a canary for each seam: it fails when what is replaced has
changed, or no longer needs replacing.

`desk` says what stands behind the API; `states` with its `versions`, `functions`, `events` with its `targets` and
`schedules`, and `dynamodb` are what stands in for parts of moto; `seams` puts them in place. `imports` postpones what
moto imports needlessly, `objects` reads beneath the API what a run leaves in its buckets, `instances` makes an
instance whose id is known before.
"""

from stepsmith.local.moto_seam.desk import Desk
from stepsmith.local.moto_seam.events import publish_status
from stepsmith.local.moto_seam.instances import make_instance
from stepsmith.local.moto_seam.objects import objects_of
from stepsmith.local.moto_seam.seams import SEAMS, Installed, Seam, install

__all__ = ["SEAMS", "Desk", "Installed", "Seam", "install", "make_instance", "objects_of", "publish_status"]
