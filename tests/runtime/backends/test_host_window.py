"""A window holds the newest steps, in order, whatever the parts they come in."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmsn_runtime.backends.host_window import HostWindow
from cmsn_runtime.errors import BackendError, SettingsError


@given(size=st.integers(1, 9), parts=st.lists(st.integers(0, 9), max_size=30))
def test_a_window_holds_the_newest_steps(size: int, parts: list[int]) -> None:
    window, all_rows = HostWindow(size), np.empty((0, 2), np.float32)
    for part in parts:
        rows = np.arange(2 * min(part, size), dtype=np.float32).reshape(-1, 2) + 100 * len(all_rows)
        window.push(rows)
        all_rows = np.concatenate((all_rows, rows))
        assert len(window) == min(size, len(all_rows))
        np.testing.assert_array_equal(window.features, all_rows[-size:])


def test_a_window_of_no_length_an_empty_one_and_too_many_steps_are_refused() -> None:
    with pytest.raises(SettingsError, match="at least 1"):
        HostWindow(0)
    with pytest.raises(BackendError, match="empty"):
        _ = HostWindow(3).features
    with pytest.raises(BackendError, match="4 steps were pushed at once"):
        HostWindow(3).push(np.zeros((4, 2), np.float32))


def test_a_closed_window_refuses_everything_and_may_be_closed_again() -> None:
    window, rows = HostWindow(3), np.zeros((2, 2), np.float32)
    window.push(rows)
    window.close()
    window.close()
    assert len(window) == 0
    for use in (lambda: window.push(rows), lambda: window.features):
        with pytest.raises(BackendError, match="this window is closed"):
            use()
