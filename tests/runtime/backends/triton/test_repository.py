"""Model repositories as they are written, and what is refused, without a server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from cmsn_runtime.backends.triton.kserve import KServeClient, address_from
from cmsn_runtime.backends.triton.models import ServingSettings, configurations
from cmsn_runtime.backends.triton.repository import write_repository
from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.bundle_files import DEMO_BUNDLE, read_manifest
from cmsn_runtime.commands.triton import triton
from cmsn_runtime.errors import BackendError, BundleError, OutputError, SettingsError


def test_the_command_writes_three_models_and_leaves_others_alone(tmp_path: Path) -> None:
    (tmp_path / "models/other").mkdir(parents=True)
    outcome = CliRunner().invoke(triton, ["demo", "-o", str(tmp_path / "models"), "--batch", "4"])
    assert outcome.exit_code == 0, outcome.output
    names = ["demo_evaluator", "demo_extractor", "demo_stages"]
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == [*names, "other"]
    for name in names:
        part = name.removeprefix("demo_")
        model = (tmp_path / "models" / name / "1/model.onnx").read_bytes()
        assert model == (DEMO_BUNDLE / f"{part}.onnx").read_bytes()
    with pytest.raises(OutputError, match=r"demo_extractor: exists already"):
        write_repository(DEMO_BUNDLE, tmp_path / "models", ServingSettings(), plans={})


def test_every_state_is_implicit_and_zero_at_the_start() -> None:
    manifest = read_manifest(DEMO_BUNDLE)
    for precision, kind in (("fp32", "TYPE_FP32"), ("fp16", "TYPE_FP16")):
        text = configurations(manifest, ServingSettings(precision=precision, batch=7, delay_ms=25))["extractor"]
        for state in manifest.states:
            assert f'input_name: "past.{state.name}"' in text
            assert f'output_name: "next.{state.name}"' in text
        assert text.count("zero_data: true") == len(manifest.states)
        assert text.count(f"data_type: {kind}") >= 2 * len(manifest.states)
        assert "max_candidate_sequences: 7 max_queue_delay_microseconds: 25000" in text


def test_tensorrt_needs_the_plans_of_all_three(tmp_path: Path) -> None:
    settings = ServingSettings(tensorrt=True, precision="fp16")
    with pytest.raises(SettingsError, match="plans of stages are given; evaluator, extractor, stages are needed"):
        write_repository(DEMO_BUNDLE, tmp_path / "models", settings, plans={"stages": b"x"})
    plans = {"extractor": b"e", "stages": b"s", "evaluator": b"v"}
    write_repository(DEMO_BUNDLE, tmp_path / "models", settings, plans=plans)
    assert (tmp_path / "models/demo_stages/1/model.plan").read_bytes() == b"s"
    assert 'backend: "tensorrt"' in (tmp_path / "models/demo_stages/config.pbtxt").read_text()


@pytest.mark.parametrize("text", ["", "//host", "//host:port", "ftp://host:1", "//host:1/path", "//:8000"])
def test_addresses_without_host_and_port_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="it must be triton://HOST:PORT"):
        address_from(text)


def test_an_address_never_shows_its_token() -> None:
    address = address_from("https://server:8443", token="secret")
    assert (address.host, address.port, address.tls) == ("server", 8443, True)
    assert "secret" not in str(address)


def test_the_backend_needs_a_server_that_answers(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="triton"):
        open_bundle(backend="triton")
    with pytest.raises(BundleError, match=r"127\.0\.0\.1:9: .*check that the server runs"):
        open_bundle(backend="triton://127.0.0.1:9")


class Answers(BaseHTTPRequestHandler):
    """Answers as the path says, and closes kept connections without a word."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert self.headers["Authorization"] == "Bearer secret"
        head = json.loads(body[: int(self.headers["Inference-Header-Content-Length"])])
        if "wrong" in self.path:
            self._send(400, json.dumps({"error": "no such model"}).encode(), {})
            return
        values = np.frombuffer(body, np.float32, offset=int(self.headers["Inference-Header-Content-Length"]))
        described = {"name": "out", "datatype": "FP32", "shape": head["inputs"][0]["shape"]}
        text = json.dumps({"outputs": [described]}).encode()
        self._send(200, text + (2 * values).tobytes(), {"Inference-Header-Content-Length": str(len(text))})
        self.close_connection = True

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing is printed."""


@pytest.fixture
def client() -> Iterator[KServeClient]:
    """Of a server that closes connections after each answer."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with KServeClient(address_from(f"//127.0.0.1:{server.server_port}", token="secret"), timeout=5) as client:
        yield client
    server.shutdown()
    thread.join()
    server.server_close()


def test_tensors_go_and_come_as_bytes_over_connections_that_the_server_closes(client: KServeClient) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    for _ in range(3):
        np.testing.assert_array_equal(client.infer("double", {"x": values}, "out"), 2 * values)


def test_the_servers_own_words_are_in_the_error(client: KServeClient) -> None:
    with pytest.raises(BackendError, match="no such model"):
        client.infer("wrong", {"x": np.zeros(1, np.float32)}, "out")
