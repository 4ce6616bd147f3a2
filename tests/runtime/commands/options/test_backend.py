"""The option --backend: a name, and what may follow it."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from cmsn_runtime.commands.options.backend import BACKEND_NAMES, checked_backend


@click.command()
@click.option("--backend", metavar=BACKEND_NAMES, callback=checked_backend)
def given(backend: str) -> None:
    """Print the backend."""
    click.echo(backend)


@pytest.mark.parametrize("name", ["auto", "onnxruntime", "openvino:GPU.1", "openvino-fp16:NPU"])
def test_a_name_is_taken_with_its_device(name: str) -> None:
    assert CliRunner().invoke(given, ["--backend", name]).stdout == f"{name}\n"


@pytest.mark.parametrize("name", ["nonsense", "onnxruntime:GPU", "openvino:", "auto:GPU", ""])
def test_any_other_is_a_usage_error(name: str) -> None:
    done = CliRunner().invoke(given, ["--backend", name])
    assert done.exit_code == 2
    assert "the backend is " in done.output
