"""What a new version of a site file changes, in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from cmsn_runtime.sites.changes import changes
from cmsn_runtime.sites.reading import read_site
from cmsn_runtime.sites.tables import Site

BASE = """
[site]
name = "home"
[tracking]
settle_steps = 6
[cameras.door]
url = "rtsp://a/1"
[cameras.yard]
url = "rtsp://a/2"
[outputs.json]
path = "x"
[web]
"""


def site(folder: Path, text: str) -> Site:
    (folder / "site.toml").write_text(text)
    return read_site(folder / "site.toml")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (BASE, "nothing has changed"),
        (BASE.replace("a/2", "a/3"), "cameras: changed yard"),
        (BASE.replace("cameras.yard", "cameras.gate"), "cameras: added gate, removed yard"),
        (BASE.replace('url = "rtsp://a/1"', 'url = "rtsp://a/1"\nenabled = false'), "cameras: removed door"),
        (BASE.replace("= 6", "= 7"), "cameras: changed door, yard"),
        (BASE + "[capture]\nstall_seconds = 3\n", "cameras: changed door, yard"),
        (BASE.replace('path = "x"', 'path = "y"'), "outputs: changed json"),
        (BASE + "[outputs.csv]\npath = 'z'\n", "outputs: added csv"),
        (BASE.replace("[web]", "[web]\nport = 1"), "the page was restarted"),
        (BASE.replace("[web]", ""), "the page was restarted"),
        (BASE.replace("home", "work"), "at the next start: site.name"),
        (
            BASE + "[scheduler]\nlag_seconds = 3\nhop_steps = 2",
            "at the next start: scheduler.lag_seconds, sched",
        ),
        (BASE.replace("a/2", "a/3").replace("[web]", ""), "cameras: changed yard; the page was restarted"),
    ],
)
def test_a_change_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    assert str(changes(site(tmp_path, BASE), site(tmp_path, text))).startswith(line)


def test_a_password_that_changes_in_its_file_changes_the_camera(tmp_path: Path) -> None:
    text = BASE + '[cameras.gate]\nurl = "rtsp://a/4"\nuser = "guard"\npassword_file = "password"\n'
    (tmp_path / "password").write_text("first-password")
    before = site(tmp_path, text)
    (tmp_path / "password").write_text("second-password")
    assert str(changes(before, site(tmp_path, text))) == "cameras: changed gate"
