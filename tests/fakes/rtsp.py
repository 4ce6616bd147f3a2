"""RTSP servers on loopback, as processes that tests kill, freeze and start again on the same port."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from urllib.parse import quote

import av
from external import SYSTEM_PYTHON

from cmsn_runtime.closing import Closing

_SCRIPT = Path(__file__).with_name("rtsp_script.py")
_PAY = "h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96 config-interval=-1"
# Without sliced-threads=false two frames share a PTS, and the first of them is incomplete.
_ENCODE = "x264enc tune=zerolatency speed-preset=ultrafast sliced-threads=false key-int-max=25"


@dataclass(frozen=True, slots=True)
class Mount:
    """What one path of a server plays. launch: GStreamer's description. shared: one media for all clients.

    sizes: "WxH" of its pictures, in turn, each for `seconds`.
    """

    launch: str
    shared: bool
    sizes: Sequence[str] = ()
    seconds: float = 0.0


def clip(path: Path) -> Mount:
    """An MP4 with H.264 at its own speed, from its beginning for each client; then the server ends the session."""
    return Mount(f'( filesrc location="{path}" ! qtdemux ! {_PAY} )', shared=False)


def endless(path: Path, *, seconds: float = 600.0, shared: bool = True) -> Mount:
    """An MP4 with H.264 again and again, for so long, with times that go on. shared: all clients see the same moment.

    The copies of it are in a file beside it: no frame is encoded anew.
    """
    longer = path.with_name(f"{path.stem}-endless.mp4")
    with av.open(str(path)) as source, av.open(str(longer), "w") as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        packets = [packet for packet in source.demux(stream) if packet.dts is not None]
        first, base = packets[0].dts or 0, stream.time_base or Fraction(1)
        length = max((packet.dts or 0) + (packet.duration or 0) for packet in packets) - first
        for turn in range(ceil(seconds / (length * base))):
            for packet in packets:
                again = av.Packet(bytes(packet))
                again.stream, again.time_base, again.is_keyframe = copied, base, packet.is_keyframe
                again.pts, again.dts = (packet.pts or 0) + turn * length, (packet.dts or 0) + turn * length
                again.duration = packet.duration
                target.mux(again)
    return Mount(f'( filesrc location="{longer}" ! qtdemux ! {_PAY} )', shared=shared)


def pattern(width: int = 320, height: int = 240, *, fps: int = 25) -> Mount:
    """A test picture with a ball that moves."""
    caps = f"video/x-raw,width={width},height={height},framerate={fps}/1"
    return Mount(f"( videotestsrc is-live=true pattern=ball ! {caps} ! {_ENCODE} ! {_PAY} )", shared=True)


def switching(*sizes: str, seconds: float, fps: int = 25) -> Mount:
    """The same, whose pictures change their size: `sizes` such as "320x240", in turn."""
    caps = f"video/x-raw,framerate={fps}/1"
    launch = (
        f"( videotestsrc is-live=true pattern=ball ! {caps} ! capsfilter name=size ! {_ENCODE} "
        f"! video/x-h264,profile=baseline ! {_PAY} )"
    )
    return Mount(launch, shared=True, sizes=sizes, seconds=seconds)


class RtspServer(Closing):
    """A server on loopback. mounts: by path. user, password: without them everyone may look.

    Call external.require_gstreamer first. Started on creation; port: the same after `restart`.
    """

    def __init__(self, mounts: Mapping[str, Mount], *, user: str = "", password: str = "", port: int = 0) -> None:
        self._mounts, self._user, self._password = mounts, user, password
        self.port = port
        self._process: subprocess.Popen[str] | None = None
        self.start()

    def url(self, path: str, *, host: str = "127.0.0.1", port: int | None = None) -> str:
        """The address of a path, with user name and password where there are such. port: of a proxy in between."""
        login = f"{quote(self._user, safe='')}:{quote(self._password, safe='')}@" if self._user else ""
        return f"rtsp://{login}{host}:{port or self.port}/{path}"

    def start(self) -> None:
        """Serve; nothing happens where it does."""
        if self._process is not None:
            return
        mounts = {path: asdict(mount) for path, mount in self._mounts.items()}
        wanted = {"port": self.port, "user": self._user, "password": self._password, "mounts": mounts}
        command = [SYSTEM_PYTHON, str(_SCRIPT)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._process = process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(wanted) + "\n")
        process.stdin.flush()
        word, _, port = process.stdout.readline().partition(" ")
        if word != "ready":
            self.kill()
            raise RuntimeError(f"no RTSP server could be started on port {self.port}")
        self.port = int(port)

    def kill(self) -> None:
        """End it at once (SIGKILL), as a camera that loses its power; nothing happens where it is not running."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def restart(self) -> None:
        """End it, and serve again on the same port."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Keep all connections open and send nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)
