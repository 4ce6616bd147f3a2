"""What a run is asked to write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cmsn_runtime.sinks.base import EventChoice


@dataclass(frozen=True, slots=True)
class Outputs:
    """Paths of what is to be written, none for what is not. json: STDOUT for standard output.

    events: which ones JSON lines and the terminal get. quiet: nothing that was not asked for by its path.
    """

    json: Path | None = None
    csv: Path | None = None
    results: Path | None = None
    timeline: Path | None = None
    events: EventChoice = "all"
    quiet: bool = False

    def require_names(self, sources: Sequence[str]) -> None:
        """Results and pictures are named after sources: raises SettingsError where two would overwrite each other."""
        from cmsn_runtime.errors import SettingsError
        from cmsn_runtime.names import video_id

        names = [video_id(url) for url in sources]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled and (self.results is not None or self.timeline is not None):
            raise SettingsError(
                f"several sources are called {', '.join(doubled)}, and --results and --timeline go by that name; "
                "run them one by one"
            )
