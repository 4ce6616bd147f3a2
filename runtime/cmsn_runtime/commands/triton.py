"""`cmsn triton`: a bundle as a model repository of a Triton server."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Write a bundle's networks for a Triton server.")
@click.argument("bundle", metavar="BUNDLE")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The model repository, a folder.")
@click.option("--batch", default=32, show_default=True, type=click.IntRange(1), help="Cameras at a time.")
@click.option("--delay-ms", default=30.0, show_default=True, type=click.FloatRange(0.1), help="Wait for a batch.")
@click.option("--idle-seconds", default=60.0, show_default=True, type=click.FloatRange(1), help="End silent cameras.")
@click.option("--precision", default="fp32", show_default=True, metavar="fp32|fp16", help="Variant of the bundle.")
@click.option("--tensorrt", is_flag=True, help="The plans that `cmsn build` made on this machine, in place of graphs.")
@click.option("--engines", type=click.Path(path_type=Path), help="Their folder; by default your own builds.")
@click.option("--gpu", is_flag=True, help="ONNX Runtime on a GPU.")
@click.option("--threads", type=click.IntRange(1), help="Per network, on a CPU.")
def triton(
    bundle: str,
    output: Path,
    batch: int,
    delay_ms: float,
    idle_seconds: float,
    precision: str,
    tensorrt: bool,
    engines: Path | None,
    gpu: bool,
    threads: int | None,
) -> None:
    """Write the networks of BUNDLE as models of a Triton server: the extractor with its states kept by the server, the
    stages, and the evaluator.

    Any number of machines with cameras then run `cmsn serve` or `cmsn run` with `--backend triton://HOST:PORT`.
    """
    from cmsn_runtime.backends.triton.models import ServingSettings
    from cmsn_runtime.backends.triton.repository import write_repository
    from cmsn_runtime.bundle_files import locate_bundle
    from cmsn_runtime.reporting import say

    folder = locate_bundle(bundle)
    settings = ServingSettings(
        batch=batch,
        delay_ms=delay_ms,
        idle_seconds=idle_seconds,
        precision=precision,
        tensorrt=tensorrt,
        gpu=gpu,
        threads=threads,
    )
    plans = {}
    if tensorrt:
        from cmsn_runtime.backends.triton.plans import plans_of

        plans = plans_of(folder, engines)
    for name in write_repository(folder, output, settings, plans=plans):
        say(output / name)
    say(
        f"Next: tritonserver --model-repository={output}; cmsn run VIDEO --bundle {bundle} --backend triton://HOST:8000"
    )
