"""A capture process for all that FFmpeg opens: `python -m cmsn_runtime.capture.child DESCRIPTOR`."""

from __future__ import annotations

from cmsn_runtime.capture import process_setup
from cmsn_runtime.capture.protocol import Writer


def main() -> None:
    """Send messages until the source ends or fails; see process_setup for the descriptor."""
    found, file = process_setup.begin()
    writer = Writer(file)
    try:
        writer.ended(*_filmed(found, writer))
    except BrokenPipeError:  # nobody reads any more
        return


def _filmed(found: dict[str, object], writer: Writer) -> tuple[str, bool]:
    """Why it ended, and whether opening it again cannot help. Raises BrokenPipeError without a reader."""
    import warnings

    from cmsn_runtime.capture.filming import film
    from cmsn_runtime.capture.task import Task
    from cmsn_runtime.errors import CmsnError, SettingsError, SourceWarning, UnusableSourceError

    warnings.showwarning = lambda message, *_, **__: writer.warned(str(message))
    warnings.simplefilter("ignore")
    warnings.simplefilter("once", SourceWarning)
    warnings.filterwarnings("ignore", message=".*nothing came for")  # a silence, which the parent reports itself
    try:
        return "", film(Task.from_json(found), writer)
    except CmsnError as error:
        return str(error), isinstance(error, SettingsError | UnusableSourceError)
    except BrokenPipeError:
        raise
    except Exception as error:  # a plug-in's, for instance: it must be reported, whatever it is
        return f"{type(error).__name__}: {error}", False


if __name__ == "__main__":
    main()
