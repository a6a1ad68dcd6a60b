"""The root of every error that macromicro raises on purpose.

A message names what is wrong, where, what was expected and what to do; the command line shows it as it
stands. Errors that belong to the study, the lake or a dump live in `assets/errors.py`.
"""


class MacromicroError(Exception):
    """Anything that macromicro refuses, with a message written for the person who reads it."""


class CohortError(MacromicroError):
    """A moments frame lacks a column, or holds one of the wrong shape."""


class ModelError(MacromicroError):
    """A model cannot be fitted, stored or loaded as asked."""


class RegistryError(MacromicroError):
    """The MLflow registry lacks the model, version or alias that was asked for."""


class LeakageError(MacromicroError):
    """An evaluation would let a prediction see something from after its own time."""
