"""The requested outputs of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cmsn_runtime.sinks.base import EventChoice


@dataclass(frozen=True, slots=True)
class Outputs:
    """Paths of what is to be written, none for what is not. "-" is standard output.

    sinks: "NAME=VALUE" each, of any kind that is installed. events: which ones JSON lines and the terminal get.
    quiet: nothing that was not asked for.
    """

    json: Path | None = None
    csv: Path | None = None
    results: Path | None = None
    timeline: Path | None = None
    sinks: tuple[str, ...] = ()
    events: EventChoice = "all"
    quiet: bool = False

    def asked(self) -> list[tuple[str, str, str]]:
        """Option, kind and value of each output, in the order in which they are given what is found.

        Raises SettingsError where one of `sinks` is not NAME=VALUE.
        """
        from cmsn_runtime.errors import SettingsError

        own = {"json": self.json, "csv": self.csv, "results": self.results, "timeline": self.timeline}
        found = [(f"--{name}", name, str(path)) for name, path in own.items() if path is not None]
        for text in self.sinks:
            name, mark, value = text.partition("=")
            if not mark:
                raise SettingsError(f"--sink {text}: give NAME=VALUE, such as csv=found.csv")
            found.append((f"--sink {name}", name, value))
        return found

    def require_names(self, sources: Sequence[str]) -> None:
        """Results and pictures are named after sources: raises SettingsError where two would overwrite each other."""
        from cmsn_runtime.errors import SettingsError
        from cmsn_runtime.names import video_id

        names = [video_id(url) for url in sources]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled and {"results", "timeline"} & {kind for _, kind, _ in self.asked()}:
            raise SettingsError(
                f"several sources are called {', '.join(doubled)}, and --results and --timeline go by that name; "
                "run them one by one, or use --json and --csv, which have whole addresses"
            )
