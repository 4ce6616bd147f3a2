"""Settings changed on site: checked by name and value, visible, and no file of the bundle is touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import ACTION, clip, cmsn

from cmsn_runtime.bundle import open_bundle
from cmsn_runtime.errors import SettingsError
from cmsn_runtime.proposing.settings import ProposalSettings
from cmsn_runtime.site import SETTABLE, site_settings, tuned
from cmsn_runtime.tracking.tracker import TrackerSettings

OWN = (ProposalSettings(roi_bins=4), TrackerSettings())


def test_some_settings_change_and_the_others_stay() -> None:
    changes = {
        "proposals.min_score": 0.2,
        "proposals.background": [0.5],
        "proposals.sigma": 0.5,
        "tracking.settle_steps": 6,
    }
    tuning = tuned(*OWN, changes)
    assert tuning.proposals == ProposalSettings(roi_bins=4, min_score=0.2, background=(0.5,))
    assert tuning.tracking == TrackerSettings(settle_steps=6)
    assert tuning.changed == {
        "proposals.min_score": (0.01, 0.2),
        "proposals.background": ((), (0.5,)),
        "tracking.settle_steps": (8, 6),
    }


def test_every_setting_is_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "bundle.md").read_text(encoding="utf-8")
    rows = [line.split("`")[1] for line in text.splitlines() if line.startswith(("| `proposals.", "| `tracking."))]
    assert sorted(rows) == sorted(SETTABLE)


def test_an_empty_site_changes_nothing() -> None:
    tuning = tuned(*OWN, {})
    assert (tuning.proposals, tuning.tracking) == OWN
    assert not tuning.changed


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("proposals.min_score", 2, "proposals.min_score is 2.0; it must be from 0 to 1"),
        ("proposals.min_score", "0.2", "proposals.min_score is '0.2'; it must be a number"),
        ("proposals.min_score", True, "proposals.min_score is True; it must be a number"),
        ("proposals.min_score", float("nan"), "proposals.min_score is nan; it must be a finite number"),
        ("proposals.max_proposals", 2.5, "proposals.max_proposals is 2.5; it must be an integer"),
        ("proposals.nms", "soft", "proposals.nms is 'soft'; it must be one of gaussian, linear, greedy, none"),
        ("proposals.background", 0.5, "proposals.background is 0.5; it must be a list"),
        ("tracking.settle_steps", 0, "tracking.settle_steps is 0; it must be at least 1"),
        ("tracking.provisional_score", -1, "tracking.provisional_score is -1.0; it must be from 0 to 1"),
        ("proposals.roi_bins", 4, "proposals.roi_bins is fixed: the networks were trained with it"),
        ("proposals.roi_context", 0.0, "proposals.roi_context is fixed"),
        ("min_score", 0.2, "setting 'min_score' is unknown; these can be set: proposals.decay, proposals.nms, "),
        ("proposals.min_scor", 0.2, "tracking.provisional_score, tracking.provisional_steps, tracking.revise_steps"),
        ("grid.fps", "25", "setting 'grid.fps' is unknown"),
        ("proposals", {}, "setting 'proposals' is unknown"),
        ("proposals.min\x1bscore", 1, r"setting 'proposals.min\x1bscore' is unknown"),
    ],
)
def test_settings_that_cannot_be_changed_on_site_are_refused(name: str, value: object, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        tuned(*OWN, {name: value})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_assignments_are_toml_and_text_needs_no_quotes() -> None:
    texts = [
        "proposals.min_score=0.2",
        "tracking.settle_steps = 6",
        "proposals.nms=greedy",
        'proposals.scoring="pre-score"',
        "proposals.background=[0.5, 0.25]",
        "proposals.min_score=0.3",
    ]
    assert site_settings(None, texts) == {
        "proposals.min_score": 0.3,
        "tracking.settle_steps": 6,
        "proposals.nms": "greedy",
        "proposals.scoring": "pre-score",
        "proposals.background": [0.5, 0.25],
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("proposals.min_score", "has no value; write NAME=VALUE"),
        ("proposals.min_score=", "has no value"),
        ("=0.2", "setting '' is unknown"),
        ("min_score=0.2", "setting 'min_score' is unknown; these can be set: proposals.decay"),
        ("proposals.roi_bins=8", "is fixed"),
    ],
)
def test_assignments_that_are_none_are_refused(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        site_settings(None, [text])


def test_an_assignment_is_one_value() -> None:
    (value,) = site_settings(None, ["proposals.min_score=0.2\nsurprise=1"]).values()
    with pytest.raises(SettingsError, match=r"min_score is '0\.2\\nsurprise=1'; it must be a number"):
        tuned(*OWN, {"proposals.min_score": value})


def test_assignments_win_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(b"\xef\xbb\xbf[proposals]\nmin_score = 0.2\nsigma = 0.7\n[tracking]\nsettle_steps = 6\n")
    assert site_settings(path, ["proposals.min_score=0.3"]) == {
        "proposals.min_score": 0.3,
        "proposals.sigma": 0.7,
        "tracking.settle_steps": 6,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[source]\nfps = 25\n", "'source' is not one of its tables; a site file has [proposals], [tracking]"),
        (b"min_score = 0.2\n", "'min_score' is not one of its tables"),
        (b"proposals = 3\n", "'proposals' is not one of its tables"),
        (b"[proposals]\nmin_scor = 0.2\n", "setting 'proposals.min_scor' is unknown; these can be set:"),
        (b"[proposals.deep]\nmin_score = 0.2\n", "setting 'proposals.deep' is unknown"),
        (b"[proposals]\nroi_bins = 8\n", "proposals.roi_bins is fixed"),
        (b"[proposals]\nmin_score = \n", "not valid TOML"),
        ("[proposals]".encode("utf-16"), "is not UTF-8"),
    ],
)
def test_a_site_file_at_fault_is_refused_by_name(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "site.toml"
    path.write_bytes(text)
    with pytest.raises(SettingsError) as caught:
        site_settings(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


def test_a_site_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        site_settings(tmp_path / "none.toml")


def test_streams_of_a_bundle_run_with_the_settings_of_the_site(tiny_bundle: Path) -> None:
    before = {path.name: path.read_bytes() for path in tiny_bundle.iterdir()}
    with open_bundle(tiny_bundle, settings={"proposals.min_score": 0.2, "tracking.settle_steps": 6}) as bundle:
        settings = bundle.stream().settings
        assert settings.proposals.min_score == 0.2
        assert settings.tracking.settle_steps == 6
        assert bundle.stream(min_score=0.4).settings.proposals.min_score == 0.4
        assert "proposals.min_score 0.2 (bundle: 0.01), tracking.settle_steps 6 (bundle: 8)" in repr(bundle)
        assert bundle.manifest.proposals.min_score == 0.01
    assert {path.name: path.read_bytes() for path in tiny_bundle.iterdir()} == before


def test_a_wrong_setting_is_refused_before_anything_is_opened(tiny_bundle: Path) -> None:
    (tiny_bundle / "stages.onnx").unlink()
    with pytest.raises(SettingsError, match="it must be from 0 to 1"):
        open_bundle(tiny_bundle, settings={"proposals.min_score": 7})


def test_a_wrong_setting_of_the_command_is_one_line(tiny_bundle: Path) -> None:
    done = cmsn("run", "x.mp4", "--bundle", tiny_bundle, "--set", "proposals.minscore=1")
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("cmsn: error: setting 'proposals.minscore' is unknown; these can be set: proposals.decay")


def test_the_command_runs_with_site_settings_and_results_record_them(tiny_bundle: Path, tmp_path: Path) -> None:
    video, site, results = clip(tmp_path / "a.mp4", ACTION), tmp_path / "site.toml", tmp_path / "r.json"
    site.write_text("[proposals]\nmin_score = 0.9\n[tracking]\nsettle_steps = 6\n")
    done = cmsn(
        *("run", video, "--bundle", tiny_bundle, "--quiet", "--results", results, "--site", site),
        *("--set", "proposals.min_score=0.02", "--set", "tracking.revise_steps=1"),
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(results.read_text())
    assert found["external_data"]["settings"] == {"proposals.min_score": 0.02, "tracking.settle_steps": 6}
    scores = [item["score"] for item in found["results"]["a"]]
    assert scores
    assert min(scores) >= 0.02


def test_min_score_on_the_command_line_wins_over_the_site(tiny_bundle: Path, tmp_path: Path) -> None:
    video, results = clip(tmp_path / "a.mp4", ACTION), tmp_path / "r.json"
    options = ("--quiet", "--results", results, "--set", "proposals.min_score=0.5", "--min-score", "0.25")
    assert cmsn("run", video, "--bundle", tiny_bundle, *options).returncode == 0
    assert json.loads(results.read_text())["external_data"] == {"settings": {"proposals.min_score": 0.25}}


def test_no_output_may_take_the_place_of_the_site_file(tiny_bundle: Path, tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text("[tracking]\nsettle_steps = 6\n")
    done = cmsn("run", clip(tmp_path / "a.mp4", ACTION), "--bundle", tiny_bundle, "--site", site, "--results", site)
    assert done.returncode == 1
    assert "--site" in done.stderr
    assert site.read_text().startswith("[tracking]")
