"""The root of the error tree. Each layer adds its own classes in its own `errors` module.

The three kinds tell the caller what may be done next:

- `InputError`: the user's data or manifest is at fault. Never retried; goes into the receipt.
- `TransientError`: a server did not answer. The same work may be tried again, unchanged.
- `OperatorError`: the platform is set up wrongly, or a promise is broken. A person acts.

Anything else that escapes is a bug, treated as an operator's error: it never blames the user.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict


class Problem(BaseModel):
    """One thing that is wrong: where it is, what it is, and what cures it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    where: str
    """The place: a manifest field path (`files[0].crs`), a file, a row, a column."""
    what: str
    """What is wrong there, in one sentence."""
    cure: str = ""
    """What the reader can do about it; empty only when `what` already says so."""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f" Cure: {self.cure}" if self.cure else "")


class SpatialEtlError(Exception):
    """Every error that the platform raises on purpose."""


class InputError(SpatialEtlError):
    """What the user handed in cannot be used; carries every problem found, not only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        if not problems:
            raise ValueError("an InputError names at least one problem")
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))

    @classmethod
    def of(cls, where: str, what: str, cure: str) -> InputError:
        """An error with a single problem."""
        return cls([Problem(where=where, what=what, cure=cure)])


class TransientError(SpatialEtlError):
    """A server or the machine was not able to answer now; trying again later is right."""


class OperatorError(SpatialEtlError):
    """The platform itself needs a person: settings, rights, a broken promise of a store."""


class ConfigError(OperatorError):
    """A setting is missing or wrong. The message is one sentence that names the variable."""
