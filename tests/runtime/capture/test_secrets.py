"""No password of a camera is in a reason, a name, or what other processes can see of a capture process."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from captured import Captured, capture
from processes import children
from rtsp import RtspServer, endless
from waiting import wait_for

from cmsn_runtime.capture.items import CapturedFrame, SourceEnded, SourceLost
from cmsn_runtime.sources.options import SourceOptions

CANARY = "can@ry/w0rd:x"
FORMS = {CANARY, quote(CANARY), quote(CANARY, safe="")}


def shown(text: str) -> bool:
    return any(form in text for form in FORMS) or "ry/w0rd" in text or "ry%2Fw0rd" in text


def visible() -> dict[str, str]:
    """Command lines and environments of this process's children, as any process of its user can read them."""
    seen = {}
    for child in children():
        try:
            seen[child] = "".join(Path("/proc", child, name).read_text() for name in ("cmdline", "environ"))
        except OSError:  # it has ended
            continue
    return seen


@pytest.mark.parametrize(
    "address",
    [
        f"rtsp://admin:{quote(CANARY, safe='')}@127.0.0.1:1/yard",
        f"rtsp://admin:{CANARY}@127.0.0.1:1/yard",
        f"http://127.0.0.1:1/video?user=admin&password={quote(CANARY, safe='')}",
        f"http://127.0.0.1:1/video?token={quote(CANARY, safe='')}#{quote(CANARY)}",
        f"rtsp://127.0.0.1:1/user=admin&password={quote(CANARY, safe='')}&channel=1",
        f"nonsense://admin:{CANARY}@127.0.0.1:1/yard",
        f'gst:rtspsrc location=rtsp://127.0.0.1:1/yard user-id=admin user-pw="{CANARY}" ! fakesink name={CANARY}',
        f"gst:rtspsrc location=rtsp://admin:{quote(CANARY, safe='')}@127.0.0.1:1/yard ! rtph264depay ! openh264dec",
        f"gst:nosuchelement location=rtsp://admin:{CANARY}@127.0.0.1:1/yard",
    ],
)
def test_a_reason_has_no_password_wherever_it_stands(
    captured: Captured, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMERA_PASSWORD", CANARY)  # as a site file takes it, by ${CAMERA_PASSWORD}
    with capture(address, captured) as camera:
        wait_for(lambda: bool(visible() or captured.items))
        seen = visible()
        wait_for(lambda: bool(captured.of(SourceLost) or captured.of(SourceEnded)))
        reasons = [item.reason for item in captured.of(SourceLost)] + [item.reason for item in captured.of(SourceEnded)]
        assert not shown(f"{camera!r} {camera._task!r} {camera._address!r} {vars(camera)}")
    assert reasons
    assert not any(shown(reason) for reason in reasons), reasons
    assert not any(shown(text) for text in seen.values())


def test_a_running_capture_shows_no_password_to_others(
    captured: Captured, short_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = SourceOptions(demuxer={"headers": f"Authorization: {CANARY}"})
    mounts = {"yard": endless(short_clip)}
    with RtspServer(mounts, user="admin", password=CANARY) as server:
        monkeypatch.setenv("CAMERA_PASSWORD", CANARY)
        with capture(server.url("yard"), captured, options=options):
            captured.waited(CapturedFrame, count=3)
            seen = [text for text in visible().values() if "cmsn_runtime.capture" in text]
    assert seen
    assert not any(shown(text) for text in seen)


def test_a_wrong_password_is_a_loss_that_is_tried_again(captured: Captured, short_clip: Path) -> None:
    """A camera that restarts may refuse everybody for a while."""
    with RtspServer({"yard": endless(short_clip)}, user="admin", password="right") as server:
        address = f"rtsp://admin:wr0ng-one@127.0.0.1:{server.port}/yard"
        with capture(address, captured):
            (lost,) = captured.waited(SourceLost)
            server.kill()
    assert "401" in lost.reason or "check user name and password" in lost.reason
    assert "wr0ng" not in lost.reason
    assert not captured.of(SourceEnded)


def test_a_missing_path_is_a_loss_that_is_tried_again(captured: Captured, server: RtspServer) -> None:
    with capture(server.url("nowhere"), captured):
        (lost,) = captured.waited(SourceLost)
    assert "404" in lost.reason or "check the path" in lost.reason
    assert not captured.of(SourceEnded)
