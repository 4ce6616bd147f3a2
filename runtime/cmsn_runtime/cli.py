"""The command `cmsn`: its subcommands come from the installed packages, and are imported one at a time."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points, metadata
from pathlib import Path

import click

from cmsn_runtime.errors import CmsnError
from cmsn_runtime.reporting import report
from cmsn_runtime.sources.addresses import redacted
from cmsn_runtime.stopping import READER_LEFT, raise_if_stopped, stoppable
from cmsn_runtime.text import printable

_INTERRUPTED = 130  # what shells report of a program ended by Ctrl-C


class _ReaderLeftError(Exception):
    """The reader of standard output has exited. Not an OSError, which click would turn into an exit status of 1."""


class _InstalledCommands(click.Group):
    """Subcommands of the entry-point group "cmsn.commands".

    A command's module imports nothing heavy until it is called. One that cannot be imported is listed nevertheless,
    and reports what is missing when called.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_entry_points())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = _entry_points().get(cmd_name)
        if entry is None:
            return None
        try:
            command = entry.load()
        except (ImportError, AttributeError) as error:
            raise_if_stopped()
            return _unavailable(cmd_name, error)
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ReaderLeftError from error


@click.command(cls=_InstalledCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cmsn", message="cmsn %(version)s")
def cmsn() -> None:
    """Temporal action proposals on live cameras and videos: when did something happen?"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    0: success. 1: an error, in one line on stderr. 2: wrong usage. 130, 143, 129: SIGINT, SIGTERM, SIGHUP. 141: the
    reader of the output has exited.
    """
    chosen = sys.argv[1:] if arguments is None else list(arguments)
    sys.exit(stoppable(lambda: run_command_line(chosen)))


def run_command_line(arguments: list[str]) -> int:
    """Run a command -> its exit status. An error is one line on stderr; CMSN_TRACEBACK=1 shows the traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")  # a terminal that is not UTF-8, a name that is not
    try:
        status = _run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except (_ReaderLeftError, BrokenPipeError) as error:
        if _abandon_stdout():
            return READER_LEFT
        report(f"{error.__cause__ or error}: the program at the other end has exited")
        return 1
    except Exception as error:
        raise_if_stopped()
        if os.environ.get("CMSN_TRACEBACK") and not isinstance(error, CmsnError):
            raise
        report(_reason(error))
        return 1
    return status


def _run(arguments: list[str]) -> int:
    try:
        status = cmsn.main(arguments, prog_name="cmsn", standalone_mode=False)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        lines = redacted(shown.getvalue(), "").splitlines()  # an address in the wrong place may hold a password
        click.echo("\n".join(map(printable, lines)), err=True)
        return error.exit_code
    except click.Abort:  # click's exception for Ctrl-C
        return _INTERRUPTED
    return status if isinstance(status, int) else 0


def _reason(error: Exception) -> str:
    if isinstance(error, CmsnError):
        return str(error)
    if isinstance(error, OSError):
        what = error.strerror or str(error)
        if _abandon_stdout():
            return f"standard output: cannot be written ({what})"
        return f"{error.filename}: {what}" if error.filename else f"{what}, in standard output or a file being written"
    if isinstance(error, MemoryError):
        return "out of memory; close other programs, or use smaller videos, batches or models"
    return f"unexpected {type(error).__name__}: {error} (a fault of cmsn: CMSN_TRACEBACK=1 shows where)"


def _abandon_stdout() -> bool:
    """Whether standard output cannot be written; it is then abandoned, so that Python does not flush it at exit."""
    if sys.stdout is None:
        return False
    try:
        sys.stdout.flush()
    except OSError:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return True
    return False


def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group="cmsn.commands")}


def _unavailable(name: str, error: Exception) -> click.Command:
    """A placeholder for a command that cannot be imported. Extras are named after the commands that need them."""
    extras = metadata("cmsn").get_all("Provides-Extra") or []
    wanted = f"cmsn[{name}]" if name in extras else "cmsn"

    def refuse() -> None:
        raise CmsnError(f"`cmsn {name}` is not available here ({error}): pip install '{wanted}'")

    return click.Command(
        name,
        callback=refuse,
        short_help=f"Not available here: pip install '{wanted}'",
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
