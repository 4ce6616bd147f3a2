"""The command `cmsn`: its subcommands come from whichever packages are installed, and are imported one at a time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points, metadata

import click

from cmsn_runtime.errors import CmsnError
from cmsn_runtime.reporting import report

_INTERRUPTED = 130  # what shells report of a program ended by Ctrl-C


class _InstalledCommands(click.Group):
    """Subcommands of the entry-point group "cmsn.commands".

    A command's module imports nothing heavy until it is called. One that cannot even be imported is listed all the
    same, and says when called what is missing.
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
            return _unavailable(cmd_name, error)
        return command if isinstance(command, click.Command) else None


@click.command(cls=_InstalledCommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cmsn", message="cmsn %(version)s")
def cmsn() -> None:
    """Temporal action proposals on live cameras and videos: when did something happen?"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 well, 1 an error in one line on stderr, 2 wrong usage, 130 Ctrl-C."""
    sys.exit(_status(None if arguments is None else list(arguments)))


def _status(arguments: list[str] | None) -> int:
    try:
        status = cmsn.main(arguments, prog_name="cmsn", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:  # click's name for Ctrl-C
        return _INTERRUPTED
    except CmsnError as error:
        report(error)
        return 1
    return status if isinstance(status, int) else 0


def _entry_points() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group="cmsn.commands")}


def _unavailable(name: str, error: Exception) -> click.Command:
    """A stand-in for a command that cannot be imported. Extras are named as the commands that need them."""
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
