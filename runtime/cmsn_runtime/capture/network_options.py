"""Options of FFmpeg that live streams need and files do not."""

from __future__ import annotations

from dataclasses import replace

from cmsn_runtime.sources.addresses import scheme_of
from cmsn_runtime.sources.options import SourceOptions

# Microseconds of the stream that FFmpeg looks at before it opens. Its default of 5 s is as long as the stall limit, and
# RTMP, whose headers announce sound that may never come, takes all of them.
_ANALYSED = "1000000"


def with_live_options(address: str, options: SourceOptions) -> SourceOptions:
    """The options with these, where they do not say otherwise."""
    usual = {"analyzeduration": _ANALYSED} if scheme_of(address) else {}
    return replace(options, demuxer={**usual, **options.demuxer})
