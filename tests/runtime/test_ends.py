"""However a run ends, what was found is kept, there is one line on stderr, and a status that schedulers understand."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command_line import ACTION, FPS, cmsn, finals, shell, start

pytestmark = pytest.mark.usefixtures("signals_as_at_a_terminal")

SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
LENGTH = 30 * len(ACTION) / float(FPS)


@pytest.mark.parametrize(("number", "status"), SIGNALS.items(), ids=lambda value: getattr(value, "name", value))
def test_a_signal_keeps_what_was_found(
    long_video: Path, tiny_bundle: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    results = tmp_path / "results.json"
    process = start("run", long_video, "--bundle", tiny_bundle, "--results", results)
    process.send_signal(number)
    lines, errors = process.communicate(timeout=60)
    (line,) = errors.splitlines()
    assert process.returncode == status
    assert f"stopped by {number.name} at " in line and "long.mp4" in line and "kept" in line
    last = json.loads(lines.splitlines()[-1])
    assert last["kind"] == "final"
    assert 0 < last["at"] < LENGTH - 1
    written = json.loads(results.read_text())
    assert len(written["results"]["long"]) == len(finals(lines))
    incomplete = written["external_data"]["incomplete"]["long"]
    assert incomplete["reason"] == f"stopped by {number.name}"
    assert 0 < incomplete["seconds"] < LENGTH - 1


def test_a_signal_that_comes_twice_at_once_is_one_request(long_video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    """As `timeout` sends it, and a terminal that closes."""
    results = tmp_path / "results.json"
    process = start("run", long_video, "--bundle", tiny_bundle, "--results", results)
    for _ in range(3):
        process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, len(errors.splitlines())) == (143, 1)
    assert json.loads(results.read_text())["results"]["long"]


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom cmsn_runtime.stopping import stoppable\n"
        "def work():\n"
        "    try:\n        print('ready', flush=True); time.sleep(60)\n"
        "    finally:\n        print('settling', flush=True); time.sleep(60)\n"
        "sys.exit(stoppable(work))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for word in ("ready", "settling"):
        assert process.stdout.readline().strip() == word
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == -signal.SIGTERM
    process.stdout.close()


def test_ctrl_c_works_where_it_was_ignored_at_the_start(long_video: Path, tiny_bundle: Path) -> None:
    """In the background of a shell."""
    process = start(
        "run", long_video, "--bundle", tiny_bundle, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)
    )
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_a_run_under_nohup_ignores_sighup(video: Path, tiny_bundle: Path) -> None:
    process = start(
        "run", video, "--bundle", tiny_bundle, preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    process.send_signal(signal.SIGHUP)
    lines, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert finals(lines)


def test_sources_after_a_signal_are_not_opened(
    long_video: Path, video: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results.json"
    process = start("run", long_video, video, "--bundle", tiny_bundle, "--results", results)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert list(json.loads(results.read_text())["results"]) == ["long"]


@pytest.mark.parametrize("seconds", [0.1, 0.2, 0.3, 0.4, 0.6, 0.8])
def test_ctrl_c_at_the_start_is_one_line(video: Path, tiny_bundle: Path, seconds: float) -> None:
    """While NumPy, ONNX Runtime and FFmpeg are imported, which turn it into errors of their own."""
    code = "from cmsn_runtime.__main__ import main; print('up', flush=True); main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "run", str(video), "--bundle", str(tiny_bundle), "--quiet"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    # 0: all was done, and the interpreter was shutting down.
    assert process.returncode in (130, 0)
    assert len(errors.splitlines()) == (process.returncode == 130), errors


def test_a_signal_during_the_first_imports_is_reported_without_importing_anything() -> None:
    """Libraries whose import was interrupted write lines of their own when they are imported again."""
    code = (
        "import os, signal, sys\nfrom cmsn_runtime.stopping import stoppable\n"
        "def work():\n    sys.modules['decimal'] = None\n    os.kill(os.getpid(), signal.SIGINT)\n    return 0\n"
        "sys.exit(stoppable(work))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (130, "cmsn: warning: stopped by SIGINT\n")


@pytest.mark.parametrize("error", ["ImportError('numpy')", "SystemError()", "Stopped(2)", "KeyError()"])
def test_an_error_that_a_signal_caused_exits_with_the_status_of_the_signal(error: str) -> None:
    code = (
        "import os, signal, sys\nfrom cmsn_runtime.stopping import Stopped, stoppable\n"
        "def work():\n"
        "    try:\n        os.kill(os.getpid(), signal.SIGHUP)\n"
        f"    except Stopped:\n        raise {error}\n"
        "sys.exit(stoppable(work))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == (130 if "Stopped" in error else 129)
    assert len(done.stderr.splitlines()) == 1


def test_a_reader_that_leaves_ends_only_its_own_output(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    results = tmp_path / "results.json"
    process = start("run", video, "--bundle", tiny_bundle, "--results", results)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(timeout=60) == 0
    written = json.loads(results.read_text())
    assert written["results"]["action"] and written["external_data"] == {}


def test_a_reader_that_leaves_ends_a_run_without_another_output(long_video: Path, tiny_bundle: Path) -> None:
    """As SIGPIPE ends other programs."""
    process = start("run", long_video, "--bundle", tiny_bundle)
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr is not None and process.stderr.read() == ""
    process.stderr.close()


@pytest.mark.parametrize("output", ["--json", "--csv"])
def test_a_full_disk_costs_only_the_output_on_it(video: Path, tiny_bundle: Path, tmp_path: Path, output: str) -> None:
    results = tmp_path / "results.json"
    done = cmsn("run", video, "--bundle", tiny_bundle, output, "/dev/full", "--results", results, "--quiet")
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert "/dev/full" in line and "No space left" in line
    assert json.loads(results.read_text())["results"]["action"]


def test_a_disk_that_fills_up_is_one_line_and_ends_a_run_without_another_output(
    long_video: Path, tiny_bundle: Path
) -> None:
    done = shell('cmsn run "$video" --bundle "$bundle" --json /dev/full', video=long_video, bundle=tiny_bundle)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and "No space left" in line


@pytest.mark.parametrize("words", ["inspect $bundle", "inspect $bundle --json", "--help", "run --help"])
def test_standard_output_on_a_full_disk_is_one_line(tiny_bundle: Path, words: str) -> None:
    done = shell(f"cmsn {words} > /dev/full", bundle=tiny_bundle)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1
    assert line.startswith("cmsn: error: ") and "No space left" in line


def test_a_reader_of_a_listing_that_leaves_is_no_complaint(tiny_bundle: Path) -> None:
    done = shell('cmsn inspect "$bundle" | exit; echo "${PIPESTATUS[0]}"', bundle=tiny_bundle)
    assert done.stderr == ""


def test_a_closed_standard_error_does_not_end_a_run(video: Path, tiny_bundle: Path, tmp_path: Path) -> None:
    done = shell('cmsn run missing.mp4 "$video" --bundle "$bundle" 2>&-', video=video, bundle=tiny_bundle)
    assert done.returncode == 1
    assert finals(done.stdout)


def test_an_unexpected_error_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from cmsn_runtime import cli

    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError("division by\x1b[31m zero\n")

    monkeypatch.setattr(cli.cmsn, "main", fail)
    assert cli.run_command_line(["inspect"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "ZeroDivisionError: division by\\x1b[31m zero" in line and "CMSN_TRACEBACK=1" in line
    monkeypatch.setenv("CMSN_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        cli.run_command_line(["inspect"])


def test_wrong_usage_cannot_steer_a_terminal() -> None:
    done = shell("cmsn run $'--\\e[31mred'")
    assert done.returncode == 2
    assert "\x1b" not in done.stderr and "\\x1b[31mred" in done.stderr


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp437"])
def test_a_terminal_without_utf_8_gets_a_table(video: Path, tiny_bundle: Path, tmp_path: Path, encoding: str) -> None:
    truth = tmp_path / "truth.json"
    truth.write_text('{"database": {"action": {"annotations": [{"segment": [6.5, 7], "label": "x"}]}}}')
    script = (
        f"script -qec \"env PYTHONIOENCODING={encoding} '{sys.executable}' -m cmsn_runtime run '{video}' "
        f"--bundle '{tiny_bundle}' --truth '{truth}'\" /dev/null"
    )
    done = subprocess.run(
        ["bash", "-c", script], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120, env=os.environ
    )
    assert done.returncode == 0, done.stdout
    assert b"Traceback" not in done.stdout and b"best tIoU" in done.stdout
