"""Pre-annotations for people: Label Studio, FiftyOne and VIA 3, as JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path

from cmsn_runtime.archive.merging.base import best_of_each, label_of
from cmsn_runtime.archive.merging.json_lists import JsonItems
from cmsn_runtime.archive.records import FoundProposal, VideoResult
from cmsn_runtime.files import write_whole, written_to

LABEL = "action"
_USUAL_RATE = 25.0

LABEL_STUDIO_CONFIG = f"""<View>
  <Video name="video" value="$video" frameRate="$fps" timelineHeight="64"/>
  <TimelineLabels name="proposals" toName="video"><Label value="{LABEL}"/></TimelineLabels>
</View>
"""


class LabelStudio:
    """Tasks with predictions (https://labelstud.io/guide/predictions): ranges in frames, counted from 1.

    The labelling configuration that they fit, LABEL_STUDIO_CONFIG, is written beside them as .xml.
    """

    def __init__(self, path: Path, least: float) -> None:
        self._least = least
        self._items = JsonItems(path, head="[", tail="\n]\n")
        self._config = path.with_suffix(".xml")

    def add(self, result: VideoResult) -> None:
        """See MergeWriter."""
        rate = result.frame_rate or _USUAL_RATE
        best = best_of_each(result, self._least)
        prediction = {
            "model_version": f"{result.bundle} {str(result.setup['bundle'])[:12]}",
            "score": max((one.score for one in best), default=0.0),
            "result": [_range(one, rate) for one in best],
        }
        self._items.add({"data": {"video": result.video.address, "fps": rate}, "predictions": [prediction]})

    def close(self) -> None:
        """See MergeWriter."""
        self._items.close()
        self._config.write_text(LABEL_STUDIO_CONFIG, encoding="utf-8")

    def abandon(self) -> None:
        """See MergeWriter."""
        self._items.abandon()


def _range(one: FoundProposal, rate: float) -> dict[str, object]:
    first = math.floor(one.start * rate + 1e-6) + 1  # the frame that is shown at the start
    last = max(first, math.ceil(one.end * rate - 1e-6))
    return {
        "id": f"action-{one.action}",
        "from_name": "proposals",
        "to_name": "video",
        "type": "timelinelabels",
        "score": one.score,
        "value": {"ranges": [{"start": first, "end": last}], "timelinelabels": [LABEL]},
    }


class FiftyOne:
    """labels.json of a FiftyOneTemporalDetectionDataset: path of the video -> its detections, in seconds."""

    def __init__(self, path: Path, least: float) -> None:
        self._least = least
        self._items = JsonItems(path, head='{"classes": null, "labels": {', tail="\n}}\n")

    def add(self, result: VideoResult) -> None:
        """See MergeWriter."""
        found = [
            {"label": LABEL, "confidence": one.score, "timestamps": [one.start, one.end]}
            for one in best_of_each(result, self._least)
        ]
        self._items.add(found, key=result.video.address)

    def close(self) -> None:
        """See MergeWriter."""
        self._items.close()

    def abandon(self) -> None:
        """See MergeWriter."""
        self._items.abandon()


class Via:
    """A project of the VGG Image Annotator, version 3: one file, view and list of temporal segments per video."""

    def __init__(self, path: Path, least: float) -> None:
        self._path = path
        self._least = least
        self._files: dict[str, object] = {}
        self._segments: dict[str, object] = {}

    def add(self, result: VideoResult) -> None:
        """See MergeWriter."""
        number = str(len(self._files) + 1)
        local = "://" not in result.video.address
        self._files[number] = {
            "fid": number,
            "fname": label_of(result.video.address),
            "type": 4,  # video
            "loc": 3 if local else 2,  # a path, or a URL
            "src": f"file://{result.video.address}" if local else result.video.address,
        }
        for one in best_of_each(result, self._least):
            item = {"vid": number, "flg": 0, "z": [one.start, one.end], "xy": [], "av": {"1": LABEL}}
            self._segments[f"{number}_{one.action:08d}"] = item

    def close(self) -> None:
        """See MergeWriter."""
        project = {
            "project": {**_PROJECT, "vid_list": list(self._files)},
            "config": _CONFIG,
            "attribute": _ATTRIBUTE,
            "file": self._files,
            "metadata": self._segments,
            "view": {number: {"fid_list": [number]} for number in self._files},
        }
        with written_to(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._path, (json.dumps(project, ensure_ascii=False) + "\n").encode())

    def abandon(self) -> None:
        """See MergeWriter."""


_PROJECT = {
    "pid": "__VIA_PROJECT_ID__",
    "rev": "__VIA_PROJECT_REV_ID__",
    "rev_timestamp": "__VIA_PROJECT_REV_TIMESTAMP__",
    "pname": "proposals",
    "creator": "cmsn merge",
    "created": 0,
}
_CONFIG = {"file": {"loc_prefix": {"1": "", "2": "", "3": "", "4": ""}}, "ui": {"file_content_align": "center"}}
_ATTRIBUTE = {
    "1": {
        "aname": "TEMPORAL-SEGMENTS",
        "anchor_id": "FILE1_Z2_XY0",
        "type": 4,
        "desc": "Proposals",
        "options": {LABEL: LABEL},
        "default_option_id": "",
    }
}
