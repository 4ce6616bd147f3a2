"""KServe's inference protocol, version 2, over HTTP with binary tensors: nothing but the standard library."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import numpy.typing as npt

from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import BackendError, SettingsError

# https://github.com/kserve/open-inference-protocol and Triton's binary extension
_TYPES = {"uint8": "UINT8", "int64": "INT64", "float32": "FP32", "float16": "FP16"}
_ARRAYS = {name: np.dtype(array) for array, name in _TYPES.items()}
_HEADER = "Inference-Header-Content-Length"


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server is. token: sent as a bearer token, where there is one; never printed."""

    host: str
    port: int
    tls: bool
    token: str = ""

    def __str__(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"


def address_from(text: str, *, token: str = "") -> ServerAddress:
    """ "//HOST:PORT", "http://HOST:PORT" or "https://HOST:PORT". Raises SettingsError."""
    parts = urlsplit(text if "//" in text else f"//{text}")
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme not in ("", "http", "https") or not parts.hostname or port is None or parts.path.strip("/"):
        raise SettingsError(
            f"the server is {text!r}; it must be triton://HOST:PORT, or triton:https://HOST:PORT for TLS"
        )
    return ServerAddress(parts.hostname, port, parts.scheme == "https", token)


class KServeClient(Closing):
    """One server; threads share it, and its idle connections. Raises BackendError.

    timeout: seconds without an answer after which a request has failed.
    """

    def __init__(self, address: ServerAddress, *, timeout: float) -> None:
        self.address = address
        self._timeout = timeout
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close idle connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def get(self, path: str) -> Any:
        """JSON of a GET request."""
        status, _, body = self._request("GET", path, b"", {}, again=True)
        return self._json(status, body)

    def infer(
        self,
        model: str,
        feeds: Mapping[str, npt.NDArray[Any]],
        output: str,
        *,
        parameters: Mapping[str, object] | None = None,
    ) -> npt.NDArray[Any]:
        """One output of a model. parameters: of the request; those of a sequence are never sent twice."""
        arrays = {name: np.ascontiguousarray(value) for name, value in feeds.items()}
        head = {
            "inputs": [
                {
                    "name": name,
                    "shape": list(value.shape),
                    "datatype": _TYPES[value.dtype.name],
                    "parameters": {"binary_data_size": value.nbytes},
                }
                for name, value in arrays.items()
            ],
            "outputs": [{"name": output, "parameters": {"binary_data": True}}],
            "parameters": dict(parameters or {}),
        }
        text = json.dumps(head).encode()
        body = b"".join([text, *(value.tobytes() for value in arrays.values())])
        headers = {_HEADER: str(len(text)), "Content-Type": "application/octet-stream"}
        status, answered, content = self._request(
            "POST", f"/v2/models/{model}/infer", body, headers, again=not parameters
        )
        length = answered.get(_HEADER)
        if status != 200 or length is None:
            self._json(status, content)
            raise BackendError(f"{self.address}: answered {model} without binary tensors; is it Triton?")
        (described,) = json.loads(content[: int(length)])["outputs"]
        return np.frombuffer(content, _ARRAYS[described["datatype"]], offset=int(length)).reshape(described["shape"])

    def _request(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], *, again: bool
    ) -> tuple[int, Mapping[str, str], bytes]:
        """again: whether it may be sent once more where an idle connection turns out to be closed."""
        token = {"Authorization": f"Bearer {self.address.token}"} if self.address.token else {}
        connection, used = self._connection()
        try:
            connection.request(method, path, body, {**headers, **token})
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if again and used and not isinstance(error, TimeoutError):
                return self._request(method, path, body, headers, again=again)
            raise self._failed(error) from error
        with self._lock:
            self._idle.append(connection)
        return answer.status, dict(answer.headers.items()), content

    def _failed(self, error: Exception) -> BackendError:
        if isinstance(error, TimeoutError):
            return BackendError(
                f"{self.address}: no answer within {self._timeout:g} s; more cameras than the server has sequences for "
                "wait there without a word: serve fewer, or make the repository again with a larger --batch"
            )
        return BackendError(f"{self.address}: {type(error).__name__}: {error}; check that the server runs")

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        """A connection, and whether it has been used before: the server may have closed it meanwhile."""
        with self._lock:
            if self._idle:
                return self._idle.pop(), True
        kind = http.client.HTTPSConnection if self.address.tls else http.client.HTTPConnection
        return kind(self.address.host, self.address.port, timeout=self._timeout), False

    def _json(self, status: int, body: bytes) -> Any:
        try:
            found = json.loads(body) if body else {}
        except ValueError:
            found = {}
        if status != 200:
            said = found.get("error") if isinstance(found, dict) else None
            raise BackendError(f"{self.address}: {said or f'status {status}'}")
        return found
