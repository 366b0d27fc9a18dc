"""The command line as a person meets it: what it prints where, how it ends, how fast it starts."""

from __future__ import annotations

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from myvlm_tag.cli import app
from myvlm_tag.pipeline.catalog import Catalog
from typer.testing import CliRunner

from .pipeline.test_catalog import files

CHECK_IMPORTS = """
import sys
from typer.testing import CliRunner
from myvlm_tag.cli import app
done = CliRunner().invoke(app, {arguments!r})
assert done.exit_code == 0, done.output
heavy = {{"torch", "ray", "transformers", "open_clip", "insightface", "onnxruntime"}} & set(sys.modules)
assert not heavy, heavy
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    catalog = Catalog(tmp_path / "home" / "catalog")
    catalog.prepare()
    catalog.commit({"files": files("/photos/a, b.jpg", "/photos/ü.jpg")})
    return tmp_path / "home"


def invoke(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize(
    "arguments", [["--help"], ["sql", "FROM files"], ["status"], ["failures"], ["run", "--help"]]
)
def test_commands_that_only_look_import_neither_torch_nor_ray(arguments: list[str], home: Path) -> None:
    if "--help" not in arguments:
        arguments = [*arguments, "--home", str(home)]
    code = CHECK_IMPORTS.format(arguments=arguments)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_run_with_nothing_to_do_imports_neither_torch_nor_ray(tmp_path: Path, light_pack: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "notes.txt").write_text("no photo")
    arguments = ["run", tmp_path / "library", "--home", tmp_path / "home", "--models", light_pack]
    code = CHECK_IMPORTS.format(arguments=[str(argument) for argument in arguments])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_sql_prints_a_table_or_json_or_csv(home: Path) -> None:
    sql = (
        "sql",
        "SELECT path, size, NULL AS nothing, 'x'::BLOB AS bytes FROM files ORDER BY path",
        "--home",
        home,
    )
    table = invoke(*sql).splitlines()
    assert table[0].split() == ["path", "size", "nothing", "bytes"]
    assert table[-1] == "(2 rows)"
    records = json.loads(invoke(*sql, "--json"))
    assert records[1] == {"path": "/photos/ü.jpg", "size": 1, "nothing": None, "bytes": "78"}
    rows = list(csv.reader(io.StringIO(invoke(*sql, "--csv"))))
    assert rows[1] == ["/photos/a, b.jpg", "1", "", "78"]


def test_status_tells_what_is_there(home: Path) -> None:
    found = json.loads(invoke("status", "--home", home, "--json"))
    assert found["there"]["files"] == 2
    assert "2 files" in invoke("status", "--home", home)


def test_models_list_names_every_pack_with_its_licence(home: Path) -> None:
    models = json.loads(invoke("models", "list", "--home", home, "--json"))
    assert {"pocket", "paper", "modern"} <= {model["pack"] for model in models}
    assert all(model["licence"] for model in models)


def test_models_pull_can_be_told_which_models(home: Path) -> None:
    pull = [sys.executable, "-m", "myvlm_tag.cli", "models", "pull", "pocket", "--home", str(home), "--only"]
    done = subprocess.run([*pull, "llava, minigpt-v2"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == ["llava: already there", "minigpt_v2: already there"]
    refused = subprocess.run([*pull, "llava,nonsense"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "no model 'nonsense'; there is: faces, clip, llava, blip2, minigpt_v2\n" in refused.stderr


def commands(command: Any, name: str = "") -> dict[str, Any]:
    """Every command by the words that call it."""
    if not hasattr(command, "commands"):
        return {name: command}
    inner = (commands(each, f"{name} {word}".strip()) for word, each in command.commands.items())
    return {words: each for found in inner for words, each in found.items()}


COMMANDS = commands(typer.main.get_command(app))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_details_with_v(command: str) -> None:
    """As the line promises in which any error ends."""
    options = {flag for parameter in COMMANDS[command].params for flag in parameter.opts}
    assert {"-v", "--verbose"} <= options


def test_models_verify_can_be_told_what_was_pulled(light_pack: Path, tmp_path: Path) -> None:
    pack = shutil.copytree(light_pack, tmp_path / "pack")
    (pack / "llava").mkdir()  # not pulled
    command = ["models", "verify", str(pack), "--json"]
    assert CliRunner().invoke(app, command).exit_code == 1
    done = CliRunner().invoke(app, [*command, "--only", "faces"])
    assert done.exit_code == 0
    assert [(row["model"], row["verdict"]) for row in json.loads(done.stdout)] == [("faces", "fine")]
    refused = CliRunner().invoke(app, [*command, "--only", "lava"]).exception
    assert "no model 'lava'; there is: faces, llava" in str(refused)


def test_an_error_brings_its_traceback_with_v_alone() -> None:
    for flags, traceback in (([], False), (["-v"], True)):
        command = [sys.executable, "-m", "myvlm_tag.cli", "models", "verify", "no-such-pack", *flags]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "there is no model pack 'no-such-pack'" in done.stderr
        assert ("Traceback" in done.stderr) is traceback


@pytest.mark.parametrize("rows", [5, 200_000])
def test_a_reader_that_has_had_enough_is_no_failure(home: Path, rows: int) -> None:
    sql = f"SELECT path FROM files, range({rows})"
    command = [sys.executable, "-m", "myvlm_tag.cli", "sql", sql, "--csv", "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        program.stdout.close()
        assert program.stderr.read() == b""
    assert program.returncode == 0


def test_an_interrupted_question_ends_as_every_interrupted_command(home: Path) -> None:
    sql = "SELECT count(*) FROM range(1_000_000_000) AS a, range(1_000_000) AS b"
    command = [sys.executable, "-m", "myvlm_tag.cli", "sql", sql, "--home", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        while program.poll() is None and not list(home.glob("catalog/index/tables-*")):
            time.sleep(0.1)  # made just before the question is put
        time.sleep(1)
        program.send_signal(signal.SIGINT)
        assert program.stderr.read() == b""
    assert program.returncode == 130


def test_doctor_examines_without_changing_anything(home: Path) -> None:
    before = set(home.rglob("*"))
    done = CliRunner().invoke(app, ["doctor", "--home", str(home), "--json"])
    facts = json.loads(done.stdout)
    assert facts["catalog"].endswith("readable")
    assert done.exit_code == (1 if facts["problems"] else 0)
    assert {path for path in set(home.rglob("*")) - before if "models" not in path.parts} == set()


def test_compact_merges_segments(home: Path) -> None:
    assert json.loads(invoke("compact", "--home", home, "--json")) == {"merged": 2}
    assert len(json.loads(invoke("sql", "FROM files", "--home", home, "--json"))) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["sql", "DROP VIEW files"], 2, "read-only"),
        (["run", "{library}", "--only", "nonsense"], 2, "nonsense"),
        (["run", "{library}", "--models", "no-such-pack"], 2, "no-such-pack"),
        (["run", "{library}/nowhere"], 1, "mounted"),
        (["run", "{home}"], 2, "is in the home"),
        (["run", "{home}/catalog", "--dry-run"], 2, "is in the home"),
        (["run", "{link}/catalog"], 2, "is in the home"),
        (["run"], 2, "Missing argument"),
    ],
)
def test_errors_are_one_line_with_the_right_exit_code(
    arguments: list[str], code: int, words: str, home: Path, light_pack: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(home)
    places = {"home": home, "library": tmp_path / "library", "link": tmp_path / "link"}
    filled = [argument.format(**places) for argument in arguments]
    pack = ["--models", str(light_pack)] if arguments[0] == "run" and "--models" not in arguments else []
    command = [sys.executable, "-m", "myvlm_tag.cli", *filled, "--home", str(home), *pack]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    if code != 2 or "Missing" not in words:
        assert done.stderr.count("\n") == 1
