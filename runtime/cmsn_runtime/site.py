"""Settings changed on site, for a camera and its scene: separate from the bundle, whose files do not change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from cmsn_runtime.checking import shown
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.structuring import structure
from cmsn_runtime.toml_files import read_toml, toml_value
from cmsn_runtime.tracking.tracker import TrackerSettings

_TABLES: dict[str, type[ProposalSettings | TrackerSettings]] = {
    "proposals": ProposalSettings,
    "tracking": TrackerSettings,
}
# Tables that only `cmsn serve` reads; its file is a site file too.
_OF_SERVE = frozenset({"site", "scheduler", "capture", "cameras", "outputs", "web"})
# The networks were trained with fixed values of these.
_FIXED = frozenset({"proposals.roi_bins", "proposals.roi_context"})
SETTABLE = tuple(
    name for table, kind in _TABLES.items() for item in fields(kind) if (name := f"{table}.{item.name}") not in _FIXED
)


@dataclass(frozen=True, slots=True)
class Tuning:
    """The settings that streams of a bundle run with.

    changed: dotted name -> (the bundle's value, the site's value) for settings that differ.
    """

    proposals: ProposalSettings
    tracking: TrackerSettings
    changed: Mapping[str, tuple[object, object]]

    @property
    def values(self) -> dict[str, object]:
        """Dotted name -> the site's value, for settings that differ."""
        return {name: here for name, (_, here) in self.changed.items()}

    def __str__(self) -> str:
        """A text such as "proposals.min_score 0.2 (bundle: 0.01)", for settings that differ."""
        return ", ".join(f"{name} {here} (bundle: {bundle})" for name, (bundle, here) in self.changed.items())


def tuned(proposals: ProposalSettings, tracking: TrackerSettings, settings: Mapping[str, object]) -> Tuning:
    """A bundle's own settings with some changed.

    settings: dotted name -> value, such as {"proposals.min_score": 0.2, "tracking.settle_steps": 6}.
    Raises SettingsError for a name that is unknown or fixed by training, and for a value that is not allowed.
    """
    for name in settings:
        _require_known(name)
    own: dict[str, object] = {
        f"{table}.{name}": value
        for table, part in (("proposals", proposals), ("tracking", tracking))
        for name, value in asdict(part).items()
    }
    wanted = {**own, **settings}
    new_proposals = structure(_table(wanted, "proposals"), ProposalSettings, path="proposals")
    new_tracking = structure(_table(wanted, "tracking"), TrackerSettings, path="tracking")
    found = {"proposals": asdict(new_proposals), "tracking": asdict(new_tracking)}
    values = {name: found[table][field] for name in settings for table, field in [name.split(".")]}
    return Tuning(
        new_proposals,
        new_tracking,
        {name: (own[name], value) for name, value in values.items() if value != own[name]},
    )


def site_settings(path: Path | None = None, assignments: Iterable[str] = ()) -> dict[str, object]:
    """Settings by dotted name, from a site file and from "NAME=VALUE" texts; the later of two values applies.

    path: a TOML file with the tables [proposals] and [tracking]; those of `cmsn serve` are passed over. Values are
    TOML; text needs no quotes after "=".
    Raises SettingsError; `tuned` checks the values.
    """
    found = {} if path is None else _read(path)
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or not value.strip():
            raise SettingsError(
                f"setting {shown(text)} has no value; write NAME=VALUE, such as proposals.min_score=0.2"
            )
        _require_known(name.strip())
        found[name.strip()] = toml_value(value.strip())
    return found


def table_settings(tables: Mapping[str, object]) -> dict[str, object]:
    """Settings by dotted name, from the tables `proposals` and `tracking`. Raises SettingsError."""
    found: dict[str, object] = {}
    for table, values in tables.items():
        if table not in _TABLES or not isinstance(values, dict):
            raise SettingsError(
                f"{shown(table)} is not one of its tables; a site file has {_listed(f'[{name}]' for name in _TABLES)}"
            )
        for field, value in values.items():
            _require_known(f"{table}.{field}")
            found[f"{table}.{field}"] = value
    return found


def _read(path: Path) -> dict[str, object]:
    own = {name: values for name, values in read_toml(path).items() if name not in _OF_SERVE}
    try:
        return table_settings(own)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def _table(values: Mapping[str, object], table: str) -> dict[str, object]:
    start = f"{table}."
    return {name.removeprefix(start): value for name, value in values.items() if name.startswith(start)}


def _require_known(name: str) -> None:
    if name in _FIXED:
        raise SettingsError(
            f"{name} is fixed: the networks were trained with it; to change it, train and export again; "
            f"these can be set: {_listed(SETTABLE)}"
        )
    if name not in SETTABLE:
        raise SettingsError(f"setting {shown(name)} is unknown; these can be set: {_listed(SETTABLE)}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
