"""What the documents say exists, and what exists is documented."""

from __future__ import annotations

import re

import pytest
import typer
import yaml
from myvlm_tag.cli import app

from .conftest import ROOT

README = (ROOT / "README.md").read_text("utf-8") if (ROOT / "README.md").exists() else ""
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def commands() -> list[str]:
    group = typer.main.get_command(app)
    names = []
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        names += [f"{name} {inner}" for inner in command.commands] if hasattr(command, "commands") else [name]
    return names


@pytest.mark.skipif(not README, reason="the README isn't written yet")
@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_the_readme(command: str) -> None:
    """Named with its group, as `models list|pull`, or alone."""
    for word in command.split():
        assert re.search(rf"\b{word}\b", README), command


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make (\w+)", CONTRIBUTING + README, re.MULTILINE))
    assert {"test", "check", "demo", "bench"} <= named <= targets


def test_every_file_in_the_annotated_tree_exists() -> None:
    tree = CONTRIBUTING.split("```")[3]
    room, listed = "", set()
    for line in tree.splitlines():
        if line and not line.startswith(" "):
            room = line.split()[0] if line.split()[0].endswith("/") else ""
        for name in re.findall(r"[\w./]+\.py", line.replace("views.sql/.py", "views.py")):
            listed.add(room + name)
    assert [name for name in sorted(listed) if not (ROOT / name).exists()] == []


def test_ci_runs_what_the_readme_says() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text("utf-8")


def test_ray_up_accepts_the_cluster_file() -> None:
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load((ROOT / "ray_cluster.yaml").read_text("utf-8"))
    validate_config(prepare_config(config))
    assert {"head", "cpu_worker", "gpu_worker"} <= set(config["available_node_types"])
    assert config["available_node_types"]["gpu_worker"]["resources"]["GPU"] == 1
