"""Runs as processes of their own, and how they are ended: politely by none of these."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from typing import Any

import psutil

from .conftest import command


def start_run(environment: Mapping[str, str], *arguments: Any) -> subprocess.Popen[str]:
    """Start `myvlm-tag run` as its own process group."""
    return subprocess.Popen(
        command("run", *arguments),
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """All processes below one; none if it is gone."""
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kill(process: subprocess.Popen[str], victim: str) -> None:
    """kill -9 the driver, one Ray worker that holds models, or everything ("group")."""
    everyone = descendants(process)
    workers = [one for one in everyone if "MapWorker" in " ".join(_words(one))]
    if victim == "worker":
        for worker in workers[:1]:
            worker.kill()
        return
    process.kill()
    for one in everyone if victim == "group" else []:
        if one.is_running():
            one.kill()


def wait_for_end(processes: list[psutil.Process]) -> None:
    """Ray's processes end with their driver; its agents take their time, which the test has not."""
    _, alive = psutil.wait_procs(processes, timeout=2)
    for one in alive:
        if one.is_running():
            one.kill()


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
