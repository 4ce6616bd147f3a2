"""What deploy/ holds fits the program: the unit is valid, the example is accepted, the image is made of what exists."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from external import require_program

from cmsn_runtime.plugins import SINKS, find_plugin
from cmsn_runtime.serving.settings import WebSettings
from cmsn_runtime.sinks.kinds import SinkKind
from cmsn_runtime.sites.checking import check_site
from cmsn_runtime.sites.reading import read_site

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def test_systemd_accepts_the_unit_and_finds_it_hardened(tmp_path: Path) -> None:
    require_program("systemd-analyze")
    text = (DEPLOY / "cmsn.service").read_text()
    unit = tmp_path / "cmsn.service"
    unit.write_text(text.replace("/opt/cmsn/bin/cmsn", shutil.which("true") or "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "cmsn.service" in line]
    assert (done.returncode, ours) == (0, [])
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", unit], capture_output=True, text=True, check=False
    )
    level = re.search(r"Overall exposure level for cmsn.service: (\d\.\d)", done.stdout)
    assert level is not None and float(level[1]) < 2.5


def test_the_example_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "door").write_text("a password")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    site = read_site(DEPLOY / "site.toml")
    check_site(site)
    assert site.cameras["door"].address.reveal() == "rtsp://viewer:a%20password@camera.lan:554/stream2"


def test_the_image_is_built_from_what_exists_and_its_port_is_that_of_the_page() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE):
        for source in line.split():
            assert (ROOT / source).exists(), source
            assert f"!{source}" in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert f"EXPOSE {WebSettings().port}\n" in text and f":{WebSettings().port}/healthz" in text
    assert re.search(r"^USER \d+$", text, re.MULTILINE)


def test_every_table_and_key_of_a_site_file_is_in_the_documentation() -> None:
    from dataclasses import fields

    from cmsn_runtime.capture.settings import CaptureSettings
    from cmsn_runtime.live.settings import FleetSettings
    from cmsn_runtime.sites.tables import CameraTable, ModelTable, SiteTables

    text = (ROOT / "docs" / "live.md").read_text()
    for table in fields(SiteTables):
        assert re.search(rf"`\[{table.name}(\.NAME)?\]`", text), table.name
    for kind in (ModelTable, FleetSettings, CaptureSettings, CameraTable, WebSettings):
        for item in fields(kind):
            assert f"`{item.name}`" in text or f"`{item.name} = " in text, f"{kind.__name__}.{item.name}"


def test_every_kind_of_output_for_sites_is_in_the_documentation() -> None:
    text = (ROOT / "docs" / "live.md").read_text()
    for name in ("json", "csv", "mqtt", "webhook", "clips"):
        assert find_plugin(SINKS, name, SinkKind, what="").open_table is not None
        assert f"`{name}`" in text
