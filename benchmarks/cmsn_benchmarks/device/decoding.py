"""What a film's frames cost before a network sees them: decoding, and conversion to the bundle's size, optical flow."""

from __future__ import annotations

import time

from cmsn_benchmarks.device.figures import Decoding
from cmsn_benchmarks.device.film import Film
from cmsn_benchmarks.device.latencies import latency_of
from cmsn_runtime.errors import SourceError
from cmsn_runtime.pictures.fitting import Scaler
from cmsn_runtime.pictures.flow import FlowChannels
from cmsn_runtime.pictures.settings import Preprocessing
from cmsn_runtime.sources.opening import open_source

_SECONDS = 1.0
_LEAST = 50  # frames, of a film that has so many
_WARM_UP = 8  # frames that are not counted: the first of a decoder allocate


def measure_decoding(film: Film, preprocessing: Preprocessing) -> Decoding:
    """Frame after frame, as a capture does it; and the flow that the bundle's preprocessing asks for, if any.

    Raises SourceError; as FlowChannels does.
    """
    scale = Scaler(preprocessing.resize)
    add_flow = None if preprocessing.flow is None else FlowChannels(preprocessing.flow)
    height, width = preprocessing.crop
    decode: list[float] = []
    convert: list[float] = []
    flow: list[float] = []
    until = time.perf_counter() + _SECONDS
    with open_source(film.path) as source:
        begin = time.perf_counter()
        for frame in source:
            decoded = time.perf_counter()
            picture = scale(frame)
            converted = time.perf_counter()
            decode.append(decoded - begin)
            convert.append(converted - decoded)
            if add_flow is not None:
                add_flow(picture[:height, :width])
                flow.append(time.perf_counter() - converted)
            if len(decode) >= _LEAST + _WARM_UP and converted > until:
                break
            begin = time.perf_counter()
    if not decode:
        raise SourceError(f"{film.path}: has no frame that can be decoded; name another with --film")
    warm = min(_WARM_UP, len(decode) - 1)
    return Decoding(
        decode=latency_of(decode[warm:]),
        convert=latency_of(convert[warm:]),
        rate=film.rate,
        picture=film.picture,
        flow=latency_of(flow[warm:]) if flow else None,
    )
