"""The page of a real `cmsn serve`: what a camera leads to arrives on it, with the clip."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from served_page import TOKEN, Reader, ask
from served_site import ServedSite

pytestmark = pytest.mark.usefixtures("signals_as_at_a_terminal")

BEARER = f"Bearer {TOKEN}"


def test_a_camera_leads_to_pictures_stages_events_and_clips(
    tmp_path: Path, tiny_bundle: Path, long_video: Path
) -> None:
    text = f"""
[site]
name = "home"
bundle = "{tiny_bundle}"
[web]
port = 0
token = "{TOKEN}"
[cameras.door]
url = "{long_video}"
[outputs.clips]
kind = "clips"
folder = "clips"
"""
    with ServedSite(tmp_path, text) as site:
        site.wait_for(lambda: re.search(r"page is http://127.0.0.1:([0-9]+)/", site.log))
        found = re.search(r"page is http://127.0.0.1:([0-9]+)/", site.log)
        assert found
        port = int(found[1])
        reader = Reader(port, token=TOKEN)
        reader.next("snapshot")
        final = reader.next_where(lambda message: kind_of(message) == "final")["event"]
        clip = reader.next("clip")
        assert isinstance(final, dict) and clip["id"] == final["id"]
        assert reader.next("preview")["runs"] and reader.next("picture")["camera"] == "door"
        reader.close()
        picture = ask(port, "/cameras/door.jpg", Authorization=BEARER)
        video = ask(port, f"/clips/{clip['name']}", Authorization=BEARER, Range="bytes=0-99")
        metrics = ask(port, "/metrics", Authorization=BEARER).body.decode()
        health = ask(port, "/healthz", Authorization=BEARER)
        strangers = [ask(port, path).status for path in ("/", "/events", "/metrics", f"/clips/{clip['name']}")]
        status, _ = site.stop(signal.SIGTERM)
        log = site.log
    assert picture.body[:2] == b"\xff\xd8"
    assert (video.status, video.headers["content-type"], len(video.body)) == (206, "video/mp4", 100)
    assert 'cmsn_camera_state{camera="door",state="running"} 1.0' in metrics
    assert re.search(r'cmsn_events_total{camera="door",kind="final"} [1-9]', metrics)
    assert re.search(r'cmsn_clips_total{output="clips",result="saved"} [1-9]', metrics)
    assert (health.status, health.json["cameras"]["door"]["state"]) == (200, "running")
    assert re.match(r"\w.*\(auto: \w+", health.json["networks"])
    assert strangers == [401] * 4
    assert status == 0 and TOKEN not in log + metrics


def kind_of(message: dict[str, object]) -> object:
    """Of the event in a message."""
    event = message.get("event")
    return event["kind"] if isinstance(event, dict) else None
