"""What the documents say exists and works, and what exists is documented."""

from __future__ import annotations

import configparser
import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml
from myvlm_tag.cli import app
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.views import query
from myvlm_tag.stages.packs import PACKS, Pack

from .conftest import ROOT
from .pipeline.conftest import write_photos
from .pipeline.test_catalog import files

README = (ROOT / "README.md").read_text("utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks of the README that are marked so."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    return [text for marked, text in fenced if marked == language]


RECIPES = [recipe.strip() for block in blocks("sql") for recipe in block.split("\n\n")]
TYPED = [line for block in blocks("") for line in block.splitlines()]
CRONTAB = blocks("crontab")[0].strip()


def commands() -> list[str]:
    group = typer.main.get_command(app)
    names = []
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        names += [f"{name} {inner}" for inner in command.commands] if hasattr(command, "commands") else [name]
    return names


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_the_readme(command: str) -> None:
    """Named with its group, as `models list|pull`, or alone."""
    for word in command.split():
        assert re.search(rf"\b{word}\b", README), command


@pytest.mark.parametrize("line", [line for line in TYPED if line.startswith("myvlm-tag")])
def test_every_command_line_of_the_readme_is_one(line: str) -> None:
    command, words = typer.main.get_command(app), shlex.split(line, comments=True)[1:]
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context(line, words)  # raises for options and arguments that don't exist


@pytest.mark.parametrize(
    "pack", [pack for pack in PACKS.values() if pack.name != "pocket"], ids=lambda p: p.name
)
def test_the_readme_gives_the_size_of_every_model_of_a_pack(pack: Pack) -> None:
    row = next(line for line in README.splitlines() if line.startswith(f"| `{pack.name}` |"))
    total, _, each = row.split("|")[3].rpartition(":")
    gigabytes = [model.megabytes / 1000 for model in pack.models]
    assert re.findall(r"[\d.]+", each) == [f"{size:.1f}" for size in gigabytes]
    assert re.findall(r"\d+", total) == ([f"{sum(gigabytes):.0f}"] if total else [])


def test_the_models_that_the_readme_pulls_alone_exist_and_have_that_size() -> None:
    found = re.search(r"`models pull (\w+) --only (\S+)` fetches one model of each kind, (\d+) GB", README)
    assert found
    names, models = found[2].split(","), PACKS[found[1]].models
    pulled = [model for model in models if model.key in names]
    assert len(pulled) == len(names) == len({model.kind for model in models})
    assert f"{sum(model.megabytes for model in pulled) / 1000:.0f}" == found[3]


def test_every_module_that_the_readme_runs_is_there() -> None:
    named = re.findall(r"python -m (myvlm_tag[\w.]+)", README)
    assert named
    assert [module for module in named if importlib.util.find_spec(module) is None] == []


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    catalog = Catalog(tmp_path_factory.mktemp("recipes") / "catalog")
    catalog.prepare()
    catalog.commit({"files": files("a", "b")})
    return catalog


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.splitlines()[0].strip("- "))
def test_every_sql_recipe_runs(recipe: str, catalog: Catalog) -> None:
    assert recipe.startswith("-- ")
    assert query(catalog, recipe).columns


def test_the_line_for_cron_works_with_nothing_but_a_home(tmp_path: Path, light_pack: Path) -> None:
    """As cron does it: /bin/sh, no environment to speak of, the checkout and the photos below the home."""
    write_photos(tmp_path / "Pictures", 2)
    (tmp_path / "myvlm-tag").mkdir()
    (tmp_path / "myvlm-tag" / ".venv").symlink_to(Path(sys.executable).parents[1])
    (tmp_path / ".config" / "myvlm-tag").mkdir(parents=True)
    (tmp_path / ".config" / "myvlm-tag" / "config.toml").write_text(f'models = "{light_pack}"')
    command = CRONTAB.split(maxsplit=5)[5]
    bare = ["env", "-i", f"HOME={tmp_path}", "LOGNAME=me", "SHELL=/bin/sh", "PATH=/usr/bin:/bin"]
    done = subprocess.run([*bare, "/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    log = (tmp_path / "myvlm-tag.log").read_text()
    assert done.returncode == 0, log
    assert (done.stdout, done.stderr) == ("", "")  # cron would mail it
    assert "2 of 2 photos done" in log
    summaries = (tmp_path / ".local" / "share" / "myvlm-tag" / "runs").glob("*.json")
    assert [json.loads(path.read_text())["ended"] for path in summaries] == ["complete"]


def test_the_systemd_service_runs_the_same_command_every_night() -> None:
    service, timer = (configparser.ConfigParser(interpolation=None) for _ in range(2))
    for unit, name in ((service, "service"), (timer, "timer")):
        unit.optionxform = str  # type: ignore[assignment, method-assign]
        unit.read(ROOT / "systemd" / f"myvlm-tag.{name}")
    command = CRONTAB.split(maxsplit=5)[5].partition(" >>")[0]
    assert service["Service"]["ExecStart"].replace("%h", "$HOME") == command
    minute, hour = CRONTAB.split()[:2]
    assert timer["Timer"]["OnCalendar"].endswith(f"{hour:>02}:{minute:>02}")


def test_the_files_for_systemd_are_put_in_place_by_the_lines_that_say_so(tmp_path: Path) -> None:
    block = next(block for block in blocks("") if "systemctl" in block)
    install = block[: block.index("systemctl")]
    subprocess.run(["/bin/sh", "-ec", install], cwd=ROOT, env={"HOME": str(tmp_path)}, check=True)
    placed = {path.name for path in (tmp_path / ".config" / "systemd" / "user").iterdir()}
    assert placed == {"myvlm-tag.service", "myvlm-tag.timer"}


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
    wheels = f"--wheel-dir {config['file_mounts']['/home/ubuntu/wheels']} ."
    assert wheels in TYPED[TYPED.index("ray up ray_cluster.yaml") - 1]
