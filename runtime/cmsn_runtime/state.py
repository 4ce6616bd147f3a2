"""Where a site's state is stored: what must outlive a restart, and is of no use to people."""

from __future__ import annotations

import os
from pathlib import Path

STATE_VARIABLE = "CMSN_STATE_DIR"
_SYSTEMD_VARIABLE = "STATE_DIRECTORY"  # of a service with StateDirectory=; several are separated by colons


def state_folder(site: str) -> Path:
    """The folder that CMSN_STATE_DIR or systemd names; by default one in the user's home for each site."""
    named = os.environ.get(STATE_VARIABLE) or os.environ.get(_SYSTEMD_VARIABLE, "").partition(":")[0]
    if named:
        return Path(named).expanduser().absolute()
    from platformdirs import user_state_path  # imported here: most runs never need it

    return user_state_path("cmsn", appauthor=False).absolute() / site
