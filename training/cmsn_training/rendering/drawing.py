"""People, vehicles and the yard they move in, drawn with Pillow."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from cmsn_training.rendering.pose import Pose
from cmsn_training.rendering.script import Vehicle

Point = tuple[float, float]
Colour = tuple[int, int, int]


def draw_yard(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """A wall, a floor, boxes and their texture, as one still picture."""
    horizon = int(height * rng.uniform(0.35, 0.55))
    yard = Image.new("RGB", (width, height), _grey(rng, 70, 170))
    pen = ImageDraw.Draw(yard)
    pen.rectangle((0, horizon, width, height), fill=_grey(rng, 60, 190))
    for _ in range(int(rng.integers(2, 9))):
        x, y = rng.uniform(0, width), horizon + rng.uniform(-0.5, 0.35) * height * 0.5
        w, h = rng.uniform(0.04, 0.25) * width, rng.uniform(0.05, 0.3) * height
        pen.rectangle((x, y - h, x + w, y), fill=_grey(rng, 40, 210, tint=30), outline=_grey(rng, 30, 90))
    for _ in range(int(rng.integers(0, 6))):
        x = rng.uniform(0, width)
        pen.line((x, horizon, x + rng.uniform(-1, 1) * width, height), fill=_grey(rng, 60, 190), width=2)
    texture = rng.normal(0, 14, (height // 4 + 1, width // 4 + 1)).astype(np.float32)
    grain = np.asarray(Image.fromarray(texture).resize((width, height), Image.Resampling.BICUBIC))
    pixels = np.clip(np.asarray(yard, dtype=np.float32) + grain[..., None], 0, 255).astype(np.uint8)
    return Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(0.8))


class Look:
    """Build and clothes of one person, drawn from a seed."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.height = float(rng.uniform(0.9, 1.1))
        self.skin = (int(rng.integers(120, 240)), int(rng.integers(90, 190)), int(rng.integers(70, 160)))
        self.shirt: Colour = tuple(int(value) for value in rng.integers(20, 250, 3))  # type: ignore[assignment]
        self.trousers: Colour = tuple(int(value) for value in rng.integers(10, 130, 3))  # type: ignore[assignment]


def draw_person(pen: ImageDraw.ImageDraw, pose: Pose, look: Look, *, depth: float, boxed: bool, size: Point) -> None:
    """One figure; `size` is the picture's, `depth` sets where the feet are and how tall the figure is."""
    width, height = size
    tall = height * (0.38 + 0.14 * depth) * look.height
    feet = (pose.x * width, height * (0.74 + 0.2 * depth) - pose.lift * tall)
    hip = (feet[0], feet[1] - 0.47 * tall)
    neck = _from(hip, 0.34 * tall, math.pi - pose.bow)
    limb = max(3, round(0.075 * tall))
    for side in (-1, 1):
        foot = _from(hip, 0.47 * tall, side * pose.stride + side * pose.spread)
        pen.line((hip, foot), fill=look.trousers, width=limb)
    pen.line((hip, neck), fill=look.shirt, width=round(0.15 * tall))
    for side, angle in zip((-1, 1), pose.arms, strict=True):
        elbow = _from(neck, 0.19 * tall, side * angle)
        hand = _from(elbow, 0.19 * tall, side * (angle + pose.bend))
        pen.line((neck, elbow, hand), fill=look.shirt, width=limb, joint="curve")
        _disc(pen, hand, 0.035 * tall, look.skin)
    _disc(pen, _from(neck, 0.1 * tall, math.pi - pose.bow), 0.075 * tall, look.skin)
    if boxed:
        centre = (hip[0] + 0.12 * tall * pose.facing, hip[1] - 0.15 * tall)
        reach = 0.12 * tall
        pen.rectangle((centre[0] - reach, centre[1] - reach, centre[0] + reach, centre[1] + reach), fill=look.trousers)


def draw_vehicle(pen: ImageDraw.ImageDraw, vehicle: Vehicle, seconds: float, *, size: Point) -> None:
    """Draw a body on two wheels at its position."""
    width, height = size
    share = (seconds - vehicle.begin) / (vehicle.end - vehicle.begin)
    if not 0 <= share < 1:
        return
    share = 1 - share if vehicle.leftwards else share
    rng = np.random.default_rng(vehicle.look)
    long = vehicle.length * width
    tall = long * rng.uniform(0.3, 0.6)
    x, y = share * (width + 2 * long) - 1.5 * long, height * (0.72 + 0.2 * vehicle.depth)
    body: Colour = tuple(int(value) for value in rng.integers(20, 240, 3))  # type: ignore[assignment]
    pen.rectangle((x, y - tall, x + long, y - 0.15 * tall), fill=body)
    for place in (0.2, 0.8):
        _disc(pen, (x + place * long, y - 0.1 * tall), 0.16 * tall, (20, 20, 20))


def _from(origin: Point, length: float, angle: float) -> Point:
    """The point `length` away at `angle` from straight down, positive to the right."""
    return origin[0] + length * math.sin(angle), origin[1] + length * math.cos(angle)


def _disc(pen: ImageDraw.ImageDraw, centre: Point, radius: float, fill: Colour) -> None:
    pen.ellipse((centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius), fill=fill)


def _grey(rng: np.random.Generator, low: int, high: int, *, tint: int = 12) -> Colour:
    level = rng.integers(low, high)
    colour = np.clip(level + rng.integers(-tint, tint + 1, 3), 0, 255)
    return int(colour[0]), int(colour[1]), int(colour[2])
