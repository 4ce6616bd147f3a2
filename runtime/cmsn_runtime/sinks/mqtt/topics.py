"""Topics of a site and of its cameras."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

# All but what separates levels, stands for any, begins the escapes, or cannot be seen.
_PLAIN = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in "/+#%")


@dataclass(frozen=True, slots=True)
class Topics:
    """root: what all topics begin with. Names are percent-encoded where MQTT gives a character a meaning."""

    root: str
    site: str

    @property
    def site_available(self) -> str:
        """`online` or `offline`, retained."""
        return f"{self.root}/{level(self.site)}/available"

    def events(self, camera: str) -> str:
        """Each event of a camera, in JSON."""
        return f"{self._camera(camera)}/events"

    def available(self, camera: str) -> str:
        """`online` or `offline`, retained: whether its frames arrive."""
        return f"{self._camera(camera)}/available"

    def action(self, camera: str) -> str:
        """`ON` while an action is going on, else `OFF`; retained."""
        return f"{self._camera(camera)}/action"

    def health(self, camera: str) -> str:
        """`{"lag": seconds}`, retained."""
        return f"{self._camera(camera)}/health"

    def _camera(self, camera: str) -> str:
        return f"{self.root}/{level(self.site)}/cameras/{level(camera)}"


def level(name: str) -> str:
    """A name as one level of a topic; different names give different levels."""
    return quote(name, safe=_PLAIN) or "%"
