"""Every error the project raises on purpose, in one tree.

    CmsnError
    ├── SettingsError     a value given by the caller is not allowed (also a ValueError)
    ├── SourceError       a video or camera cannot be opened, or has no frames
    │   ├── DecodeError   it opened, but broke later; `seconds` is how far it got
    │   └── UnusableSourceError  opening it again can never help
    ├── AnnotationError   nothing in a file of annotations, results or events can be used
    ├── BundleError       a bundle is damaged, unknown or not a bundle
    ├── OutputError       a file cannot be written
    │   └── NoOutputLeftError  every output has failed, or lost its reader: continuing is pointless
    ├── BackendError      the inference library refused the model, or lost it while running
    └── MissingExtraError an optional library is not installed (also an ImportError)

Three are warnings: a BackendWarning reports that the fastest backend is not used, and why; a SourceWarning what a user
should know about how a source is read; an AnnotationWarning what was ignored in a file of annotations.

Messages say what came, what is allowed, and what to do next. The command line prints them as one
line on stderr; nothing here is ever shown as a traceback.
"""

from __future__ import annotations

from fractions import Fraction


class CmsnError(Exception):
    """Base of all errors raised on purpose."""


class SettingsError(CmsnError, ValueError):
    """A value given by the caller is not allowed."""


class SourceError(CmsnError):
    """A video or camera cannot be opened, or has no frames."""


class DecodeError(SourceError):
    """A source opened, but broke later; `seconds` is the time of the last valid frame."""

    def __init__(self, message: str, *, seconds: Fraction | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class UnusableSourceError(SourceError):
    """A source that can never be opened, such as one of an unknown protocol."""


class AnnotationError(CmsnError):
    """Nothing in a file of annotations, results or events can be used."""


class OutputError(CmsnError):
    """A file, a pipe or standard output cannot be written."""


class NoOutputLeftError(OutputError):
    """Every output has failed, or lost its reader: continuing is pointless."""

    def __init__(self) -> None:
        super().__init__("no output is left: each has failed or lost its reader")


class BundleError(CmsnError):
    """A bundle is damaged, of an unknown format, or not a bundle at all."""


class BackendError(CmsnError):
    """The inference library refused the model, or failed while running it."""


class MissingExtraError(CmsnError, ImportError):
    """An optional library is not installed."""

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {library}, which is not installed: pip install 'cmsn[{extra}]'")


class BackendWarning(UserWarning):
    """A faster backend is installed but cannot be used; another one is used instead."""


class SourceWarning(UserWarning):
    """A source is read in a way its user should know about: at an assumed frame rate, or without some of its files."""


class AnnotationWarning(UserWarning):
    """Something in a file of annotations was ignored or changed."""
