"""What differs between two versions of a site file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from cmsn_runtime.sites.tables import Site


@dataclass(frozen=True, slots=True)
class Difference:
    """Names: those that only the new version has, only the old one, and those in both that are not the same."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __str__(self) -> str:
        found = (("added", self.added), ("removed", self.removed), ("changed", self.changed))
        return ", ".join(f"{word} {', '.join(names)}" for word, names in found if names)


@dataclass(frozen=True, slots=True)
class Changes:
    """web: the page's table. fixed: dotted names of what takes effect only at the next start."""

    cameras: Difference
    outputs: Difference
    web: bool
    fixed: tuple[str, ...]

    def __str__(self) -> str:
        """One line for people."""
        parts = [f"{what}: {found}" for what, found in self._named() if str(found)]
        parts += ["the page was restarted"] if self.web else []
        parts += [f"at the next start: {', '.join(self.fixed)}"] if self.fixed else []
        return "; ".join(parts) or "nothing has changed"

    def _named(self) -> list[tuple[str, Difference]]:
        return [("cameras", self.cameras), ("outputs", self.outputs)]


def changes(old: Site, new: Site) -> Changes:
    """What a new version of the file asks for."""
    fixed = []
    for table, before, now in (("site", old.model, new.model), ("scheduler", old.scheduler, new.scheduler)):
        names = [item.name for item in fields(before) if getattr(before, item.name) != getattr(now, item.name)]
        fixed += [f"{table}.{name}" for name in names]
    return Changes(
        cameras=_difference(old.cameras, new.cameras),
        outputs=_difference(old.outputs, new.outputs),
        web=old.web != new.web,
        fixed=tuple(fixed),
    )


def _difference(old: Mapping[str, object], new: Mapping[str, object]) -> Difference:
    return Difference(
        added=tuple(name for name in new if name not in old),
        removed=tuple(name for name in old if name not in new),
        changed=tuple(name for name, value in new.items() if name in old and old[name] != value),
    )
