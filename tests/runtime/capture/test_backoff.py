"""Waits before a connection is opened again."""

from __future__ import annotations

from cmsn_runtime.capture.backoff import Backoff


def test_waits_double_up_to_the_limit() -> None:
    backoff = Backoff(0.5, 3.0, uniform=lambda: 0.0)
    assert [backoff.wait() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_each_wait_is_shortened_at_random_by_up_to_a_quarter() -> None:
    waits = [Backoff(1.0, 1.0).wait() for _ in range(200)]
    assert all(0.75 <= wait <= 1.0 for wait in waits)
    assert max(waits) - min(waits) > 0.1


def test_a_session_that_outlasts_the_wait_before_it_begins_them_anew() -> None:
    backoff = Backoff(1.0, 8.0, uniform=lambda: 0.0)
    assert [backoff.wait(), backoff.wait(), backoff.wait()] == [1.0, 2.0, 4.0]
    backoff.worked(4.5)
    assert backoff.wait() == 1.0


def test_a_camera_that_comes_and_goes_is_asked_less_and_less() -> None:
    backoff, waits = Backoff(1.0, 8.0, uniform=lambda: 0.0), []
    for _ in range(5):
        waits.append(backoff.wait())
        backoff.worked(0.5)
    assert waits == [1.0, 2.0, 4.0, 8.0, 8.0]
