"""Rendered streams as files: one mp4 each, and one ActivityNet-format JSON for all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from cmsn_runtime.files import replacing, write_whole
from cmsn_training.rendering.camera import film
from cmsn_training.rendering.script import Script, write_script
from cmsn_training.rendering.settings import RenderSettings
from cmsn_training.workers import worker_pool

ANNOTATIONS_FILE = "annotations.json"


def render_streams(
    folder: Path,
    settings: RenderSettings,
    *,
    streams: int,
    workers: int = 1,
    done: Callable[[str], None] = lambda name: None,
) -> Path:
    """Render `streams` streams into a folder and return the path of their annotations, which are written last.

    The same settings give the same streams, whatever the number of workers. A folder that holds annotations is
    complete: those of an earlier rendering are removed first. done: called with each finished name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ANNOTATIONS_FILE
    path.unlink(missing_ok=True)
    database: dict[str, Any] = {}
    for name, entry in _rendered(folder, settings, streams=streams, workers=workers):
        database[name] = entry
        done(name)
    write_annotations(path, database)
    return path


def render_stream(folder: Path, settings: RenderSettings, index: int) -> tuple[str, dict[str, Any]]:
    """Render stream number `index` of a set -> its name and its entry of the annotations."""
    plot, pixels = (np.random.default_rng(seed) for seed in np.random.SeedSequence((settings.seed, index)).spawn(2))
    script = write_script(plot, settings.seconds)
    name = f"render-{settings.seed}-{index:04d}"
    size = (settings.width, settings.height)
    encode_video(folder / f"{name}.mp4", film(script, settings, pixels), size=size, fps=settings.fps)
    return name, _entry(script, settings)


def _rendered(
    folder: Path, settings: RenderSettings, *, streams: int, workers: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name and annotation entry of each stream, in order, from this process or from several."""
    if workers == 1:
        yield from (render_stream(folder, settings, index) for index in range(streams))
        return
    with worker_pool(workers) as pool:
        jobs = [pool.submit(render_stream, folder, settings, index) for index in range(streams)]
        for job in jobs:
            yield job.result()


def encode_video(path: Path, frames: Iterable[npt.NDArray[np.uint8]], *, size: tuple[int, int], fps: Fraction) -> None:
    """Write frames uint8 [height, width, 3] as an mp4, one every 1 / fps seconds; size is (width, height).

    The same frames give the same bytes. The file is written completely or not at all.
    """
    with replacing(path) as unfinished, av.open(str(unfinished), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        # With its macroblock tree on, x264 gives files that differ from run to run, even with one thread.
        stream.options = {"preset": "veryfast", "crf": "23", "threads": "1", "x264-params": "mbtree=0"}
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, 1 / fps
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_annotations(path: Path, database: dict[str, Any]) -> None:
    """Write an ActivityNet-format JSON, completely or not at all."""
    write_whole(path, (json.dumps({"database": database}, indent=1) + "\n").encode())


def _entry(script: Script, settings: RenderSettings) -> dict[str, Any]:
    annotations = []
    for action in script.actions:
        phases = {key: value for key, value in asdict(action).items() if isinstance(value, float) and key != "tempo"}
        annotations.append(
            {
                "label": action.variant,
                "segment": [round(action.start, 3), round(action.end, 3)],
                "phases": {key: round(value, 3) for key, value in phases.items()},
            }
        )
    return {
        "subset": "rendered",
        "duration": round(float(settings.frames / settings.fps), 3),
        "resolution": f"{settings.width}x{settings.height}",
        "annotations": annotations,
    }
