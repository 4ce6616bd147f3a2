"""The name of a backend on the command line."""

from __future__ import annotations

import click

from cmsn_runtime.plugins import BACKENDS, plugin_names

_NAMES = ("auto", *plugin_names(BACKENDS))
BACKEND_NAMES = f"[{'|'.join(_NAMES)}]"


def checked_backend(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """One of the installed names, or `auto`; what follows a colon is checked by the backend of that name."""
    if value not in _NAMES:
        from cmsn_runtime.backends.registry import find_backend
        from cmsn_runtime.errors import SettingsError

        try:
            find_backend(value)
        except SettingsError as error:
            raise click.BadParameter(str(error)) from None
    return value
