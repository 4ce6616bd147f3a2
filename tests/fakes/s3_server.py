"""An S3 server in this process's neighbourhood, over real HTTP: moto's."""

from __future__ import annotations

import urllib.request
from typing import Any

import pytest

from cmsn_runtime.closing import Closing


class S3Server(Closing):
    """A bucket named `videos`. sent: bytes that the server has sent for objects, by key."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        server = pytest.importorskip("moto.server", reason="needs moto[server]")
        pytest.importorskip("s3fs")
        self._server: Any = server.ThreadedMotoServer(port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.url,
        }.items():
            monkeypatch.setenv(name, value)
        urllib.request.urlopen(f"{self.url}/moto-api/reset", data=b"").close()  # it keeps buckets
        self.files().mkdir("videos")

    def files(self) -> Any:
        """fsspec's file system of it."""
        import s3fs  # type: ignore[import-untyped]

        s3fs.S3FileSystem.clear_instance_cache()
        return s3fs.S3FileSystem()

    def close(self) -> None:
        """Stop it."""
        self._server.stop()
