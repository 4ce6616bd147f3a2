"""Many live cameras on one model, joining and leaving while others run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

from cmsn_runtime.bundle import Bundle
from cmsn_runtime.capture.items import CapturedPacket, CapturedPicture, CaptureItem
from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import BackendError, NoOutputLeftError, SettingsError
from cmsn_runtime.identity import LOCAL_SITE, Numbering, new_run
from cmsn_runtime.live.camera import LiveCamera
from cmsn_runtime.live.intake import Intake
from cmsn_runtime.live.member import CaptureOpener, Member
from cmsn_runtime.live.overload import relieve
from cmsn_runtime.live.settings import CameraSettings, FleetSettings
from cmsn_runtime.live.settling import settle_all
from cmsn_runtime.live.status import CameraStatus
from cmsn_runtime.live.turns import Turns
from cmsn_runtime.live.waiting import Cut
from cmsn_runtime.sinks.base import Ending
from cmsn_runtime.sinks.outlets import Outlets
from cmsn_runtime.stopping import Steps

_ROUND_SECONDS = 0.25  # at most between two rounds: silences are looked for
_FAILING_SECONDS = 10.0  # without one success of the networks, after which nothing is to be expected of them


class Fleet(Closing):
    """Cameras that share a bundle. Events, pictures and packets go to `outlets`, all from the thread of `run`.

    site: name of the place, run: id of this run of the program, for the ids of events. on_failure: gets the name of a
    camera and the error of the networks that ended its segment. capture: begins the capture of a camera. unattended:
    goes on where every output has failed: somebody will open them again.
    faults: name and reason of each source that ended by a fault.

    `add`, `remove`, `restart`, `stop` and `statuses` may be called from any thread; `stop` also in a signal handler.
    """

    def __init__(
        self,
        bundle: Bundle,
        outlets: Outlets,
        settings: FleetSettings | None = None,
        *,
        site: str = LOCAL_SITE,
        run: str | None = None,
        on_failure: Callable[[str, Exception], None] | None = None,
        capture: CaptureOpener,
        unattended: bool = False,
    ) -> None:
        self.faults: list[tuple[str, str]] = []
        self._bundle = bundle
        self._outlets = outlets
        self._settings = settings or FleetSettings()
        self._site, self._run = site, run or new_run()
        self._on_failure = on_failure
        self._capture = capture
        self._unattended = unattended
        self._size = bundle.preprocessing.resize
        self._members: list[Member] = []
        self._lock = threading.Lock()  # of what `add`, `remove` and `restart` look at
        self._present: set[str] = set()
        self._added: dict[str, int] = {}  # name -> how often
        self._intake = Intake()
        self._stopping = False
        self._beat = time.monotonic()
        self._failing_since: float | None = None
        self._turns = Turns(
            bundle.backend,
            batch_seconds=self._settings.batch_seconds,
            on_failure=self._failed,
            on_success=self._succeeded,
        )

    def add(self, settings: CameraSettings) -> None:
        """Add a camera. Raises SettingsError where its name is taken, or a setting of its stream is not allowed."""
        with self._lock:
            if settings.name in self._present:
                raise SettingsError(f"two cameras are called {settings.name}; give each a name of its own")
            number = self._added.get(settings.name, 0)
            # A camera that is added again counts from 1 again, so its ids need another run.
            camera = self._camera(settings, run=f"{self._run}.{number}" if number else self._run)
            self._added[settings.name] = number + 1
            self._present.add(settings.name)
        self._intake.put(partial(self._join, Member(settings, camera)))

    def remove(self, name: str) -> None:
        """End a camera; what is under way is settled. Raises SettingsError where there is none of that name."""
        with self._lock:
            self._require(name)
            self._present.discard(name)
        self._intake.put(partial(self._for_each, name, Member.leave))

    def restart(self, name: str) -> None:
        """Connect a camera anew, unless it has ended; its numbering continues. Raises SettingsError as `remove`."""
        with self._lock:
            self._require(name)
        self._intake.put(partial(self._for_each, name, self._connect_again))

    def stop(self) -> None:
        """Let `run` settle everything and return."""
        self._intake.put(self._stop)

    def statuses(self) -> list[CameraStatus]:
        """The state of each camera, in the order they were added."""
        return [member.camera.status() for member in tuple(self._members)]

    @property
    def idle_seconds(self) -> float:
        """Seconds since `run` began its last round: where they grow, the networks or an output hang."""
        return time.monotonic() - self._beat

    def run(self, *, until_ended: bool = False) -> None:
        """Run all cameras until `stop`; until_ended: or until every source has ended by itself.

        However it ends, actions under way are settled and reported, within about a second. Raises NoOutputLeftError
        where every output has failed, BackendError where the networks only fail; Stopped as in `run_source`.
        """
        with Steps() as steps:
            try:
                while not self._stopping:
                    with steps.whole:
                        self._round()
                    steps.check()
                    if until_ended and self._intake.empty and all(member.over for member in self._members):
                        break
                    # Outside of `whole`: a signal takes effect at once. What has come is looked at in the next round.
                    self._intake.wait(min(_ROUND_SECONDS, self._turns.seconds_left(self._cameras())))
            except BaseException as error:
                with steps.whole:
                    self._settle(str(error) or type(error).__name__)
                raise
            with steps.whole:
                self._settle("")

    def close(self) -> None:
        """Release everything that `run` has not, without a report. May be called twice."""
        for member in self._members:
            member.end_capture()
            member.camera.close()
        self._members = []

    def _round(self) -> None:
        self._beat = time.monotonic()
        for call in self._intake.take():
            call()
        cameras = self._cameras()
        relieve(cameras, limit=self._settings.lag_seconds)
        self._turns.take(cameras)
        for camera in cameras:
            self._turns.run_silence(camera)
        for member in self._members:
            if member.camera.ended is not None and not member.over:
                self._end(member, member.camera.ended.reason)
        self._members = [member for member in self._members if not (member.over and member.leaving)]
        if self._outlets.deserted and not self._unattended:
            raise NoOutputLeftError

    def _cameras(self) -> list[LiveCamera]:
        return [member.camera for member in self._members if not member.over]

    def _camera(self, settings: CameraSettings, *, run: str) -> LiveCamera:
        stream = self._bundle.stream(
            on_step=partial(self._outlets.step, settings.name),
            chunk_frames=self._settings.chunk_frames,
            hop_steps=self._settings.hop_steps,
            settings=settings.streaming,
        )
        numbering = Numbering(site=self._site, camera=settings.name, run=run)
        stall_seconds = None if settings.paced else settings.capture.stall_seconds
        return LiveCamera(settings.name, stream, numbering, self._outlets, stall_seconds=stall_seconds)

    def _join(self, member: Member) -> None:
        self._members = [*self._members, member]
        self._outlets.begin(member.settings.name, None)
        self._connect(member)

    def _connect(self, member: Member) -> None:
        member.begin(
            self._capture,
            self._intake,
            self._take,
            size=self._size,
            pictures=self._outlets.wants_pictures,
            packets=self._outlets.wants_packets,
        )

    def _connect_again(self, member: Member) -> None:
        if not member.over:
            member.disconnect()
            self._connect(member)

    def _take(self, member: Member, number: int, item: CaptureItem | Cut) -> None:
        if not member.is_current(number):
            return
        if isinstance(item, CapturedPicture):
            self._outlets.picture(member.settings.name, item.frame)
        elif isinstance(item, CapturedPacket):
            self._outlets.packet(member.settings.name, item)
        else:
            member.camera.take(item)

    def _for_each(self, name: str, change: Callable[[Member], None]) -> None:
        for member in self._members:
            if member.settings.name == name and not member.leaving:
                change(member)

    def _end(self, member: Member, reason: str) -> None:
        """Its source has ended. reason: of a fault."""
        member.end_capture()
        if reason:
            self.faults.append((member.settings.name, reason))
        self._over(member, reason)
        member.camera.close()

    def _over(self, member: Member, reason: str) -> None:
        """Its stream has ended: everything of it was reported."""
        member.over = True
        self._outlets.end(member.settings.name, Ending(member.camera.seconds, reason))

    def _settle(self, reason: str) -> None:
        """The end of `run`: report what is under way in every camera."""
        self._stopping = True
        running = [member for member in self._members if not member.over]
        settle_all(running, self._turns)
        for member in running:
            self._over(member, reason)

    def _require(self, name: str) -> None:
        if name not in self._present:
            there = ", ".join(sorted(self._present)) or "none"
            raise SettingsError(f"no camera is called {name}; there are {there}")

    def _stop(self) -> None:
        self._stopping = True

    def _succeeded(self) -> None:
        self._failing_since = None

    def _failed(self, camera: LiveCamera, error: Exception) -> None:
        """One camera's failure ends its segment; where nothing works any more, the whole program has to begin again."""
        now = time.monotonic()
        self._failing_since = now if self._failing_since is None else self._failing_since
        if self._on_failure is not None:
            self._on_failure(camera.name, error)
        if now - self._failing_since > _FAILING_SECONDS and not self._stopping:
            raise BackendError(f"the networks have failed for {_FAILING_SECONDS:.0f} s: {error}") from error
