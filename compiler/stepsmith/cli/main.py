"""The entry point of `stepsmith`: finds the command, runs it, turns how it ended into an exit status.

It imports nothing heavy: a command's module is imported once its name is known.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Final, NoReturn, Protocol, cast

from stepsmith.cli.console import Console, can_show, standard_console
from stepsmith.cli.failures import CommandError, Exit

REPORT_TO: Final = "the issue tracker of the project (CONTRIBUTING.md tells what helps)"


class CommandModule(Protocol):
    """What every module of a command offers."""

    EXAMPLE: str

    def configure(self, parser: argparse.ArgumentParser) -> None: ...

    def execute(self, arguments: argparse.Namespace, console: Console) -> int: ...


@dataclass(frozen=True, slots=True)
class Command:
    """A command as `--help` lists it and the module that runs it."""

    name: str
    summary: str
    module: str


COMMANDS: Final = (
    Command("check", "check workflows and report every problem", "stepsmith.cli.check"),
    Command("compile", "print the state machine that a workflow becomes", "stepsmith.cli.compile"),
    Command("build", "bring compiled workflows, catalogue and template up to date", "stepsmith.cli.build"),
    Command("run", "run a workflow here, on an emulated AWS", "stepsmith.cli.run"),
    Command("test", "rehearse workflows and compare with what is expected", "stepsmith.cli.test"),
    Command("eval", "evaluate an expression, as a workflow would", "stepsmith.cli.eval"),
    Command("graph", "draw a workflow, or a run of it", "stepsmith.cli.graph"),
    Command("runs", "list the runs of this project", "stepsmith.cli.runs"),
    Command("show", "show one run, step by step", "stepsmith.cli.show"),
    Command("pause", "let a run begin no further step until it is resumed", "stepsmith.cli.pause"),
    Command("resume", "go on with a run that is paused, failed or was stopped", "stepsmith.cli.resume"),
    Command("cancel", "end a run, through its finally or at once", "stepsmith.cli.cancel"),
    Command("rollback", "undo what a run has done that failed or was stopped", "stepsmith.cli.rollback"),
    Command("approvals", "list the approvals that wait for people", "stepsmith.cli.approvals"),
    Command("approve", "approve what a run asks, so that it goes on", "stepsmith.cli.approve"),
    Command("reject", "reject what a run asks, so that its step fails", "stepsmith.cli.reject"),
    Command("actions", "list the actions, or explain one", "stepsmith.cli.actions"),
    Command("new", "begin a workflow or an action", "stepsmith.cli.new"),
    Command("schema", "print the JSON Schema of workflows, for editors", "stepsmith.cli.schema"),
    Command("version", "print the version", "stepsmith.cli.version"),
)


class Parser(argparse.ArgumentParser):
    """argparse with our way of saying that a call is wrong."""

    def error(self, message: str) -> NoReturn:
        raise CommandError(message, help=f"see: {self.prog} --help")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line `argv` (the process's own by default) and returns its exit status."""
    if argv is None:
        _spare_the_collector()
    arguments = list(sys.argv[1:] if argv is None else argv)
    console = standard_console()
    try:
        status = _dispatch(arguments, console)
        console.out.flush()
        return status
    except CommandError as error:
        return _tell(error, console)
    except KeyboardInterrupt:
        console.note("cancelled")
        return Exit.CANCELLED
    except BrokenPipeError:
        # The reader went away, as `head` does. What is still buffered must not be written at exit either.
        _silence_stdout()
        return Exit.DONE
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else Exit.DONE
    except Exception as error:
        return _our_bug(error, console)


def _dispatch(argv: Sequence[str], console: Console) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        named = argv[1] if len(argv) > 1 and argv[0] == "help" else None
        if named is None:
            console.print(overview(console))
            return Exit.DONE if argv else Exit.WRONG_CALL
        argv = [named, "--help"]
    if argv[0] in ("-V", "--version"):
        argv = ["version"]
    command = next((item for item in COMMANDS if item.name == argv[0]), None)
    if command is None:
        from stepsmith.diagnostics import did_you_mean

        near = did_you_mean(argv[0], [item.name for item in COMMANDS], "see: stepsmith --help")
        raise CommandError(f'there is no command "{argv[0]}"', help=near)
    module = cast(CommandModule, import_module(command.module))
    parser = Parser(
        prog=f"stepsmith {command.name}",
        description=command.summary[0].upper() + command.summary[1:] + ".",
        epilog=_examples(module.EXAMPLE),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.configure(parser)
    return module.execute(parser.parse_args(argv[1:]), console)


def overview(console: Console) -> str:
    """What `stepsmith --help` prints."""
    rows = [(f"  {console.style(item.name, 'bold')}", item.summary) for item in COMMANDS]
    return "\n".join(
        [
            "usage: stepsmith COMMAND …" if can_show("…", console.out) else "usage: stepsmith COMMAND ...",
            "",
            "Workflows in YAML, checked and compiled to AWS Step Functions, run and tested on a laptop.",
            "",
            *console.table(rows),
            "",
            "stepsmith COMMAND --help explains a command and shows an example.",
        ]
    )


def _examples(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines()]
    return "\n".join([f"example{'s' if len(lines) > 1 else ''}:", *(f"  {line}" for line in lines)])


def _tell(error: CommandError, console: Console) -> int:
    console.note(f"stepsmith: {error.message}")
    for line in error.details:
        console.note(f"  {line}")
    if error.help:
        console.note(f"  {error.help}")
    return error.status


def _our_bug(error: Exception, console: Console) -> int:
    if os.environ.get("STEPSMITH_DEBUG"):
        import traceback

        traceback.print_exc(file=console.err)
    console.note(f"stepsmith: internal error: {type(error).__name__}: {error}")
    console.note(f"  this is a bug of ours: please report it in {REPORT_TO}")
    if not os.environ.get("STEPSMITH_DEBUG"):
        console.note("  STEPSMITH_DEBUG=1 shows the traceback")
    return Exit.BUG


def _spare_the_collector() -> None:
    """Keeps the garbage collector from looking through what a short process holds until its end anyhow.

    A quarter of the time of a short run would go into it, most of that while the interpreter shuts down.
    """
    gc.set_threshold(50_000, 20, 20)
    atexit.register(gc.freeze)


def _silence_stdout() -> None:
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError, AttributeError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
