"""Site files of `cmsn serve`: read strictly, and no message shows a secret."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from cmsn_runtime.capture.settings import CaptureSettings
from cmsn_runtime.errors import SettingsError, SourceWarning
from cmsn_runtime.live.settings import FleetSettings
from cmsn_runtime.secrets import scrubbed
from cmsn_runtime.serving.settings import WebSettings
from cmsn_runtime.site import site_settings
from cmsn_runtime.sites.reading import read_site
from cmsn_runtime.sites.tables import Site

CANARY = "c@nary/+1"
ENCODED = "c%40nary%2F%2B1"

WHOLE = """
[site]
name = "home"
bundle = "cctv"
threads = 2
[scheduler]
lag_seconds = 3
[proposals]
min_score = 0.2
[tracking]
settle_steps = 6
[capture]
stall_seconds = 4
picture_width = 320
[cameras.door]
url = "rtsp://door/live"
fps = "25"
video_stream = 1
options = { rtsp_transport = "udp" }
tracking = { settle_steps = 7 }
capture = { stall_seconds = 9 }
[cameras.clip]
url = "clip.mp4"
[cameras.off]
url = "${CMSN_NOT_SET}"
enabled = false
[outputs.json]
path = "events.jsonl"
[outputs.table]
kind = "csv"
path = "events.csv"
[web]
port = 8080
"""


def read(folder: Path, text: str) -> Site:
    path = folder / "site.toml"
    path.write_text(text)
    path.chmod(0o600)
    return read_site(path)


def camera(folder: Path, text: str) -> str:
    """The address of a camera with these lines in its table."""
    return read(folder, f"[cameras.door]\n{text}").cameras["door"].address.reveal()


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        read(folder, text)
    message = str(caught.value)
    assert message.startswith(f"{folder / 'site.toml'}: ") and "\n" not in message
    return message


def test_every_table_is_read(tmp_path: Path) -> None:
    site = read(tmp_path, WHOLE)
    assert (site.name, site.model.bundle, site.model.threads) == ("home", "cctv", 2)
    assert site.scheduler == FleetSettings(lag_seconds=3.0)
    assert site.settings == {"proposals.min_score": 0.2, "tracking.settle_steps": 6}
    assert site.disabled == ("off",)
    assert site.outputs == {
        "json": {"kind": "json", "path": "events.jsonl"},
        "table": {"kind": "csv", "path": "events.csv"},
    }
    assert site.web == WebSettings(port=8080)
    door, clip = site.cameras["door"], site.cameras["clip"]
    assert (door.options.fps, door.options.video_stream) == (Fraction(25), 1)
    assert door.options.demuxer == {"rtsp_transport": "udp"}
    assert door.streaming == {"proposals.min_score": 0.2, "tracking.settle_steps": 7}
    assert door.capture == CaptureSettings(stall_seconds=9, picture_width=320)
    assert clip.capture == CaptureSettings(stall_seconds=4, picture_width=320)
    assert clip.streaming == site.settings
    assert (door.paced, clip.paced) == (False, True)
    assert clip.address.reveal() == str(tmp_path / "clip.mp4")


def test_an_empty_file_has_the_name_of_the_host_and_no_page(tmp_path: Path) -> None:
    site = read(tmp_path, "")
    assert site.name and not site.cameras and site.web is None


def test_cmsn_run_takes_its_settings_from_the_same_file(tmp_path: Path) -> None:
    read(tmp_path, WHOLE)
    assert site_settings(tmp_path / "site.toml") == {"proposals.min_score": 0.2, "tracking.settle_steps": 6}


def test_user_and_password_are_encoded_for_the_url(tmp_path: Path) -> None:
    text = f'url = "rtsp://door:554/live"\nuser = "gu@rd"\npassword = "{CANARY}"'
    assert camera(tmp_path, text) == f"rtsp://gu%40rd:{ENCODED}@door:554/live"


def test_a_name_of_a_user_is_not_removed_from_the_log_and_a_password_is(tmp_path: Path) -> None:
    camera(tmp_path, 'url = "rtsp://host/live"\nuser = "doorman"\npassword = "gatekeeper"')
    assert scrubbed("doorman: running (gatekeeper)") == "doorman: running (***)"


def test_variables_in_a_url_are_encoded_in_its_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOOR", CANARY)
    assert camera(tmp_path, 'url = "rtsp://guard:${DOOR}@door/live"') == f"rtsp://guard:{ENCODED}@door/live"


def test_a_password_comes_from_a_file_and_from_a_credential_of_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "door").write_text(f"{CANARY}\n")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    for path in ("door", "${CREDENTIALS_DIRECTORY}/door"):
        text = f'url = "rtsp://door/live"\nuser = "guard"\npassword_file = "{path}"'
        assert camera(tmp_path, text) == f"rtsp://guard:{ENCODED}@door/live"


def test_a_whole_url_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "door").write_text(f"rtsp://guard:{ENCODED}@door/live\n")
    assert camera(tmp_path, 'url_file = "door"') == f"rtsp://guard:{ENCODED}@door/live"


@pytest.mark.parametrize("address", ["/dev/video0", "-", "gst:videotestsrc ! x264enc", "http://host/a.mjpg"])
def test_what_is_no_file_is_neither_paced_nor_made_a_path(tmp_path: Path, address: str) -> None:
    door = read(tmp_path, f'[cameras.door]\nurl = "{address}"').cameras["door"]
    assert (door.address.reveal(), door.paced) == (address, False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[camera.door]\n", "the content holds 'camera', which is unknown; its fields are site, scheduler"),
        ("[site]\nbundel = 'x'\n", "site holds 'bundel', which is unknown; its fields are name, bundle"),
        ("[site]\nthreads = 0\n", "site.threads is 0; it must be at least 1"),
        ("[site]\nname = 'my/site'\n", "the site is called 'my/site'; a name consists of letters, digits, _ and -"),
        ("[scheduler]\nlag_seconds = -1\n", "scheduler.lag_seconds is -1.0; it must be above 0"),
        ("[tracking]\nsettle = 1\n", "setting 'tracking.settle' is unknown"),
        ("[capture]\nstall_seconds = 0\n", "capture.stall_seconds is 0.0; it must be above 0"),
        ("[cameras.'a/b']\nurl = 'x'\n", "a camera is called 'a/b'; a name consists of"),
        ("[cameras.a]\nurl = 'x'\n[cameras.A]\nurl = 'x'\n", "a and A differ only in their case"),
        ("[outputs.'a b']\n", "an output is called 'a b'"),
        ("[web]\nport = 70000\n", "web.port is 70000; it must be from 0 to 65535"),
        ("[web]\nhost = '0.0.0.0'\n", "web: host is '0.0.0.0', which other machines reach, and there is no token"),
        ("[cameras.door]\n", 'cameras.door: it has no address: give url = "rtsp://..." or url_file'),
        ("[cameras.door]\nurl = 'x'\nfsp = '25'\n", "cameras.door holds 'fsp', which is unknown"),
        ("[cameras.door]\nurl = 'x'\nfps = '0'\n", "cameras.door: 0 frames per second: it must be above zero"),
        ("[cameras.door]\nurl = 'x'\ncapture = { stall_seconds = 0 }\n", "cameras.door.capture.stall_seconds is 0.0"),
        ("[cameras.door]\nurl = 'x'\ntracking = { a = 0 }\n", "cameras.door: setting 'tracking.a' is unknown"),
        ("[cameras.door]\nurl = 'x'\nurl_file = 'x'\n", "cameras.door: it has url and url_file: give only one"),
        ("[cameras.door]\nurl = '${CMSN_NOT_SET}'\n", "cameras.door.url: ${CMSN_NOT_SET} is not set; set this"),
        ("[cameras.door]\nurl = 'gst:videotestsrc'\nfps = '10'\n", "cameras.door: fps and video_stream are for"),
        ("[cameras.door]\nurl_file = 'none'\n", "none: the secret in it cannot be read (No such file or directory)"),
        ("[cameras.door]\nurl_file = '${CMSN_NOT_SET}/a'\n", "cameras.door: ${CMSN_NOT_SET} is not set"),
        ("[cameras.door]\nurl = 'x'\nuser = 'a'\npassword = 'b'\n", "user and password are for URLs, and url is none"),
        ("[cameras.door]\nurl = 'rtsp://a'\npassword = 'b'\n", "it has a password and no user: give both"),
        ("[cameras.door]\nurl = 'rtsp://a@b'\nuser = 'a'\n", "url has a login, and user is given: give only one"),
    ],
)
def test_what_is_at_fault_is_named(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        f"[cameras]\ndoor = 'rtsp://guard:{CANARY}@door'\n",
        f"cameras = ['rtsp://guard:{CANARY}@door']\n",
        f"[cameras.door]\nurl = ['rtsp://guard:{CANARY}@door']\n",
        f"[cameras.door]\nurl = 'rtsp://guard:{CANARY}@door/${{CMSN_NOT_SET}}'\n",
        f"[cameras.door]\nurl = 'x'\nfps = '{CANARY}'\n",
        f"[cameras.door]\nurl = 'x'\noptions = '{CANARY}'\n",
        f"[cameras.door]\nurl = 'x'\nenabled = '{CANARY}'\n",
        f"[cameras.door]\nurl = 'x'\npasswort = '{CANARY}'\n",
        f"[cameras.door]\nurl = 'x'\nuser = 'guard'\npassword = '{CANARY}'\n",
        f"[outputs]\nmqtt = 'mqtt://guard:{CANARY}@broker'\n",
        f"[site]\nthreads = '{CANARY}'\n",
        f"[web]\ntoken = '{CANARY}'\n",
        f"[cameras.door]\nurl = 'rtsp://guard:{CANARY}@door\n",
    ],
)
def test_no_message_shows_a_password(tmp_path: Path, text: str) -> None:
    assert "nary" not in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("lines", "warned"),
    [
        ('url = "rtsp://guard:s3cr3t@door"', True),
        ('url = "rtsp://door"\nuser = "guard"\npassword = "s3cr3t"', True),
        ('url = "rtsp://door"\nuser = "guard"\npassword_file = "s3cr3t"', False),
        ('url = "rtsp://guard:${CMSN_TEST_DOOR}@door"', False),
        ('url = "rtsp://door"', False),
    ],
)
def test_a_password_that_all_users_can_read_gives_a_warning(
    tmp_path: Path, lines: str, warned: bool, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setenv("CMSN_TEST_DOOR", "s3cr3t")
    (tmp_path / "s3cr3t").write_text("s3cr3t")
    path = tmp_path / "site.toml"
    path.write_text(f"[cameras.door]\n{lines}\n")
    path.chmod(0o644)
    read_site(path)
    found = [str(warning.message) for warning in recwarn if warning.category is SourceWarning]
    assert bool(found) == warned
    assert all("all users can read it: chmod o-r" in text for text in found)


def test_the_state_is_where_systemd_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CMSN_STATE_DIR")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/cmsn:/var/lib/other")
    assert read(tmp_path, "").state == Path("/var/lib/cmsn")
    monkeypatch.delenv("STATE_DIRECTORY")
    assert read(tmp_path, "[site]\nname = 'home'").state.parts[-2:] == ("cmsn", "home")
