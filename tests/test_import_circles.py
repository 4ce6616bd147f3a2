"""Imports run one way: from house to house, and between the modules of each, wherever in a module they stand."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Each house with those it may import beside itself.
HOUSES = {
    "cmsn_runtime": (),
    "cmsn_training": ("cmsn_runtime",),
    "cmsn_export": ("cmsn_runtime", "cmsn_training"),
    "cmsn_calibration": ("cmsn_runtime", "cmsn_training", "cmsn_export"),
    "cmsn_benchmarks": ("cmsn_runtime", "cmsn_training", "cmsn_export", "cmsn_calibration"),
}

Graph = dict[str, frozenset[str]]


def modules(root: Path) -> dict[str, Path]:
    """Dotted name -> file of every module of the five packages."""
    found: dict[str, Path] = {}
    for path in sorted(root.glob("*/cmsn_*/**/*.py")):
        parts = path.relative_to(root).with_suffix("").parts[1:]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(module: str, tree: ast.AST, *, package: bool) -> Iterator[str]:
    """Every name a module may import: at its top, under TYPE_CHECKING, inside functions; relative ones too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: len(module.split(".")) - node.level + package] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def import_graph(root: Path) -> Graph:
    """Module -> the modules it names. A package whose submodule is taken from it counts as that submodule alone."""
    found = modules(root)
    graph: Graph = {}
    for module, path in found.items():
        names = set(imported(module, ast.parse(path.read_text(encoding="utf-8")), package=path.name == "__init__.py"))
        targets = {name for name in names if name in found} - {module}
        behind = {target for target in targets if any(other.startswith(f"{target}.") for other in targets)}
        graph[module] = frozenset(targets - {target for target in behind if not _named_itself(target, names, found)})
    return graph


def _named_itself(package: str, names: set[str], found: dict[str, Path]) -> bool:
    """Whether something other than a submodule is taken from the package, so that its __init__ matters."""
    return any(name.rpartition(".")[0] == package and name not in found for name in names)


def circles(graph: Graph) -> list[tuple[str, ...]]:
    """A shortest way back to itself for every module that has one, each circle once."""
    found: dict[frozenset[str], tuple[str, ...]] = {}
    for start in sorted(graph):
        ways: list[tuple[str, ...]] = [(start,)]
        seen: set[str] = set()
        while ways:
            way = ways.pop(0)
            if start in graph[way[-1]]:
                found.setdefault(frozenset(way), (*way, start))
                break
            fresh = sorted(graph[way[-1]] - seen)
            seen |= set(fresh)
            ways += [(*way, target) for target in fresh]
    return list(found.values())


def test_no_module_imports_itself_by_way_of_others() -> None:
    found = circles(import_graph(ROOT))
    assert not found, "\n".join(" -> ".join(way) for way in found)


def test_houses_import_in_one_direction() -> None:
    wrong = [
        f"{module} -> {target}"
        for module, targets in import_graph(ROOT).items()
        for target in targets
        for house, other in [(module.split(".")[0], target.split(".")[0])]
        if other not in (house, *HOUSES[house])
    ]
    assert not wrong


@pytest.mark.parametrize(
    "line",
    [
        "from cmsn_runtime.a import x",
        "import cmsn_runtime.a",
        "from cmsn_runtime import a",
        "from . import a",
        "from .a import x",
        "if TYPE_CHECKING:\n    from cmsn_runtime.a import x",
        "def f() -> None:\n    from cmsn_runtime.a import x",
    ],
)
def test_the_check_finds_a_circle_however_the_import_is_written(tmp_path: Path, line: str) -> None:
    package = tmp_path / "runtime" / "cmsn_runtime"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("import cmsn_runtime.b\n")
    (package / "b.py").write_text(f"{line}\n")
    assert circles(import_graph(tmp_path)) == [("cmsn_runtime.a", "cmsn_runtime.b", "cmsn_runtime.a")]


def test_a_configuration_is_checked_without_torch() -> None:
    pytest.importorskip("pydantic")
    code = "import sys, cmsn_training.config, cmsn_training.losses.margins; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
