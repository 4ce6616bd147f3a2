"""An RTSP server of GStreamer, for Debian's Python; tests/fakes/rtsp.py starts it.

stdin: one line of JSON, {"port", "user", "password", "mounts": {path: the fields of rtsp.Mount}}: not on
the command line, where every process can see a password. It prints `ready PORT`.
"""

import ctypes
import json
import signal
import sys
from typing import Any

import gi  # type: ignore[import-not-found, import-untyped, unused-ignore]

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # type: ignore  # noqa: E402

PR_SET_PDEATHSIG = 1


def factory_of(mount: dict[str, Any], *, login: bool) -> Any:
    """What serves one path. sizes: of the pictures, in turn, each for `seconds` (the element `size` has them)."""
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(mount["launch"])
    factory.set_shared(mount["shared"])
    if mount["sizes"]:
        factory.connect("media-configure", lambda _, media: switch(media, mount["sizes"], mount["seconds"]))
    if login:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("user", "media.factory.access", True)
        permissions.add_permission_for_role("user", "media.factory.construct", True)
        factory.set_permissions(permissions)
    return factory


def switch(media: Any, sizes: list[str], seconds: float) -> None:
    """Change the size of the pictures again and again."""
    element, turn = media.get_element().get_by_name("size"), [0]

    def next_size() -> bool:
        width, height = sizes[turn[0] % len(sizes)].split("x")
        element.set_property("caps", Gst.Caps.from_string(f"video/x-raw,width={width},height={height}"))
        turn[0] += 1
        return True

    next_size()
    GLib.timeout_add(int(1000 * seconds), next_size)


def authentication(user: str, password: str) -> Any:
    """Basic authentication for every path."""
    auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
    token.set_string("media.factory.role", "user")
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    return auth


def main() -> None:
    """Serve until killed; the end of whoever started it is its end."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    wanted = json.loads(sys.stdin.readline())
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(str(wanted["port"]))
    for path, mount in wanted["mounts"].items():
        server.get_mount_points().add_factory(f"/{path}", factory_of(mount, login=bool(wanted["user"])))
    if wanted["user"]:
        server.set_auth(authentication(wanted["user"], wanted["password"]))
    if not server.attach(None):
        sys.exit("the port is in use")
    print("ready", server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main()
