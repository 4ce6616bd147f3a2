"""Every error the project raises on purpose, in one tree.

    CmsnError
    ├── SettingsError     a value the caller gave is outside what is allowed (also a ValueError)
    ├── SourceError       a video or camera cannot be opened, or holds nothing to look at
    │   └── DecodeError   it opened, and broke on the way; `seconds` says how far it got
    ├── AnnotationError   nothing in a file of annotations, results or events can be used
    ├── BundleError       a bundle is damaged, unknown or not a bundle
    ├── OutputError       a file cannot be written
    │   └── NoOutputLeftError  every output has failed, or lost its reader: there is nothing to go on for
    ├── BackendError      the inference library refused the model, or lost it while running
    └── MissingExtraError an optional library is not installed (also an ImportError)

Three are no errors: a BackendWarning says that another backend than the fastest one took over, and why; a SourceWarning
what a user should know of how a source is read; an AnnotationWarning what was left out of a file of annotations.

Messages say what came, what is allowed, and what to do next. The command line prints them as one
line on stderr; nothing here is ever shown as a traceback.
"""

from __future__ import annotations

from fractions import Fraction


class CmsnError(Exception):
    """Base of all errors raised on purpose."""


class SettingsError(CmsnError, ValueError):
    """A value the caller gave is outside what is allowed."""


class SourceError(CmsnError):
    """A video or camera cannot be opened, or holds nothing to look at."""


class DecodeError(SourceError):
    """A source opened and broke on the way; `seconds` is the time of the last good frame."""

    def __init__(self, message: str, *, seconds: Fraction | None = None) -> None:
        super().__init__(message)
        self.seconds = seconds


class AnnotationError(CmsnError):
    """Nothing in a file of annotations, results or events can be used."""


class OutputError(CmsnError):
    """A file, a pipe or standard output cannot be written."""


class NoOutputLeftError(OutputError):
    """Every output has failed, or lost its reader: there is nothing to go on for."""

    def __init__(self) -> None:
        super().__init__("no output is left: each has failed or has no reader any more")


class BundleError(CmsnError):
    """A bundle is damaged, of an unknown format, or not a bundle at all."""


class BackendError(CmsnError):
    """The inference library refused the model, or failed while running it."""


class MissingExtraError(CmsnError, ImportError):
    """An optional library is not installed."""

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        super().__init__(f"{purpose} needs {library}, which is not installed: pip install 'cmsn[{extra}]'")


class BackendWarning(UserWarning):
    """A faster backend was there and could not be used; another one took over."""


class SourceWarning(UserWarning):
    """A source is read in a way its user should know of: at an assumed frame rate, or without some of its files."""


class AnnotationWarning(UserWarning):
    """Something in a file of annotations could not be taken as it stands."""
