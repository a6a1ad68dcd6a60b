"""Errors of the study's settings, its lake and its dumps. The root is `models.errors.MacromicroError`."""

from models.errors import MacromicroError


class StudyError(MacromicroError):
    """`study.toml` is missing, malformed or contradicts itself."""


class LakeError(MacromicroError):
    """A part of the lake cannot be written or read, or does not fit its declared table."""


class DumpError(MacromicroError):
    """A dump cannot be read; its message becomes the catalogue's reason, written for a coordinator."""


class ReadingError(MacromicroError):
    """No process for reading can be started here; that says nothing of any dump."""


class InboxError(MacromicroError):
    """The inbox looks as if its disk were missing; nothing is withdrawn on such evidence."""


class FeatureError(MacromicroError):
    """A feature was asked for that the catalogue does not hold."""
