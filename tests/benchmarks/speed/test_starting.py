"""What a start costs: parts of one process, ratios of each round."""

from __future__ import annotations

import sys
from pathlib import Path

from cmsn_benchmarks.speed.starting import started, summary


def test_a_start_has_all_parts_and_their_sum(tmp_path: Path) -> None:
    found = started(sys.executable, "onnxruntime", tmp_path, blas_threads=1)
    assert list(found) == ["interpreter", "imports", "opening", "warming", "first hops", "whole"]
    parts = [part["cpu"] for name, part in found.items() if name != "whole"]
    assert found["whole"]["cpu"] == sum(parts) > 0


def test_ratios_are_those_of_each_round() -> None:
    def whole(value: float) -> dict[str, dict[str, float]]:
        return {"whole": dict.fromkeys(("cpu", "wall", "peak_megabytes"), value)}

    turns = [{"this": whole(1), "other": whole(2)}, {"this": whole(2), "other": whole(8)}]
    assert summary(turns)["other_over_this_cpu"] == {"median": 3, "least": 2, "most": 4}
