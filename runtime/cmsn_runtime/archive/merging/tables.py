"""Parquet for databases, and ActivityNet's results for evaluators."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cmsn_runtime.archive.merging.json_lists import JsonItems
from cmsn_runtime.archive.records import VideoResult
from cmsn_runtime.errors import MissingExtraError, OutputError
from cmsn_runtime.files import Replacement, written_to
from cmsn_runtime.names import video_id

_ROWS = 1 << 17  # that wait in memory
_DECIMALS = 6


class Parquet:
    """proposals.parquet and videos.parquet in a folder; see docs/scale.md for their columns."""

    def __init__(self, folder: Path, least: float) -> None:
        try:
            import pyarrow as pa  # type: ignore[import-untyped]
        except ImportError as error:
            raise MissingExtraError("pyarrow", "archive", "writing Parquet") from error
        self._least = least
        text, number, real = pa.string(), pa.int32(), pa.float64()
        proposals = [
            *(("video", text), ("video_key", text), ("bundle", text), ("bundle_sha256", text)),
            *(("action", number), ("rank", number), ("start", real), ("end", real), ("score", pa.float32())),
        ]
        videos = [
            *(("video", text), ("video_key", text), ("bundle", text), ("bundle_sha256", text), ("duration", real)),
            *(("frame_rate", real), ("incomplete", text), ("took", real), ("proposals", number)),
        ]
        self._proposals = _Table(folder / "proposals.parquet", pa.schema(proposals))
        self._videos = _Table(folder / "videos.parquet", pa.schema(videos))

    def add(self, result: VideoResult) -> None:
        """See MergeWriter."""
        common = {
            "video": result.video.address,
            "video_key": result.key,
            "bundle": result.bundle,
            "bundle_sha256": str(result.setup["bundle"]),
        }
        kept = [one for one in result.proposals if one.score >= self._least]
        for one in kept:
            own = {"action": one.action, "rank": one.rank, "start": one.start, "end": one.end, "score": one.score}
            self._proposals.add({**common, **own})
        self._videos.add(
            {
                **common,
                "duration": result.duration,
                "frame_rate": result.frame_rate,
                "incomplete": result.incomplete,
                "took": result.took,
                "proposals": len(kept),
            }
        )

    def close(self) -> None:
        """See MergeWriter."""
        self._proposals.close()
        self._videos.close()

    def abandon(self) -> None:
        """See MergeWriter."""
        self._proposals.abandon()
        self._videos.abandon()


class _Table:
    """One Parquet file, written in groups of rows; whole or not there."""

    def __init__(self, path: Path, schema: Any) -> None:
        import pyarrow as pa
        import pyarrow.parquet as parquet  # type: ignore[import-untyped]

        self._path = path
        self._schema = schema
        self._table = pa.Table
        self._rows: list[dict[str, object]] = []
        with written_to(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._replacement = Replacement(path)
            self._writer = parquet.ParquetWriter(self._replacement.unfinished, schema, compression="zstd")

    def add(self, row: dict[str, object]) -> None:
        self._rows.append(row)
        if len(self._rows) >= _ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        with written_to(self._path), self._replacement:
            self._writer.close()
            self._replacement.commit()

    def abandon(self) -> None:
        self._writer.close()
        self._replacement.close()

    def _flush(self) -> None:
        with written_to(self._path):
            self._writer.write_table(self._table.from_pylist(self._rows, schema=self._schema))
        self._rows = []


class ActivityNet:
    """ActivityNet's results format, best first, as `cmsn run --results` writes it and `cmsn evaluate` reads it.

    Videos are called by the name of their file: two of one name in different folders are refused.
    """

    def __init__(self, path: Path, least: float) -> None:
        self._least = least
        self._seen: dict[str, str] = {}
        self._items = JsonItems(
            path, head='{"version": "VERSION 1.3", "results": {', tail='\n}, "external_data": {}}\n'
        )

    def add(self, result: VideoResult) -> None:
        """See MergeWriter. Raises OutputError for a name that another video has."""
        name = video_id(result.video.address)
        other = self._seen.setdefault(name, result.video.address)
        if other != result.video.address:
            raise OutputError(
                f"{other} and {result.video.address} are both called {name} in ActivityNet's format; rename one, or "
                "merge their folders apart"
            )
        ranked = sorted(result.proposals, key=lambda one: -one.score)
        found = [
            {"score": round(one.score, _DECIMALS), "segment": [round(one.start, _DECIMALS), round(one.end, _DECIMALS)]}
            for one in ranked
            if one.score >= self._least
        ]
        self._items.add(found, key=name)

    def close(self) -> None:
        """See MergeWriter."""
        self._items.close()

    def abandon(self) -> None:
        """See MergeWriter."""
        self._items.abandon()
