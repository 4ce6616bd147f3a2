"""A password that may be anywhere in a site file is in nothing that leaves the process, in whatever form."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import numpy as np
import pytest
from command_line import ACTION, clip
from external import require_gstreamer, require_program
from mjpeg_server import jpegs, serving_mjpeg
from rtsp import RtspServer, endless
from served_site import ServedSite

from cmsn_benchmarks.live.broker import MOSQUITTO, PASSWORD, USER, Broker, Reader
from cmsn_benchmarks.live.hook_receiver import HookReceiver, Posted, Reply

# Each camera has its own, so that a leak shows where it came from.
USERINFO, VARIABLE, QUERY, PATH, TEMPLATE, OPTION = (
    f"C4n@ry/{name}+p&ss" for name in ("userinfo", "variable", "query", "path", "template", "option")
)
TOKEN = "c4nary-token-of-the-page"
BROKER = PASSWORD  # of a broker that takes it; it is refused by another
HOOK, SIGNING = "C4nary-hook-path", "C4nary-signing/@secret"
SECRETS = (USERINFO, VARIABLE, QUERY, PATH, TEMPLATE, OPTION, TOKEN, BROKER, HOOK, SIGNING)

pytestmark = pytest.mark.usefixtures("signals_as_at_a_terminal")


def forms(secret: str) -> Iterator[bytes]:
    """What a leak may look like."""
    encoded = quote(secret, safe="")
    escaped = json.dumps(secret)[1:-1]
    texts = [secret, encoded, quote(secret), quote_plus(secret), escaped, escaped.replace("/", "\\/")]
    texts += [encoded.replace("%2F", "%2f").replace("%2B", "%2b"), encoded.replace("%40", "@")]
    texts += [secret.split("@")[-1]]  # what a parser leaves that takes all before for the login
    yield from (text.encode() for text in texts)
    yield b64encode(secret.encode())


def require_none(where: str, content: bytes) -> None:
    found = [form for secret in SECRETS for form in forms(secret) if form in content]
    assert not found, f"{where} holds {found}: {content[:3000]!r}"


def text(bundle: Path, server: RtspServer, mjpeg: str, broker: Broker, hook: HookReceiver) -> str:
    """Cameras with a password in every place: two that work, and others that are refused or do not exist.

    Outputs likewise.
    """
    q = quote(QUERY, safe="")
    return f"""
[site]
name = "home"
bundle = "{bundle}"
[web]
port = 0
token = "${{PAGE_TOKEN}}"
[capture]
stall_seconds = 1.5
first_retry_seconds = 0.2
[cameras.userinfo]
url = "rtsp://127.0.0.1:{server.port}/live"
user = "guard"
password_file = "password"
[cameras.refused]
url = "rtsp://guard:${{CAMERA_PASSWORD}}@127.0.0.1:{server.port}/live"
[cameras.unresolved]
url = "rtsp://guard:{quote(USERINFO, safe="")}@camera.invalid/live?token={q}"
[cameras.query]
url = "{mjpeg}?password={q}&channel=1"
[cameras.querygone]
url = "http://127.0.0.1:1/?password={q}&channel=1"
[cameras.path]
url = "rtsp://127.0.0.1:{server.port}/user=guard&password={quote(PATH, safe="")}&channel=1"
[cameras.template]
url = "http://127.0.0.1:1/${{TEMPLATE}}/live"
[cameras.option]
url = "http://127.0.0.1:1/live"
options = {{ headers = "Authorization: ${{OPTION}}" }}
[outputs.events]
kind = "json"
path = "events.jsonl"
[outputs.table]
kind = "csv"
path = "table.csv"
[outputs.clips]
folder = "clips"
[outputs.mqtt]
host = "127.0.0.1"
port = {broker.port}
user = "{USER}"
password = "${{BROKER}}"
[outputs.refused]
kind = "mqtt"
host = "127.0.0.1"
port = {broker.port}
user = "stranger"
password = "${{BROKER}}"
[outputs.gone]
kind = "mqtt"
host = "127.0.0.1"
port = 1
user = "stranger"
password = "${{BROKER}}"
[outputs.webhook]
url = "{hook.url}/${{HOOK}}?key=${{HOOK}}"
secret = "${{SIGNING}}"
[outputs.nohook]
kind = "webhook"
url = "http://127.0.0.1:1/${{HOOK}}?key=${{HOOK}}"
secret = "${{SIGNING}}"
"""


ENVIRONMENT = {
    "CAMERA_PASSWORD": VARIABLE,
    "TEMPLATE": quote(TEMPLATE, safe=""),
    "OPTION": OPTION,
    "PAGE_TOKEN": TOKEN,
    "BROKER": BROKER,
    "HOOK": HOOK,
    "SIGNING": SIGNING,
}


_TURNS = itertools.cycle((True, False))


def refuses_half(posted: Posted) -> Reply:
    """Every other answer repeats the request, as pages of errors do."""
    return Reply(500, body=posted.path.encode()) if next(_TURNS) else Reply()


def page(served: ServedSite) -> str:
    """Its address."""
    return next(word for word in served.log.split() if word.startswith("http://127.0.0.1:"))


def get(address: str, token: str = TOKEN) -> bytes:
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return bytes(answer.read(200_000))


def children(process: subprocess.Popen[bytes]) -> list[Path]:
    """All processes below it, by their folders in /proc."""
    found, new = [], [Path(f"/proc/{process.pid}")]
    while new:
        tasks = [task for folder in new for task in (folder / "task").iterdir()]
        new = [Path(f"/proc/{pid}") for task in tasks for pid in (task / "children").read_text().split()]
        found += new
    return found


def test_no_password_leaves_the_process(tmp_path: Path, tiny_bundle: Path) -> None:
    require_gstreamer()
    require_program(MOSQUITTO, "mosquitto_passwd")
    (tmp_path / "password").write_text(f"{USERINFO}\n")
    source = endless(clip(tmp_path / "action.mp4", ACTION))
    shown = jpegs([np.full((48, 64, 3), colour, np.uint8) for colour in ACTION[::8]])
    with (
        RtspServer({"live": source}, user="guard", password=USERINFO) as server,
        serving_mjpeg(shown, fps=10) as mjpeg,
        Broker(tmp_path / "broker") as broker,
        Reader(broker) as reader,
        HookReceiver(refuses_half) as hook,
        ServedSite(tmp_path, text(tiny_bundle, server, mjpeg, broker, hook), environment=ENVIRONMENT) as served,
    ):
        lost = ("refused", "unresolved", "querygone", "path", "template", "option")
        served.wait_for(
            lambda: set(lost) <= {each["source"] for each in served.events() if each["kind"] == "source_lost"}
        )
        served.wait_for_line("userinfo: running")
        served.wait_for_line("query: running")
        served.wait_for(lambda: any((served.state / "clips").rglob("*.json")))
        served.wait_for(lambda: hook.accepted and any(topic.endswith("/events") for topic, _, _ in reader.got))
        address = page(served)
        for path in ("", "api/cameras", "healthz", "metrics"):
            require_none(path, get(address + path))
        with urllib.request.urlopen(
            urllib.request.Request(address + "events", headers={"Authorization": f"Bearer {TOKEN}"}), timeout=10
        ) as stream:
            require_none("events", stream.read(20_000))
        with pytest.raises(urllib.error.HTTPError, match="401"):
            get(address, token="wrong")
        own = Path(f"/proc/{served.process.pid}/cmdline").read_bytes()
        require_none("the command line", own)
        for folder in children(served.process):
            try:
                line = (folder / "cmdline").read_bytes()
                if line != own:  # between fork and exec, a child shows this process's memory as its own
                    require_none("a child", line + (folder / "environ").read_bytes())
            except (ProcessLookupError, FileNotFoundError):  # it was started again
                continue
        served.process.send_signal(signal.SIGHUP)
        served.wait_for_line("nothing has changed")
        assert served.stop()[0] == 0
    require_none("what the broker got", b"\n".join(topic.encode() + payload for topic, payload, _ in reader.got))
    require_none("what the webhook got", b"\n".join(posted.body for posted in hook.got))
    require_none("the log", served.log.encode())
    written = [path for path in served.state.rglob("*") if path.is_file()]
    assert {"events.jsonl", "table.csv"} <= {path.name for path in written}
    for file in written:
        require_none(str(file), file.read_bytes() + str(file).encode())
