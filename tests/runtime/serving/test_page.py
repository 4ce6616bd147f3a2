"""The page in a real browser: what it shows, when, and at which widths."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from clips import pictures, write_clip
from external import require_program
from served_page import STEP_SECONDS, TOKEN, Served, event, frame, notice, saving_clips, served, status
from waiting import wait_for

from cmsn_runtime.clips.saving import clip_stem
from cmsn_runtime.events import StagePreview
from cmsn_runtime.live.status import CameraStatus

CHROMIUM, DRIVER = "chromium", "chromedriver"
DESKTOP, PHONE = (1400, 900), (390, 844)


@dataclass
class Browser:
    """Chromium, driven by Selenium."""

    driver: Any

    def open(self, url: str, size: tuple[int, int] = DESKTOP) -> None:
        width, height = size
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        self.driver.get(url)

    def run(self, script: str) -> Any:
        return self.driver.execute_script(f"return {script}")

    def text(self, selector: str) -> list[str]:
        return list(self.run(f"Array.from(document.querySelectorAll({selector!r})).map(e => e.innerText.trim())"))

    def wait_for(self, script: str, seconds: float = 20) -> None:
        wait_for(lambda: bool(self.run(script)), seconds=seconds)

    def faults(self) -> list[str]:
        """What the browser complains about: errors of scripts, and what the policy forbids."""
        return [line["message"] for line in self.driver.get_log("browser") if line["level"] == "SEVERE"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    require_program(CHROMIUM, DRIVER)
    if os.environ.get("CMSN_REQUIRE_LIVE") != "1":
        pytest.importorskip("selenium", reason="needs selenium")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = f"/usr/bin/{CHROMIUM}"
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(f"/usr/bin/{DRIVER}"))
    yield Browser(driver)
    driver.quit()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """The browser without what another test left in it."""
    chromium.driver.get_log("browser")
    yield chromium
    chromium.driver.get("about:blank")
    chromium.driver.delete_all_cookies()


@contextmanager
def shown(
    browser: Browser, *cameras: CameraStatus, size: tuple[int, int] = DESKTOP, **options: Any
) -> Iterator[Served]:
    """A served page that the browser shows."""
    with served(*cameras, **options) as page:
        browser.open(page.url, size)
        if cameras:
            browser.wait_for(f"document.querySelectorAll('.camera').length === {len(cameras)}")
        yield page
        browser.driver.get("about:blank")


def test_an_event_is_on_the_page_within_a_second(browser: Browser) -> None:
    with shown(browser, status()) as page:
        delays = []
        for action in range(1, 6):
            begin = time.monotonic()
            page.sink.event("door", event("provisional", action=action))
            browser.wait_for(f"document.querySelectorAll('.event').length === {action}", seconds=5)
            delays.append(time.monotonic() - begin)
    assert max(delays) < 1, delays
    assert browser.faults() == []


def test_a_report_changes_its_row_from_provisional_to_final(browser: Browser) -> None:
    with shown(browser, status()) as page:
        page.sink.event("door", event("provisional", score=0.4))
        browser.wait_for("document.querySelector('.event[data-kind=provisional]')")
        assert browser.run("document.querySelector('.camera').hasAttribute('data-acting')")
        assert browser.text(".alert") == ["Action · 40 %"]
        page.sink.event("door", event("final", score=0.9))
        browser.wait_for("document.querySelector('.event[data-kind=final]')")
        assert browser.text(".event .score") == ["90 %"] and len(browser.text(".event")) == 1
        assert not browser.run("document.querySelector('.camera').hasAttribute('data-acting')")
    assert browser.faults() == []


def test_the_state_of_a_camera_is_shown_as_it_changes(browser: Browser) -> None:
    with shown(browser, status()) as page:
        page.sink.picture("door", frame())
        browser.wait_for("document.querySelector('.picture[data-shown]')")
        assert "25.0 fps" in browser.text(".health dd")
        page.fleet.cameras = [status(state="lost", reason="no frame for 5 s", since=time.time(), losses=1)]
        browser.wait_for("document.querySelector('.camera').dataset.state === 'lost'")
        page.sink.event("door", notice("source_lost", "no frame for 5 s"))
        browser.wait_for("document.querySelector('.event[data-kind=source_lost]')")
        assert browser.text(".cover-title") == ["Connection lost"]
        assert "no frame for 5 s" in browser.text(".cover-text")[0]
        assert browser.text("#summary") == ["1 camera · 1 lost"]
        assert browser.text("#networks") == ["Networks: one (auto)"]
        page.fleet.cameras = []
        browser.wait_for("document.querySelectorAll('.camera').length === 0")
        assert browser.run("getComputedStyle(document.getElementById('no-cameras')).display") == "block"
    assert browser.faults() == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_a_screenshot_shows_pictures_stages_and_proposals(
    browser: Browser, size: tuple[int, int], tmp_path: Path
) -> None:
    with shown(browser, status("door"), status("hall"), size=size) as page:
        for name in ("door", "hall"):
            page.sink.picture(name, frame())
            stages = np.repeat([0, 1, 2, 3, 4, 5], 8).astype(np.uint8)
            page.sink.preview(name, StagePreview(60 - len(stages) * STEP_SECONDS, stages))
            page.sink.event(name, event(camera=name, start=52, end=57))
        browser.wait_for("document.querySelectorAll('.picture[data-shown]').length >= 1")
        time.sleep(0.3)  # a drawing of the timelines
        assert browser.run("document.documentElement.scrollWidth") <= size[0]  # nothing is cut off at the side
        pixels = screenshot(browser, tmp_path / "page.png")
        assert browser.text(".stage")[0] == "Follow"
        labels = browser.run("document.querySelector('canvas').getAttribute('aria-label')")
    assert pixels.shape[1] == size[0] and pixels.std() > 20
    for colour in ("#56b4e9", "#e69f00", "#d55e00", "#cc79a7", "#009e73", "#1f6feb"):
        assert count_of(pixels, colour) > 100, colour
    assert (np.abs(pixels.astype(int) - (200, 0, 0)).max(axis=2) < 40).sum() > 5000  # the picture's left half
    assert "Stage: Follow. Actions: 1." in labels
    assert browser.faults() == []


def test_the_clip_of_a_final_plays_on_a_click(browser: Browser, tmp_path: Path) -> None:
    with shown(browser, status(), outputs=saving_clips(tmp_path)) as page:
        page.sink.event("door", event(begin=time.time() - 59))
        browser.wait_for("document.querySelector('.event')")
        assert browser.run("document.querySelector('.play').hidden")
        write_clip(tmp_path / f"{clip_stem('lab/door/R/1/1/1')}.clip.mp4", pictures(50))  # a moment later
        browser.wait_for("document.querySelector('.play:not([hidden])')")
        browser.driver.find_element("css selector", ".play").click()
        browser.wait_for("document.getElementById('player-video').currentTime > 0.3")
        assert browser.run("document.getElementById('player-title').textContent") == "door"
        browser.driver.switch_to.active_element.send_keys("\ue00c")  # Escape
        browser.wait_for("!document.getElementById('player').open")
    assert browser.faults() == []


def test_the_token_is_asked_for_once_and_the_page_goes_on_after_a_reload(browser: Browser) -> None:
    with served(status(), token=TOKEN) as page:
        browser.open(page.url)
        field = browser.driver.find_element("id", "token")
        field.send_keys("wrong")
        field.submit()
        browser.wait_for("location.search === '?wrong' && !document.getElementById('wrong').hidden")
        field = browser.driver.find_element("id", "token")
        field.send_keys(TOKEN)
        field.submit()
        browser.wait_for("document.querySelectorAll('.camera').length === 1")
        browser.driver.refresh()
        browser.wait_for("document.querySelectorAll('.camera').length === 1")
        assert TOKEN not in browser.driver.page_source and browser.run("document.cookie") == ""
        browser.driver.find_element("css selector", "#logout button").click()
        browser.wait_for("document.getElementById('token')")
        browser.driver.get("about:blank")


def test_a_link_with_the_token_in_its_fragment_opens_the_page_and_leaves_no_trace(browser: Browser) -> None:
    with served(status(), token=TOKEN) as page:
        browser.open(f"{page.url}#token={TOKEN}")
        browser.wait_for("document.querySelectorAll('.camera').length === 1")
        assert browser.run("location.href") == page.url
        browser.driver.get("about:blank")


def test_a_server_that_is_gone_is_noticed_and_its_return_too(browser: Browser) -> None:
    with shown(browser, status()) as page:
        port = page.port
        page.sink.event("door", event())
        browser.wait_for("document.querySelector('.event')")
        browser.wait_for("document.getElementById('link').dataset.state === 'live'")
        page.web.close()
        browser.wait_for("document.getElementById('link').dataset.state === 'away'")
        assert browser.text("#link") == ["Reconnecting"]
        with served(status(), status("hall"), port=port) as again:
            browser.wait_for("document.getElementById('link').dataset.state === 'live'")
            browser.wait_for("document.querySelectorAll('.camera').length === 2")
            again.sink.event("hall", event(camera="hall"))
            browser.wait_for("document.querySelector('.event[data-kind=final]')")
            assert browser.text(".event .what") == ["hall"]  # what the server before has shown is gone
            browser.driver.get("about:blank")


def test_names_are_shown_as_text_whatever_they_hold(browser: Browser) -> None:
    name = "<img src=x onerror=alert(1)> & ümlaut/1"
    with shown(browser, status(name)) as page:
        page.sink.picture(name, frame())
        page.sink.event(name, event(camera=name))
        browser.wait_for("document.querySelector('.picture[data-shown]') && document.querySelector('.event')")
        assert browser.text(".camera .name") == browser.text(".event .what") == [name]
    assert browser.faults() == []


def screenshot(browser: Browser, path: Path) -> np.ndarray[Any, Any]:
    """Uint8 [height, width, 3] of what is seen."""
    browser.driver.save_screenshot(str(path))
    with av.open(str(path)) as container:
        [picture] = container.decode(video=0)
        return picture.to_ndarray(format="rgb24")


def count_of(pixels: np.ndarray[Any, Any], colour: str) -> int:
    """How many pixels have a colour such as #56b4e9."""
    wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return int((np.abs(pixels.astype(int) - wanted).max(axis=2) <= 3).sum())
