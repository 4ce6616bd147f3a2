"""What every receiver of reports may rely on, checked on any sequence of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable

Row = tuple[Hashable, str, int, Hashable]  # action, kind of report, rank, moment at which it was reported


def require_promises(rows: Iterable[Row]) -> None:
    """Of each action one provisional, then revisions, then one withdrawal or finals of rank 1, 2 ... of one moment."""
    of_action: defaultdict[Hashable, list[Row]] = defaultdict(list)
    for row in rows:
        of_action[row[0]].append(row)
    for mine in of_action.values():
        kinds = [kind for _, kind, *_ in mine]
        finals = [(rank, moment) for _, kind, rank, moment in mine if kind == "final"]
        assert kinds[0] == "provisional"
        assert set(kinds[1 : len(kinds) - max(1, len(finals))]) <= {"revised"}
        assert kinds[-1] in ("withdrawn", "final")
        assert [rank for rank, _ in finals] == list(range(1, len(finals) + 1))
        assert len({moment for _, moment in finals}) <= 1
        assert all(rank == 1 for _, kind, rank, _ in mine if kind != "final")
