"""What each key of the language is for, in the words that an editor shows beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

WORKFLOW: Final[Mapping[str, str]] = {
    "name": "The workflow's name, and its state machine's: lower-case letters, digits and -.",
    "description": "What the workflow is for.",
    "version": "The workflow's version, shown in the history.",
    "type": "standard (default), or express: short and cheap, without waiting for people or other workflows.",
    "input": "What the workflow is started with: a JSON Schema per property, required unless it has a default or "
    "`required: false`. Anything else is refused.",
    "triggers": "What starts the workflow besides people: events, schedules, HTTP requests.",
    "timeout": "How long a run may take.",
    "retry": "How steps are retried that say nothing of it themselves.",
    "on_failure": "What follows a failure that ends the run: fail (default), or rollback: what was done is undone.",
    "concurrency": "How many runs may be under way at once, and what becomes of one too many.",
    "steps": "What is done, from top to bottom.",
    "output": "The run's output: data in which any text may hold {{ … }}. Left out it is null.",
    "finally": "Steps that run last whatever happened.",
}
VERBS: Final[Mapping[str, str]] = {
    "action": "Runs an action of the project as a Lambda function.",
    "aws": "Calls an AWS service directly, without Lambda: SERVICE:OPERATION, with .sync to wait for the job's end or "
    ".waitForTaskToken to wait for an answer.",
    "workflow": "Runs another workflow of the project. Its output is the step's.",
    "set": "Sets variables, read as vars.NAME.",
    "switch": "Takes the first case whose `if` is true; with no match and no `else` the workflow goes on.",
    "wait": "Pauses for a duration, or until a time.",
    "approval": "Waits until people have decided. Its output is who decided, when and why; a rejection fails the step.",
    "stop": "Ends the run successfully.",
    "fail": "Raises an error.",
    "repeat": "Runs steps again and again, until a condition holds or while it does.",
    "parallel": "Runs branches at once and waits for all of them.",
    "for_each": "Runs steps once per item of a list.",
    "try": "Runs steps with handlers for their failures (`catch`) and steps that run last (`finally`).",
}
SETTINGS: Final[Mapping[str, str]] = {
    "params": "What it is called with: data in which any text may hold {{ … }}.",
    "wait": "Whether to wait for the end of the other workflow (default: true).",
    "rate_limit": "How often all runs together begin steps with this key; one too many waits for its turn.",
    "circuit_breaker": "After how many failures the step is not tried any more for a while, in any run.",
    "catch": "Handlers for failures inside the block; the first that matches is taken.",
    "finally": "Steps that run after the block, whatever happened in it.",
}
MODIFIERS: Final[Mapping[str, str]] = {
    "id": "The step's name in expressions (steps.ID.output), in the history and in the state machine. Unique in the "
    "file; left out it is made of the step's name or verb.",
    "name": "A title for people.",
    "description": "What the step is for.",
    "if": "The step is skipped unless this holds; then its output is missing.",
    "timeout": "How long the step may take, a single attempt of it.",
    "heartbeat": "How long the step may be silent.",
    "retry": "How often and how fast the step is tried again: a number, a mapping or a list of mappings.",
    "on_failure": "What follows when the step has failed for good: fail (default), continue, rollback, or handlers.",
    "rollback": "What undoes the step in a rollback; its output is `output`; none: there is nothing to undo.",
    "output": "Reshapes the step's result, which stands here as `output`.",
    "needs": "Steps of the same list that must have ended first. Where a step of a list has it, the steps no longer "
    "run one after another: each starts when what it needs and what it reads has ended.",
}
RETRY: Final[Mapping[str, str]] = {
    "max_retries": "How often it is tried again (default: 3).",
    "delay": "Before the first retry (default: 1s).",
    "backoff": "By what the delay grows each time (default: 2).",
    "max_delay": "The longest delay.",
    "jitter": "full (default): each delay is a random part of it, so that many do not come back at once.",
    "on": "Only these errors (default: all but those of expressions).",
}
HANDLER: Final[Mapping[str, str]] = {
    "errors": "The errors that it is for; left out, all of them.",
    "steps": "What is done about it; error.type, error.message and error.step can be read here.",
    "then": "What follows: fail (default), continue or rollback.",
}
FOR_EACH: Final[Mapping[str, str]] = {
    "in": "The list.",
    "as": "What an item is called in the steps (default: item).",
    "index_as": "What the item's number is called, from 0.",
    "concurrency": "How many items are worked on at once (default: 1).",
    "tolerate": "How many items may fail: a number, or a text such as '10%'.",
    "mode": "inline (default), or distributed: each item is a run of its own, for thousands to millions.",
    "results": "The s3:// URI under which a distributed loop writes its results.",
    "steps": "What is done with each item; its output is that of the last step.",
}
APPROVAL: Final[Mapping[str, str]] = {
    "message": "What is to be decided.",
    "approvers": "Who is sent links to decide with: e-mail addresses, SNS topics, slack: or teams: and a URL.",
    "notify": "Who else is told, without links.",
    "quorum": "How many must approve (default: 1); one rejection rejects.",
    "timeout": "How long to wait (default: 7d).",
    "on_timeout": "What it comes to when nobody has decided in time: fail (default), approve or reject.",
    "remind": "How often those who have not decided are reminded (default: never).",
}
RATE: Final[Mapping[str, str]] = {
    "limit": "How many steps may begin in a window.",
    "per": "How long a window is.",
    "key": "What the steps have in common that are counted together (default: the action's name).",
}
CONCURRENCY: Final[Mapping[str, str]] = {
    "key": "What the runs have in common that are counted together (default: the workflow's name).",
    "limit": "How many of them may be under way.",
    "on_limit": "What becomes of one too many: queue (default), skip, cancel_oldest or fail.",
}
BREAKER: Final[Mapping[str, str]] = {
    "threshold": "How many failures open the circuit.",
    "window": "Within which time.",
    "cooldown": "How long steps then fail with CircuitOpen, until one of them is tried.",
    "key": "What the steps have in common that fail together (default: the action's name).",
}
REPEAT: Final[Mapping[str, str]] = {
    "until": "Tested after each round.",
    "while": "Tested before each round.",
    "max": "The most rounds (default: 100); past them the step fails with RepeatExhausted.",
    "delay": "Between two rounds.",
    "steps": "What is done in each round.",
}
TRIGGERS: Final[Mapping[str, str]] = {
    "event": "An EventBridge pattern: the workflow starts for each event that matches.",
    "schedule": "rate(1 day), cron(0 8 * * ? *) or at(2027-01-31T08:00:00).",
    "timezone": "Of the schedule, such as Europe/Berlin (default: UTC).",
    "api": "METHOD /path: the request's body is the input.",
    "dedupe_key": "Events with the same key start one run, such as {{ event.id }}; {{ event.time }} for a schedule.",
    "input": "How the input is made; event.… can be read where an event starts the workflow.",
}
KEYWORDS: Final[Mapping[str, str]] = {
    "required": "false: the property may be left out. A list: which properties of the object must be there.",
    "default": "What stands in when the property is left out.",
    "type": "What the value is.",
    "enum": "The only values that are allowed.",
    "pattern": "A regular expression that the text must match.",
    "description": "What the property is for.",
}
