"""Ray: starting or joining it quietly and privately, what it has to offer, and what ended a worker.

Which stages run where is `stream.py`.
"""

from __future__ import annotations

import io
import logging
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from ..schemas.errors import ClusterUnreachable, MyvlmTagError
from ..schemas.private import keep_private
from ..schemas.settings import Settings

_OBJECT_STORE = 512 << 20  # bytes; without a GPU pictures stay inside their worker, and little passes through

#: Ray's own chatter; what matters of it comes back as named errors.
_HUSH = {"RAY_BACKEND_LOG_LEVEL": "fatal", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}


@dataclass(frozen=True)
class Resources:
    """What the whole cluster has for workers."""

    cpus: int
    gpus: float
    memory: int = 0  # bytes of this machine's; 0 where workers may be anywhere


@contextmanager
def ray_session(settings: Settings) -> Iterator[Resources]:
    """Start Ray on this machine, or join the cluster at `settings.address`; leave it at the end.

    Raises ClusterUnreachable.
    """
    keep_private()
    if not settings.verbose:
        os.environ.update(_HUSH)
    if not settings.address:  # a token of this run's own; else Ray would leave one in the user's home folder
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    import ray

    try:
        on_sigterm = signal.getsignal(signal.SIGTERM)
        with nullcontext() if settings.verbose else _stderr_closed():
            _start(settings)
        signal.signal(signal.SIGTERM, on_sigterm)  # Ray puts its own, which would end us without a commit
    except Exception as error:  # Ray raises its own kinds, and where a node is slow a bare one
        where = f"the Ray cluster at {settings.address!r}" if settings.address else "Ray on this machine"
        hint = (
            "if it asks for a token, set RAY_AUTH_MODE=token; or leave out --address to run on this machine"
        )
        hint = hint if settings.address else "see: myvlm-tag doctor"
        raise ClusterUnreachable(f"can't reach {where}: {str(error).splitlines()[0]}", hint) from error
    try:
        _configure_data(settings)
        total = ray.cluster_resources()
        # Ray reports dead workers on stdout, where results belong.
        with redirect_stdout(sys.stderr) if settings.verbose else redirect_stdout(io.StringIO()):
            memory = 0 if settings.address else int(total.get("memory", 0))
            yield Resources(max(1, int(total.get("CPU", 1))), float(total.get("GPU", 0)), memory)
    finally:
        ray.shutdown()


def _start(settings: Settings) -> None:
    """Give a busy machine a second chance: Ray waits half a minute for its parts, and not longer."""
    import ray

    try:
        ray.init(**_init_arguments(settings))
    except Exception as error:
        if settings.address or "timed out" not in str(error):
            raise
        ray.shutdown()
        ray.init(**_init_arguments(settings))


@contextmanager
def _stderr_closed() -> Iterator[None]:
    """Keep what Ray's C++ side says while it starts from the terminal."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _init_arguments(settings: Settings) -> dict[str, object]:
    quiet = {
        "log_to_driver": settings.verbose,
        "logging_level": logging.INFO if settings.verbose else logging.CRITICAL,
    }
    if settings.address:
        return {"address": settings.address, **quiet}
    return {
        "address": "local",
        "num_cpus": settings.workers or os.cpu_count(),
        "include_dashboard": False,
        "object_store_memory": None if gpu_seen() else _OBJECT_STORE,
        "_temp_dir": _private_folder(),
        **quiet,
    }


def gpu_seen() -> bool:
    """Say whether this machine's driver shows an NVIDIA GPU; torch would take seconds to ask."""
    return Path("/proc/driver/nvidia/gpus").is_dir()


def _private_folder() -> str:
    """Return Ray's folder for sockets and logs (these name photos), closed to other users.

    Not inside the home: paths of sockets may have no more than about a hundred characters.
    """
    folder = Path(tempfile.gettempdir()) / f"myvlm-tag-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o077:
        return tempfile.mkdtemp(prefix="myvlm-tag-")
    return str(folder)


def _configure_data(settings: Settings) -> None:
    from ray.data import DataContext

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.max_errored_blocks = (
        -1
    )  # what a dying worker takes with it is found missing and done again, alone
    context.actor_task_retry_on_errors = False
    if not settings.verbose:
        logging.getLogger("ray").setLevel(logging.CRITICAL)
        logging.getLogger("ray.data").setLevel(logging.CRITICAL)


def named_cause(error: BaseException) -> MyvlmTagError | None:
    """Find the named error inside what Ray wraps around it, if there is one."""
    seen: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue:
        current = queue.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, MyvlmTagError):
            return current
        queue += [current.__cause__, current.__context__, getattr(current, "cause", None)]
    return None
