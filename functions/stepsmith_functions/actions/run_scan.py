"""The action `run_scan`."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from pydantic import Field

from stepsmith_functions.runtime.action import action
from stepsmith_functions.runtime.context import ActionContext
from stepsmith_functions.runtime.contract import Params, Result, Statement
from stepsmith_functions.runtime.errors import PermanentError
from stepsmith_functions.runtime.files import FileMissing, PathNotAllowed
from stepsmith_functions.runtime.scanning import definitions, exclusions, scanner
from stepsmith_functions.runtime.scanning.bundle import RulesInvalid
from stepsmith_functions.runtime.scanning.exclusions import Exclusions
from stepsmith_functions.runtime.scanning.scanner import Match, Scanner, Severity
from stepsmith_functions.runtime.scanning.targets import Found, Passed, Reason, Target, targets

ScanType: TypeAlias = Literal["quick", "full"]

MOST_FINDINGS: Final = 200
LARGEST_FINDINGS: Final = 100_000
"""Bytes of all findings as JSON: a state's data may have 256 KiB in all (Step Functions quotas)."""
_MOST_NAMES = 20
_EXAMPLES = 5
_LONGEST_NAME = 500
_AFTERWARDS = 5.0
"""Seconds that the function keeps for its answer."""


@dataclass(frozen=True, slots=True)
class _Extent:
    """How far a scan goes. Sizes are in bytes, times in seconds."""

    largest: int
    most_files: int | None
    longest: int


_EXTENTS: Final[dict[ScanType, _Extent]] = {
    "quick": _Extent(largest=16 << 20, most_files=5000, longest=10),
    "full": _Extent(largest=256 << 20, most_files=None, longest=120),
}


class ScanIncomplete(PermanentError):  # noqa: N818 - the name is part of the contract with workflows
    """The scan did not end within the function's time: narrow the path, or scan its folders one by one."""


class RunScanParams(Params):
    path: str = Field(
        min_length=1,
        max_length=4096,
        description="A file or folder under an allowed root, or an object or prefix as `s3://bucket/key`.",
    )
    scan_type: ScanType = Field(
        default="quick",
        description="`quick`: files of up to 16 MiB, 10 s for each, the first 5000; `full`: every file of up to "
        "256 MiB, 120 s for each.",
    )


class Finding(Result):
    file: str = Field(description="A path or an `s3://` URI.")
    sha256: str = Field(description="Of the content, in hexadecimal.")
    size: int = Field(description="Bytes.")
    rule: str = Field(description="The most severe rule that matched.")
    severity: Severity = Field(description="That rule's `severity`; `medium` if it names none.")
    description: str = Field(description="That rule's, up to 200 characters.")
    rules: list[str] = Field(description="Every rule that matched, up to 20.")
    tags: list[str] = Field(description="Of those rules, up to 20.")


class Skipped(Result):
    reason: Reason = Field(description="Why.")
    files: int = Field(description="How many; a folder that was not entered counts as one.")
    examples: list[str] = Field(description="The first five, cut after 500 characters.")


class RunScanResult(Result):
    files_scanned: int = Field(description="Files that the rules looked at.")
    threats_found: int = Field(description="Files in which a rule matched.")
    findings: list[Finding] = Field(description="One for each such file, in the order of the scan, up to 200.")
    findings_left_out: int = Field(description="How many more findings there were than the result can hold.")
    skipped: list[Skipped] = Field(description="What was not scanned, by reason.")
    complete: bool = Field(description="False where a quick scan ended at its limit of files.")
    rules_version: str = Field(description="Of the rules in use; `packaged` for those that ship with the code.")


@action(
    effect="read",
    repeatable=True,
    timeout=900,
    memory=2048,
    errors=(FileMissing, PathNotAllowed, RulesInvalid, ScanIncomplete),
    permissions=(
        Statement(("s3:GetObject",), ("arn:${AWS::Partition}:s3:::${WatchedBucket}/*",)),
        Statement(("s3:GetObject",), ("${DataBucket.Arn}/definitions/*",)),
        # Without the right to list, S3 answers 403 instead of 404 for what does not exist.
        Statement(("s3:ListBucket",), ("${DataBucket.Arn}", "arn:${AWS::Partition}:s3:::${WatchedBucket}")),
    ),
    environment={"DATA_BUCKET": "${DataBucket}", "FILE_ROOTS": "${FileRoots}"},
    layers=("Scanning",),
    example={"path": "s3://uploads-example/incoming/", "scan_type": "quick"},
)
def run_scan(params: RunScanParams, context: ActionContext) -> RunScanResult:
    """Looks for malicious content with YARA rules.

    The rules are those that `update_definitions` published last, else those that ship with the code. Files that
    `add_exclusion` excluded are left out, symlinks are not followed and the quarantine is not entered. A quick scan
    is for often: it passes over large files and ends after 5000; a full scan looks at everything it can, or fails
    with ScanIncomplete. `findings` holds each file once, so that a loop over it can quarantine them.
    """
    found = targets(params.path, context)
    rules = scanner.scanner_of(definitions.in_use(context), context.remaining_seconds() - _AFTERWARDS)
    scan = _Scan(rules, exclusions.exclusions_of(context), _EXTENTS[params.scan_type], context)
    # Closing it closes the folder that it has open.
    with closing(found):
        for each in found:
            if not scan.takes(each):
                break
    return scan.result()


@dataclass(slots=True)
class _Scan:
    """A scan as far as it has come."""

    rules: Scanner
    excluded: Exclusions
    extent: _Extent
    context: ActionContext
    scanned: int = 0
    threats: int = 0
    findings: list[Finding] = field(default_factory=list)
    _size: int = 0
    _skipped: Counter[Reason] = field(default_factory=Counter)
    _examples: dict[Reason, list[str]] = field(default_factory=dict)
    _complete: bool = True

    def takes(self, found: Found) -> bool:
        """Looks at what was found; False, and does not, where the scan has reached its limit of files."""
        if isinstance(found, Passed):
            self._skip(found.name, found.reason)
            return True
        if self.scanned == self.extent.most_files:
            self._complete = False
            return False
        left = self.context.remaining_seconds() - _AFTERWARDS
        if left < 1:
            self._give_up()
        reason = self._look_at(found, min(self.extent.longest, int(left)))
        if reason is not None:
            self._skip(found.name, reason)
        return True

    def _look_at(self, target: Target, seconds: int) -> Reason | None:
        """Scans `target`; returns why it could not be, if so."""
        if self.excluded.by_name(target.name):
            return "excluded"
        if target.size > self.extent.largest:
            return "too_large"
        content = target.read()
        if isinstance(content, str):
            return content
        digest = hashlib.sha256(content).hexdigest() if self.excluded.need_digest else None
        if digest and self.excluded.by_content(target.name, digest):
            return "excluded"
        matches = self.rules.matches(content, seconds)
        if isinstance(matches, str):
            if matches == "timed_out" and seconds < self.extent.longest:
                self._give_up()
            return matches
        self.scanned += 1
        if matches:
            self._found(target, digest or hashlib.sha256(content).hexdigest(), len(content), matches)
        return None

    def _found(self, target: Target, digest: str, size: int, matches: list[Match]) -> None:
        self.threats += 1
        worst = matches[0]
        finding = Finding(
            file=target.name,
            sha256=digest,
            size=size,
            rule=worst.rule,
            severity=worst.severity,
            description=worst.description[:200],
            rules=list(dict.fromkeys(match.rule for match in matches))[:_MOST_NAMES],
            tags=sorted({tag for match in matches for tag in match.tags})[:_MOST_NAMES],
        )
        length = len(json.dumps(finding.model_dump()))
        if len(self.findings) < MOST_FINDINGS and self._size + length <= LARGEST_FINDINGS:
            self.findings.append(finding)
            self._size += length

    def _skip(self, name: str, reason: Reason) -> None:
        self._skipped[reason] += 1
        examples = self._examples.setdefault(reason, [])
        if len(examples) < _EXAMPLES:
            examples.append(name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…")

    def _give_up(self) -> None:
        self.context.logger.warning("threats found so far", extra={"findings": [each.file for each in self.findings]})
        raise ScanIncomplete(f"out of time after {self.scanned} files, with {self.threats} threats among them")

    def result(self) -> RunScanResult:
        return RunScanResult(
            files_scanned=self.scanned,
            threats_found=self.threats,
            findings=self.findings,
            findings_left_out=self.threats - len(self.findings),
            skipped=[
                Skipped(reason=reason, files=count, examples=self._examples[reason])
                for reason, count in sorted(self._skipped.items())
            ],
            complete=self._complete,
            rules_version=self.rules.version,
        )


handler = run_scan.handler
