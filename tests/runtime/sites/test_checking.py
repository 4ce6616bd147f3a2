"""Checking a site file before anything is opened, and showing what would run."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from command_line import cmsn

from cmsn_runtime.errors import BundleError, MissingExtraError, SettingsError
from cmsn_runtime.sites.checking import check_site
from cmsn_runtime.sites.reading import read_site

PAGE = "[web]\n"
CAMERA = '[cameras.door]\nurl = "rtsp://guard:c4nary-word@door/live"\n'


def check(folder: Path, text: str) -> None:
    path = folder / "site.toml"
    path.write_text(text)
    path.chmod(0o600)
    check_site(read_site(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (CAMERA, "site.toml: it has neither outputs nor a page: add a table [outputs.NAME] or [web]"),
        (PAGE + "[tracking]\nsettle_steps = 0\n", "site.toml: tracking.settle_steps is 0; it must be at least 1"),
        (PAGE + CAMERA + "proposals = { min_score = 2 }\n", "site.toml: cameras.door: proposals.min_score is 2.0"),
        ("[outputs.json]\n", "site.toml: outputs.json: path is missing"),
        ("[outputs.json]\npath = 'x'\nevent = 'all'\n", "outputs.json: the content holds 'event', which is unknown"),
        (
            "[outputs.a]\nkind = 'jsn'\n",
            "outputs.a: kind is 'jsn'; in a site file it must be one of clips, csv, json, mqtt, video, webhook",
        ),
        (PAGE + "[site]\nbackend = 'gpu'\n", "site.toml: site.backend: the backend is 'gpu'; it must be one of auto, "),
        (
            "[outputs.mqtt]\nhots = 'x'\n",
            "outputs.mqtt: the content holds 'hots', which is unknown; its fields are host",
        ),
        ("[outputs.webhook]\n", "outputs.webhook: it has no address: give url"),
        ("[outputs.a]\nkind = 1\n", 'outputs.a: kind must be text, such as "json"'),
        (
            "[outputs.timeline]\npath = 'x'\n",
            "outputs.timeline: kind is 'timeline'; in a site file it must be one of clips, csv, json,",
        ),
        (
            "[outputs.json]\npath = 'x'\n[outputs.csv]\npath = './x'\n",
            "outputs.json and outputs.csv have the same path",
        ),
    ],
)
def test_what_would_fail_later_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        check(tmp_path, text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "module", "extra"),
    [
        (PAGE, "uvicorn", "live"),
        ("[outputs.mqtt]\nhost = 'broker'\n", "paho", "live"),
        ("[outputs.webhook]\nurl = 'https://door/hook'\n", "urllib3", "live"),
        ("[outputs.video]\nfolder = 'recordings'\n", "PIL", "video"),
    ],
)
def test_what_is_not_installed_is_found_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"pip install 'cmsn\[{extra}\]'"):
        check(tmp_path, text)


def test_a_bundle_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nothing"):
        check(tmp_path, PAGE + "[site]\nbundle = 'nothing.cmsn'\n")


def test_the_command_shows_what_would_run_and_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text(
        f"[site]\nname = 'home'\n[web]\ntoken = 'c4nary-word-long'\n{CAMERA}tracking = {{ settle_steps = 9 }}\n"
        "[cameras.off]\nenabled = false\n[outputs.events]\nkind = 'json'\npath = 'events.jsonl'\n"
    )
    path.chmod(0o600)
    done = cmsn("serve", path, "--check")
    assert (done.returncode, done.stderr) == (0, "")
    first, *rest = done.stdout.splitlines()
    assert first.startswith("site home: bundle demo, backend auto, state in ")
    assert rest == [
        "camera door: rtsp://***@door/live; tracking.settle_steps 9 (bundle: 8)",
        "camera off: not enabled",
        "output events: json",
        "page: http://127.0.0.1:8750/, with a token",
    ]
    assert not list(tmp_path.rglob("*.jsonl"))


def test_an_address_instead_of_a_file_is_not_repeated() -> None:
    done = cmsn("serve", "rtsp://guard:c4nary-word@door/live")
    assert done.returncode == 1
    assert "give a site file, or watch one camera by: cmsn run URL" in done.stderr and "c4nary" not in done.stderr


def test_the_command_reports_a_fault_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_text("[cameras]\ndoor = 'rtsp://guard:c4nary-word@door'\n")
    done = cmsn("serve", path, "--check")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"cmsn: error: {path}: cameras.door is text, which is not shown here; it must be an object"
    ]
