"""Merged archives, opened by the libraries of the tools that they are for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from archive_workers import SETUP, result_of
from click.testing import CliRunner

from cmsn_runtime.archive.identity import Stamp
from cmsn_runtime.archive.merging.merging import Format, Merged, merge
from cmsn_runtime.archive.records import result_bytes
from cmsn_runtime.archive.stores import FolderStore
from cmsn_runtime.archive.working import Job
from cmsn_runtime.commands.merge import merge as command
from cmsn_runtime.errors import OutputError


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """Results of three videos with none, one and two actions."""
    store = FolderStore(tmp_path / "archive")
    for number in range(3):
        job = Job(f"{number:032x}", Stamp(f"/videos/v{number}.mp4", 100, "1"))
        store.write(f"results/{job.key}.json", result_bytes(result_of(job, proposals=number)))
    return store


def merged(store: FolderStore, kind: Format, target: Path, least: float = 0.0) -> Any:
    assert merge(store, kind, target, least=least) == Merged(3, 6, 0)
    return json.loads(target.read_text()) if target.is_file() else None


def test_parquet_has_every_proposal_and_every_video(store: FolderStore, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    merged(store, "parquet", tmp_path / "table")
    proposals = parquet.read_table(tmp_path / "table/proposals.parquet").to_pylist()
    assert [(row["video"], row["action"], row["rank"]) for row in proposals] == [
        ("/videos/v1.mp4", 1, 1),
        ("/videos/v1.mp4", 1, 2),
        *(("/videos/v2.mp4", action, rank) for action in (1, 2) for rank in (1, 2)),
    ]
    assert proposals[0] | {"score": 0.5} == {
        "video": "/videos/v1.mp4",
        "video_key": f"{1:032x}",
        "bundle": "fake",
        "bundle_sha256": "0" * 64,
        "action": 1,
        "rank": 1,
        "start": 2.0,
        "end": 3.1,
        "score": 0.5,
    }
    videos = parquet.read_table(tmp_path / "table/videos.parquet").to_pylist()
    assert [(row["video"], row["duration"], row["frame_rate"], row["proposals"]) for row in videos] == [
        (f"/videos/v{number}.mp4", 10.0, 25.0, 2 * number) for number in range(3)
    ]


def test_activitynet_is_what_cmsn_evaluate_reads(store: FolderStore, tmp_path: Path) -> None:
    found = merged(store, "activitynet", tmp_path / "results.json")
    assert list(found["results"]) == ["v0", "v1", "v2"]
    assert found["results"]["v0"] == []
    scores = [item["score"] for item in found["results"]["v2"]]
    assert scores == sorted(scores, reverse=True)


def test_two_videos_of_one_name_are_refused_for_activitynet_and_nothing_is_left(
    store: FolderStore, tmp_path: Path
) -> None:
    job = Job("f" * 32, Stamp("/other/v1.mp4", 5, "1"))
    store.write(f"results/{job.key}.json", result_bytes(result_of(job)))
    (tmp_path / "results.json").write_text("earlier")
    with pytest.raises(OutputError, match=r"/videos/v1\.mp4 and /other/v1\.mp4 are both called v1"):
        merge(store, "activitynet", tmp_path / "results.json")
    assert (tmp_path / "results.json").read_text() == "earlier"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "results.json"]


def test_label_studio_has_first_ranks_in_frames_that_fit_its_configuration(store: FolderStore, tmp_path: Path) -> None:
    tasks = merged(store, "label-studio", tmp_path / "tasks.json", least=0.4)
    assert [len(task["predictions"][0]["result"]) for task in tasks] == [0, 1, 1]
    (found,) = tasks[1]["predictions"][0]["result"]
    assert tasks[1]["data"] == {"video": "/videos/v1.mp4", "fps": 25.0}
    assert found["value"] == {"ranges": [{"start": 51, "end": 78}], "timelinelabels": ["action"]}
    config = (tmp_path / "tasks.xml").read_text()
    root = ElementTree.fromstring(config)
    names = {element.get("name"): element.tag for element in root.iter() if element.get("name")}
    assert names[found["from_name"]].lower() == found["type"]
    assert names[found["to_name"]] == "Video"
    assert {label.get("value") for label in root.iter("Label")} == {"action"}
    interface = pytest.importorskip("label_studio_sdk.label_interface")
    assert interface.LabelInterface(config).validate_prediction(tasks[1]["predictions"][0])


def test_fiftyone_has_seconds_by_path(store: FolderStore, tmp_path: Path) -> None:
    found = merged(store, "fiftyone", tmp_path / "labels.json")
    assert found["classes"] is None
    assert list(found["labels"]) == [f"/videos/v{number}.mp4" for number in range(3)]
    assert found["labels"]["/videos/v1.mp4"] == [{"label": "action", "confidence": 0.5, "timestamps": [2.0, 3.1]}]


def test_elan_opens_what_was_found_in_milliseconds(store: FolderStore, tmp_path: Path) -> None:
    pympi = pytest.importorskip("pympi")
    merged(store, "elan", tmp_path / "eaf")
    files = sorted((tmp_path / "eaf").iterdir())
    assert len(files) == 2, "none for a video without proposals"
    tier = pympi.Elan.Eaf(str(files[1])).get_annotation_data_for_tier("cmsn")
    assert [item[:3] for item in tier] == [(2000, 3100, "0.50"), (4000, 6100, "0.33")]


def test_a_via_project_is_consistent(store: FolderStore, tmp_path: Path) -> None:
    found = merged(store, "via", tmp_path / "via.json")
    assert set(found) == {"project", "config", "attribute", "file", "metadata", "view"}
    assert found["project"]["vid_list"] == list(found["view"]) == ["1", "2", "3"]
    assert {item["vid"] for item in found["metadata"].values()} == {"2", "3"}
    assert all(set(item["av"]) <= set(found["attribute"]) for item in found["metadata"].values())
    assert found["file"]["2"]["src"] == "file:///videos/v1.mp4"


def test_a_damaged_result_is_named_and_the_command_says_how_much_it_merged(store: FolderStore, tmp_path: Path) -> None:
    arguments = [store.name, "--format", "fiftyone", "-o", str(tmp_path / "x.json")]
    assert "3 videos, 6 proposals" in CliRunner().invoke(command, arguments).output
    store.write("results/bad.json", b"{}")
    with pytest.raises(OutputError, match=r"results/bad\.json: is no result of cmsn archive"):
        merge(store, "fiftyone", tmp_path / "x.json")


def test_results_of_another_setup_are_left_out_when_one_is_given(store: FolderStore, tmp_path: Path) -> None:
    assert merge(store, "via", tmp_path / "x.json", setup={**SETUP, "hop_steps": 2}) == Merged(0, 0, 3)
