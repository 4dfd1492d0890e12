"""A new workflow with its first rehearsal. It writes a report where the project can, else it only thinks."""

from __future__ import annotations

from string import Template
from typing import Final

from stepsmith.catalog import ActionCatalog

REPORT: Final = "generate_report"
"""The action that the new workflow calls where there is one: it harms nothing and needs nobody's address."""

_HEAD: Final = Template("""\
# yaml-language-server: $$schema=workflow.schema.json
name: $name
description: Say here what this workflow is for.
version: 0.1.0

# What a run is started with: a JSON Schema for each property. Anything else is refused.
input:
  subject: {type: string, minLength: 1, description: What this is about.}
  severity: {type: string, enum: [low, high], default: low}   # a property with a default may be left out

steps:
  # A step is a mapping with one verb (here: set); everything else in it says how. Variables are read as vars.NAME.
  - id: title
    set:
      title: "{{ input.severity | upper }}: {{ input.subject }}"
""")

_WITH_ACTION: Final = Template("""
  # An action runs as a Lambda function. `stepsmith actions` lists them, `stepsmith actions $report` explains one.
  - id: report
    if: "{{ input.severity == 'high' }}"        # otherwise the step is skipped
    action: $report
    params:
      report_type: incident
      format: markdown
      title: "{{ vars.title }}"
      data: {subject: "{{ input.subject }}", run: "{{ run.id }}"}
    timeout: 30s
    retry: 2                                    # after 1 s, then after 2 s
    on_failure: continue                        # or: fail (default), or a list of handlers

# What the run answers. A skipped step has no output, so a default is needed.
output:
  title: "{{ vars.title }}"
  report: "{{ steps.report.output.report_uri | default(none) }}"
""")

_WITHOUT_ACTION: Final = """
  # A switch takes the first case that holds. An action would be called by `action: NAME`, see `stepsmith actions`.
  - id: urgency
    switch:
      - if: "{{ input.severity == 'high' }}"
        steps:
          - set: {answer_within: 1}
      - else:
          - set: {answer_within: 24}

# What the run answers.
output:
  title: "{{ vars.title }}"
  hours: "{{ vars.answer_within }}"
"""

_REHEARSAL_HEAD: Final = Template("""\
# A rehearsal tests a workflow without Python and without AWS: `stepsmith test $name` runs it.
workflow: $name
input: {subject: a strange login, severity: high}
""")

_REHEARSAL_WITH_ACTION: Final = Template("""\
# What steps answer in place of what they would do, by step id or by action; without a mock the real handler runs.
# {raise: ErrorName, message: why} fails a step, `after: 40s` lets it take its (virtual) time.
mocks:
  report: {return: {report_uri: "s3://reports/strange-login.md"}}
# Only what is written is compared.
expect:
  status: succeeded
  output: {title: "HIGH: a strange login", report: "s3://reports/strange-login.md"}
  steps:
    - {id: title, status: succeeded}
    - {id: report, status: succeeded, attempts: 1, params: {title: "HIGH: a strange login"}}
""")

_REHEARSAL_WITHOUT_ACTION: Final = """\
# Only what is written is compared.
expect:
  status: succeeded
  output: {title: "HIGH: a strange login", hours: 1}
  steps:
    - {id: title, status: succeeded}
    - {id: urgency, status: succeeded}
"""


def workflow_text(name: str, catalog: ActionCatalog) -> str:
    """The workflow's file."""
    if catalog.get(REPORT) is None:
        return _HEAD.substitute(name=name) + _WITHOUT_ACTION
    return _HEAD.substitute(name=name) + _WITH_ACTION.substitute(report=REPORT)


def rehearsal_text(name: str, catalog: ActionCatalog) -> str:
    """The file of its first rehearsal."""
    head = _REHEARSAL_HEAD.substitute(name=name)
    if catalog.get(REPORT) is None:
        return head + _REHEARSAL_WITHOUT_ACTION
    return head + _REHEARSAL_WITH_ACTION.substitute()
