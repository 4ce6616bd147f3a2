"""Posts what is in a spool, one event after the other, until each is taken or refused."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import OutputError
from cmsn_runtime.sinks.delivery.outage import Outage
from cmsn_runtime.sinks.delivery.spool import Spool
from cmsn_runtime.sinks.webhook.receiver import Answer, Receiver

_JITTER = 0.25  # share by which waits are shortened at random, so that sites do not all return at once


class Sender(Closing):
    """A thread that posts events in order. One that is refused is left out, counted and reported.

    name: of the receiver, in public. retry_seconds: first and last wait between attempts. error: what ended the thread,
    such as an answer that the receiver is gone for good; the events stay in the spool.
    """

    def __init__(
        self,
        receiver: Receiver,
        spool: Spool,
        *,
        name: str,
        retry_seconds: tuple[float, float],
        drain_seconds: float,
        report: Callable[[str], None],
    ) -> None:
        self.delivered = self.refused = 0
        self.error: Exception | None = None
        self._receiver, self._spool, self._name, self._report = receiver, spool, name, report
        self._retry_seconds, self._drain_seconds = retry_seconds, drain_seconds
        self._outage = Outage(name, report)
        self._refusals: set[str] = set()  # reasons that were reported
        self._settled = 0  # number of the newest event that was taken or refused; it stays in the spool of a full disk
        self._woken, self._ending = threading.Event(), threading.Event()
        self._deadline: float | None = None
        self._thread = threading.Thread(target=self._run, name=f"webhook {name}", daemon=True)
        self._thread.start()

    @property
    def reachable(self) -> bool:
        """Whether the last attempt got an answer that ended it."""
        return not self._outage.lasts

    def wake(self) -> None:
        """There is a new event in the spool."""
        self._woken.set()

    def finish(self) -> None:
        """Begin to post what waits; the first attempt that fails is the last."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self._drain_seconds
            self._ending.set()
            self._woken.set()

    def close(self) -> None:
        """Wait until that is done, or its time is over."""
        self.finish()
        assert self._deadline is not None
        self._thread.join(max(self._deadline - time.monotonic(), 0))

    def _run(self) -> None:
        try:
            while self._post_all() and not self._ending.is_set():
                self._woken.wait()
                self._woken.clear()
        except Exception as error:
            self.error = error
        finally:
            self._receiver.close()

    def _post_all(self) -> bool:
        """Post what waits -> whether to go on; at the end, only while attempts succeed and there is time."""
        wait = self._retry_seconds[0]
        while oldest := self._spool.after(self._settled, 1):
            answer = self._receiver.post(oldest[0].message)
            if answer.verdict == "later":
                self._outage.begins(answer.reason, waiting=self._spool.waiting)
                self._ending.wait(max(wait * (1 - _JITTER * random.random()), answer.wait_seconds or 0))
                wait = min(2 * wait, self._retry_seconds[1])
            else:
                wait = self._retry_seconds[0]
                self._settle(answer)
                self._settled = oldest[0].number
                self._spool.acknowledge(self._settled)
            if self._is_over(answer):
                return False
        return True

    def _is_over(self, answer: Answer) -> bool:
        if self._deadline is None:
            return False
        return answer.verdict == "later" or time.monotonic() >= self._deadline

    def _settle(self, answer: Answer) -> None:
        self._outage.ends(waiting=self._spool.waiting)
        if answer.verdict == "gone":
            raise OutputError(
                f"{self._name}: {answer.reason}: it takes no more events, and this output ends; those that wait stay "
                "in the spool"
            )
        if answer.verdict == "delivered":
            self.delivered += 1
            self._refusals.clear()
            return
        self.refused += 1
        if answer.reason not in self._refusals:
            self._refusals.add(answer.reason)
            self._report(f"{self._name}: {answer.reason}: the event is left out; others are sent")
