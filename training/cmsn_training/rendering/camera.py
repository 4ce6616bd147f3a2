"""The camera: renders a script as frames, with noise, light and shake."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import ImageDraw

from cmsn_training.rendering.drawing import Look, draw_person, draw_vehicle, draw_yard
from cmsn_training.rendering.pose import pose_at
from cmsn_training.rendering.script import Script
from cmsn_training.rendering.settings import RenderSettings

_SCALE = 2  # drawn at twice the size and averaged down: thin limbs keep their shape
_MARGIN = 8  # pixels around the picture, for the shake
_NOISE_FRAMES = 8


def film(script: Script, settings: RenderSettings, rng: np.random.Generator) -> Iterator[npt.NDArray[np.uint8]]:
    """Frames uint8 [height, width, 3] RGB of the whole stream, one after the other."""
    width, height = settings.width * _SCALE, settings.height * _SCALE
    yard = draw_yard(rng, width + 2 * _MARGIN, height + 2 * _MARGIN)
    looks = [Look(person.look) for person in script.people]
    light = _light(rng, settings)
    shake = _shake(rng, settings)
    noise = rng.normal(0, rng.uniform(2, 7), (_NOISE_FRAMES, settings.height, settings.width, 3)).astype(np.float32)
    size = (float(yard.width), float(yard.height))
    far_to_near = sorted(range(len(looks)), key=lambda number: script.people[number].depth)
    for index in range(settings.frames):
        seconds = float(index / settings.fps)
        picture = yard.copy()
        pen = ImageDraw.Draw(picture)
        for vehicle in script.vehicles:
            draw_vehicle(pen, vehicle, seconds, size=size)
        for number in far_to_near:
            person = script.people[number]
            pose = pose_at(person, seconds)
            if pose is not None:
                draw_person(pen, pose, looks[number], depth=person.depth, boxed=person.boxed, size=size)
        dx, dy = shake[index]
        view = picture.crop((_MARGIN + dx, _MARGIN + dy, _MARGIN + dx + width, _MARGIN + dy + height)).reduce(_SCALE)
        grain = np.roll(noise[rng.integers(_NOISE_FRAMES)], int(rng.integers(settings.width)), axis=1)
        yield np.clip(np.asarray(view, dtype=np.float32) * light[index] + grain, 0, 255).astype(np.uint8)


def _light(rng: np.random.Generator, settings: RenderSettings) -> npt.NDArray[np.float32]:
    """Gain of each frame and channel [frames, 3]: a slow drift, a few steps (a lamp, a cloud), a tint."""
    times = np.arange(settings.frames) / float(settings.fps)
    gain = 1 + rng.uniform(0, 0.12) * np.sin(2 * np.pi * times / rng.uniform(15, 60) + rng.uniform(0, 6))
    for _ in range(rng.poisson(settings.seconds / 60)):
        gain = gain * np.where(times > rng.uniform(0, settings.seconds), rng.uniform(0.75, 1.25), 1.0)
    return (gain[:, None] * rng.uniform(0.9, 1.1, 3)).clip(0.5, 1.6).astype(np.float32)


def _shake(rng: np.random.Generator, settings: RenderSettings) -> npt.NDArray[np.int64]:
    """Offset of each frame in half pixels [frames, 2]: mostly still, with bursts (wind, a lorry)."""
    force = np.zeros(settings.frames)
    for _ in range(rng.poisson(settings.seconds / 30)):
        begin = int(rng.integers(settings.frames))
        force[begin : begin + int(rng.uniform(0.3, 2.0) * settings.fps)] = rng.uniform(0.5, 2.5)
    offsets = rng.normal(0, 1, (settings.frames, 2)) * force[:, None]
    return np.clip(np.rint(offsets), -_MARGIN, _MARGIN).astype(np.int64)
