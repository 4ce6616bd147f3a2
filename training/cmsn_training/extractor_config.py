"""The [extractor] section of a training configuration: frozen networks in ONNX, and what is done with their rows."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from cmsn_runtime.pictures.settings import ChannelOrder, FlowSettings
from cmsn_training.config_sections import PathField, RowsConfig, Section

InputKind = Literal["rgb", "difference", "flow"]
Layout = Literal["nchw", "nhwc", "ncthw", "ntchw", "nthwc"]
Crops = Literal["centre", "mirrored", "five", "ten"]

CHANNELS: dict[InputKind, int] = {"rgb": 3, "difference": 3, "flow": 2}
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]


class NetworkConfig(Section):
    """One frozen network; each snippet of `frames` frames, centred on every `every` frames, gives one row.

    file: ONNX; a relative path starts at the TOML file. input: pictures; differences of neighbouring ones, the cheap
    stand-in for motion; or optical flow. frames: pictures, differences or flow fields of a snippet.
    apart: frames from one picture of a snippet to the next: the sampling rate of clip networks.
    every: frames between two snippets, which divides grid.stride; the rows of a step are averaged.
    size: (height, width) that it takes, where its file leaves them open.
    mean, scale: it gets (value - mean) * scale, one for all channels or one for each; values are pixels from 0 to 255,
        differences of these, or flow from 0 to 255, where 128 is no motion. channels: order of the colours.
    layout: axes of its input, n snippets, c channels, t frames. Without t, the frames are stacked as channels.
    output: the tensor that is used, an output or any other; by default its only output. What it has beside snippets and
        channels (of two axes the last, otherwise `channel_axis`, 1 by default) is averaged, or its `maximum` taken.
    licence, source: of the weights, for the bundle's manifest.
    sha256, width: of the file, and values of a row. `cmsn train` fills them in; where they are given, they must fit.
    """

    file: PathField
    input: InputKind = "rgb"
    frames: Annotated[int, Field(ge=1, le=256)] = 1
    apart: Annotated[int, Field(ge=1, le=64)] = 1
    every: Annotated[int, Field(ge=1)] | None = None
    size: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] | None = None
    mean: Annotated[tuple[float, ...], Field(min_length=1, max_length=3)] = (0.0,)
    scale: Annotated[tuple[float, ...], Field(min_length=1, max_length=3)] = (1.0,)
    channels: ChannelOrder = "rgb"
    layout: Layout = "nchw"
    output: str | None = None
    channel_axis: Annotated[int, Field(ge=-1)] | None = None
    pool: Literal["average", "maximum"] = "average"
    licence: str = ""
    source: str = ""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    width: Annotated[int, Field(ge=1)] | None = None

    @field_validator("mean", "scale", mode="before")
    @classmethod
    def _one_for_all(cls, value: object) -> object:
        return (value,) if isinstance(value, (int, float)) else value

    @model_validator(mode="after")
    def _values_fit(self) -> NetworkConfig:
        for name in ("mean", "scale"):
            count = len(getattr(self, name))
            if count not in (1, CHANNELS[self.input]):
                raise ValueError(f"{name} has {count} values; {self.input} needs 1 or {CHANNELS[self.input]}")
        return self

    @property
    def snippet_shape(self) -> tuple[int, ...]:
        """Sizes of its input's axes after the first, once `size` is known."""
        height, width = self.size or (0, 0)
        channels = CHANNELS[self.input] * (1 if "t" in self.layout else self.frames)
        sizes = {"c": channels, "t": self.frames, "h": height, "w": width}
        return tuple(sizes[axis] for axis in self.layout[1:])

    @property
    def pictures(self) -> int:
        """Pictures that a snippet is made of: n differences need n + 1."""
        return self.frames + (self.input == "difference")

    @property
    def span(self) -> int:
        """Frames from its first picture to its last, both included."""
        return (self.pictures - 1) * self.apart + 1


class ExtractorConfig(Section):
    """Frozen networks as the extractor, by name; their rows are joined in this order (section 5.1: two streams).

    flow: how optical flow is computed, where a network takes it. crops: views of each training picture whose rows
    training draws from: its centre, that and its mirror image, five (with the corners), or ten (all mirrored too, TSN).
    components: principal components of the training rows that are kept, each with deviation 1; by default the rows
        themselves. Few actions teach little about a thousand values.
    rows: what is done with the rows, or their components; as for feature files.
    """

    networks: Annotated[dict[Name, NetworkConfig], Field(min_length=1)]
    flow: FlowSettings = FlowSettings()
    crops: Crops = "centre"
    components: Annotated[int, Field(ge=1)] | None = None
    rows: RowsConfig = RowsConfig()

    @property
    def has_flow(self) -> bool:
        """Whether a network takes optical flow."""
        return any(network.input == "flow" for network in self.networks.values())

    @property
    def width(self) -> int:
        """Values of a row: of all networks, once their files are known."""
        return sum(network.width or 0 for network in self.networks.values())

    @property
    def row_width(self) -> int:
        """Values of a row as training sees it."""
        return self.components or self.width
