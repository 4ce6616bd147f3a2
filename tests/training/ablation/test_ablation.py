"""Tables of experiments: every one of the paper is sound, what is missing is named, a small one runs and is reused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("lightning")

from click.testing import CliRunner

import cmsn_training
from cmsn_benchmarks.datasets.small_training import CONFIG, write_training
from cmsn_runtime.cli import cmsn
from cmsn_runtime.errors import SettingsError
from cmsn_training.ablation.baselines import actionness, contrast, ranked, sliding_windows_of, watershed_proposals
from cmsn_training.ablation.cell import recalls
from cmsn_training.ablation.config import AblationConfig, configured, load_ablation
from cmsn_training.ablation.report import as_json, as_table
from cmsn_training.ablation.table import RowResult, run_table

pytestmark = pytest.mark.filterwarnings("ignore")  # Lightning's advice about loggers and workers

CONFIGS = Path(cmsn_training.__file__).parent / "configs"
TABLES = sorted((CONFIGS / "tables").glob("*.toml"))

LEARNING = """[model]
lstm_hidden = 8
evaluator_hidden = 8
[stages]
epochs = 6
learning_rate = 2e-2
windows_per_video = 8
[evaluator]
epochs = 1
[tracking]
settle_steps = 16
"""
TABLE = """
title = "small"
base = "config.toml"
an = [1, 5]
measure = "first-n"
seeds = [0, 1]
hop_steps = 8
[[rows]]
name = "whole"
paper = [10.0, 20.0]
[[rows]]
name = "pre-score"
change = { "proposals.scoring" = "pre-score" }
[[rows]]
name = "TAG"
method = "watershed"
[[rows]]
name = "windows"
method = "sliding windows"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_training(tmp_path, change=(CONFIG[CONFIG.index("[model]") :], LEARNING))
    (tmp_path / "table.toml").write_text(TABLE)
    return tmp_path


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_every_table_of_the_project_is_sound(path: Path) -> None:
    """All but the pre-trained weights, which are read when a configuration is made."""
    table = load_ablation(path)
    assert table.base.is_file()
    for row in table.rows:
        if "model.pretrained" in row.change or "pretrained" in table.base.read_text():
            with pytest.raises(SettingsError, match=r"\.pth"):
                configured(table, row, None, seed=0, output=Path())
        else:
            assert configured(table, row, None, seed=3, output=Path()).seed == 3


def test_data_missing_on_disk_are_named(tmp_path: Path) -> None:
    arguments = ["ablate", str(CONFIGS / "tables/table2.toml"), "--runs", str(tmp_path)]
    result = CliRunner().invoke(cmsn, arguments)
    assert isinstance(result.exception, SettingsError)
    for name in ("two-stream", "temporal_annotations_validation", "temporal_annotations_test"):
        assert name in str(result.exception)


def test_a_table_reuses_trained_models_and_its_results(folder: Path) -> None:
    table = load_ablation(folder / "table.toml")
    done: list[str] = []
    results = run_table(table, folder / "runs", done=done.append)
    assert done.count("trained") == 2  # one per seed: the rows differ only in how proposals are made from the stages
    assert all(result.figures.shape == (2, 2) for result in results)
    assert results[2].figures[:, 1].min() > 30  # the action is plain to see
    models = {path: path.stat().st_mtime_ns for path in (folder / "runs").glob("*/model.safetensors")}
    again = run_table(table, folder / "runs")
    assert models == {path: path.stat().st_mtime_ns for path in (folder / "runs").glob("*/model.safetensors")}
    assert all(np.array_equal(one.figures, other.figures) for one, other in zip(results, again, strict=True))
    content = json.loads(as_json(table, results))
    assert content["rows"][0]["paper"] == [10.0, 20.0]
    assert content["rows"][0]["mean"]["AR@5"] == pytest.approx(results[0].figures[:, 1].mean(), abs=1e-3)


def test_the_command_prints_and_writes_the_table(folder: Path) -> None:
    """In the process that trains, where Lightning draws its own progress."""
    result = CliRunner().invoke(
        cmsn,
        ["ablate", str(folder / "table.toml"), "--runs", str(folder / "runs"), "--json", str(folder / "out.json")],
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    assert all(name in result.stdout for name in ("whole", "pre-score", "TAG", "windows", "AR@5"))
    assert "10 of 10: evaluated" in result.stderr
    assert [row["name"] for row in json.loads((folder / "out.json").read_text())["rows"]][2:] == ["TAG", "windows"]


@pytest.mark.parametrize("change", ['"model.wdith" = 1', '"nothing.at" = 1', '"proposals.nms" = "hard"'])
def test_changes_of_what_does_not_exist_are_refused(folder: Path, change: str) -> None:
    (folder / "table.toml").write_text(TABLE + f'[[rows]]\nname = "wrong"\nchange = {{ {change} }}\n')
    table = load_ablation(folder / "table.toml")
    with pytest.raises(SettingsError, match=r"wdith|nothing|nms"):
        configured(table, table.rows[-1], None, seed=0, output=folder)


def test_a_table_of_recalls_at_single_tious(folder: Path) -> None:
    table = load_ablation(folder / "table.toml")
    proposals = {"a": np.array([[8.0, 11.0], [0.0, 1.0]]), "b": np.array([[8.0, 12.0], [0.0, 1.0]])}
    truth = {name: np.array([[8.0, 12.0]]) for name in proposals}
    values = {**table.model_dump(), "measure": "activitynet", "an": [2], "tiou": [0.8, 0.7], "rows": [{"name": "x"}]}
    by_tiou = AblationConfig.model_validate(values)
    assert by_tiou.columns == ("R@2 tIoU 0.8", "R@2 tIoU 0.7")
    assert recalls(proposals, truth, by_tiou) == [50.0, 100.0]  # 3 of 4 seconds are a tIoU of 0.75
    result = RowResult(by_tiou.rows[0], np.array([[50.0, 100.0]]))
    assert json.loads(as_json(by_tiou, [result]))["rows"][0]["mean"] == {"R@2 tIoU 0.8": 50.0, "R@2 tIoU 0.7": 100.0}
    assert [str(column.header) for column in as_table(by_tiou, [result]).columns] == ["row", *by_tiou.columns]
    thumos = by_tiou.model_copy(update={"measure": "thumos"})
    assert recalls(proposals, truth, thumos) == [50.0, 100.0]


@pytest.mark.parametrize("change", ["an = [1, 5]\ntiou = [0.7]", "an = [1]\ntiou = [0.7]", "an = [1, 5, 10]"])
def test_columns_that_do_not_fit_are_refused(folder: Path, change: str) -> None:
    (folder / "table.toml").write_text(TABLE.replace("an = [1, 5]", change))
    with pytest.raises(SettingsError, match=r"one `an`|2 figures of the paper"):
        load_ablation(folder / "table.toml")


def test_watershed_finds_the_hill_and_contrast_prefers_it() -> None:
    scores = np.array([0.1, 0.1, 0.1, 0.9, 0.8, 0.9, 0.2, 0.1, 0.1, 0.1])
    spans = watershed_proposals(scores)
    assert [3.0, 6.0] in spans.tolist()
    assert len(np.unique(spans, axis=0)) == len(spans)
    assert ranked(spans, scores)[0].tolist() == [3.0, 6.0]
    whole, part = contrast(np.array([[3.0, 6.0], [3.0, 4.0]]), scores)
    assert whole > part


def test_watershed_joins_basins_that_are_mostly_flooded() -> None:
    scores = np.array([0, 0.9, 0.9, 0.9, 0.1, 0.9, 0.9, 0.9, 0, 0, 0])
    spans = watershed_proposals(scores).tolist()
    assert [1.0, 8.0] in spans
    assert [1.0, 4.0] in spans
    assert [5.0, 8.0] in spans


def test_sliding_windows_lie_inside() -> None:
    spans = sliding_windows_of(100)
    assert spans.min() >= 0
    assert spans.max() <= 100
    assert actionness(np.eye(6, dtype=np.float32)).tolist() == [0, 0, 1, 1, 1, 0]
