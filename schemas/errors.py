"""Named errors: one line with the cause, the command that helps, and the exit code.

Only conditions a person can act on live here. What befalls a single photo is a row in `failures`, not an
error.
"""

from __future__ import annotations

OK, FAILED, USAGE, SOME_PHOTOS_FAILED, LOCKED, INTERRUPTED = 0, 1, 2, 3, 11, 130


class MyvlmTagError(Exception):
    """A problem told in one line: `cause`, and in `hint` what to do next (a command where there is one)."""

    exit_code = FAILED

    def __init__(self, cause: str, hint: str = "") -> None:
        """Keep both halves; line breaks are flattened so that the message stays one line."""
        super().__init__(cause, hint)
        self.cause = " ".join(cause.split())
        self.hint = " ".join(hint.split())

    def __str__(self) -> str:
        """`cause; hint`."""
        return f"{self.cause}; {self.hint}" if self.hint else self.cause


class UsageProblem(MyvlmTagError):
    """The command line, the environment or config.toml asks for something that can't be."""

    exit_code = USAGE


class AlreadyRunning(MyvlmTagError):
    """Another run holds the lock of this home."""

    exit_code = LOCKED


class HomeUnusable(MyvlmTagError):
    """The home folder, or a place named for results, can't be made, read or written."""


class DiskFull(MyvlmTagError):
    """No room left where the catalog lives; nothing half-written was committed."""


class LibraryMissing(MyvlmTagError):
    """A library root isn't there, or holds none of the photos it held before (an unmounted disk)."""


class NotVisible(MyvlmTagError):
    """A worker node can't see the photos, the models or the catalog; names the node and the folder."""


class ModelMissing(MyvlmTagError):
    """A model pack or one of its files isn't on disk; the hint names `models pull`."""


class ModelDamaged(MyvlmTagError):
    """A model file is there but isn't what its pack says, or its library can't load it."""


class PhotosUnusable(MyvlmTagError):
    """The photos given don't teach a concept: unreadable, no face, two people equally often."""


class NotLearnt(MyvlmTagError):
    """A model's numbers ran out of what its precision can hold, so that nothing was learnt with it."""


class ConceptMissing(MyvlmTagError):
    """There is no concept of that name."""

    exit_code = USAGE


class ConceptDamaged(MyvlmTagError):
    """A concept's folder doesn't hold what it should."""


class ConceptOutdated(MyvlmTagError):
    """A concept was learnt with other models than those in use; the hint names `concepts retrain`."""


class ChainBroken(MyvlmTagError):
    """Stages that don't fit together; the cause lists every problem at once."""


class CatalogDamaged(MyvlmTagError):
    """A committed segment can't be read."""


class SqlRefused(MyvlmTagError):
    """A query that isn't valid, or that asks for more than reading the catalog."""

    exit_code = USAGE


class ClusterUnreachable(MyvlmTagError):
    """Ray could not be started or joined at the address given."""


class Interrupted(MyvlmTagError):
    """Ctrl-C or SIGTERM; everything finished so far is kept."""

    exit_code = INTERRUPTED
