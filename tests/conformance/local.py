"""The cases on our engine, through boto3 and moto."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stepsmith.local.aws import ROLE, LocalAws
from stepsmith.local.sam import SamTemplate
from tests.conformance.runner import Bench


@contextmanager
def local_bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as folder, LocalAws(SamTemplate(Path(folder)), {}, Path(folder)) as aws:
        bench = Bench(aws.client("stepfunctions"), ROLE, aws.engine.run, "conformance")
        with bench:
            yield bench
