"""Settings: flag > environment (`MYVLM_TAG_<NAME>`) > config.toml > default, checked once, then frozen.

The config file is `config.toml` in the platform's user config folder; the home (catalog, concepts, runs) is
the platform's user data folder unless `--home` or MYVLM_TAG_HOME names another.
"""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import platformdirs

from .errors import UsageProblem

APP = "myvlm-tag"

Questions = Mapping[str, str]
"""Questions by topic, with {} for whom or what they are about."""

#: Ways to ask about people; `stages/vlm/asking.py` says what each does.
PLAIN, PLACE, CROP = WAYS = ("plain", "place", "crop")

AUTO = "auto"

PERSON_QUESTIONS: Questions = {
    "wearing": "What is {} wearing in the image?",
    "doing": "What is {} doing in the image?",
    "where": "Where is {} in the image?",
    "next_to": "What is next to {}?",
}
OBJECT_QUESTIONS: Questions = {
    "where": "Where is {} in the image?",
    "next_to": "What is next to {}?",
    "color": "What color is {}?",
}


def default_home() -> Path:
    """Return the platform's user data folder for this program."""
    return Path(platformdirs.user_data_path(APP))


def config_path() -> Path:
    """Return where config.toml is looked for."""
    return Path(platformdirs.user_config_path(APP)) / "config.toml"


@dataclass(frozen=True)
class Settings:
    """Everything a run can be told; small and picklable, so that it travels to every worker."""

    home: Path = field(default_factory=default_home)
    models: str = "pocket"  # a pack's name, or a folder that holds one
    address: str = ""  # of a Ray cluster; empty: this machine alone
    max_file_bytes: int = 1 << 30  # larger files are a row in failures, not an attempt
    max_pixels: int = 250_000_000  # a 200-MP phone photo passes, a decompression bomb doesn't
    decode_side: int = 1280  # a JPEG is decoded at the smallest 1/1..1/8 whose longer side is at least this
    batch_size: int = 16  # photos per batch through the models
    workers: int = 0  # actors; 0: as many as the CPUs allow
    commit_photos: int = 2000  # a segment is committed after this many photos
    commit_seconds: int = 15  # ... or this much time, whichever comes first
    query_seconds: int = 60  # a question that takes longer is refused
    query_megabytes: int = 2048  # ... or needs more memory
    vlm: str = ""  # which of the pack's vision-language models tell, as "blip2,llava"; empty: its first
    boxes: str = AUTO  # which of them says where things are; auto: the one that the pack trusts most
    people: str = CROP  # how the knowledge of faces is used in asking about people: one of WAYS
    person_questions: Questions = field(default_factory=lambda: PERSON_QUESTIONS)
    object_questions: Questions = field(default_factory=lambda: OBJECT_QUESTIONS)
    temperature: float = 0.0  # 0 takes the likeliest words, every run the same; the paper's LLaVA drew at 0.2
    decoder: str = ""  # "module:function" instead of the built-in one, for formats it doesn't know
    verbose: bool = False

    @property
    def catalog(self) -> Path:
        """`home/catalog`."""
        return self.home / "catalog"


def load_settings(
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    config: Path | None = None,
) -> Settings:
    """Merge the four sources. Flags that are None count as not given.

    Raises UsageProblem for an unknown name in the file or a value of the wrong type, naming its source.
    """
    environ = os.environ if environ is None else environ
    config = config_path() if config is None else config
    hints = get_type_hints(Settings)
    values: dict[str, Any] = {}
    for name, value in _read_config(config).items():
        if name not in hints:
            known = ", ".join(sorted(hints))
            raise UsageProblem(f"{config}: there is no setting named {name!r}", f"known are: {known}")
        values[name] = _convert(value, hints[name], f"{config}: {name}")
    if environ.get("RAY_ADDRESS"):
        values["address"] = environ["RAY_ADDRESS"]
    for name, kind in hints.items():
        variable = f"MYVLM_TAG_{name.upper()}"
        if environ.get(variable):
            values[name] = _convert(environ[variable], kind, variable)
    for name, value in (flags or {}).items():
        if value is not None:
            values[name] = _convert(value, hints[name], f"--{name.replace('_', '-')}")
    return _checked(Settings(**values))


def _read_config(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageProblem(f"{path} can't be read: {error}", "mend it or move it away") from error


def _convert(value: Any, kind: Any, source: str) -> Any:
    if kind == Questions:
        return _to_questions(value, source)
    try:
        if kind is bool:
            return _to_bool(value)
        if kind is Path:
            return Path(os.path.abspath(Path(value).expanduser()))
        if isinstance(value, bool) or (kind is int and isinstance(value, float)):
            raise ValueError
        return kind(value)
    except (TypeError, ValueError):
        raise UsageProblem(f"{source} is {value!r}, which isn't a {kind.__name__}") from None


def _to_questions(value: Any, source: str) -> Questions:
    """A table of TOML, or in the environment the text of one: {wearing = "What is {} wearing?"}."""
    try:
        table = dict(tomllib.loads(f"value = {value}")["value"] if isinstance(value, str) else value)
        if all(isinstance(question, str) and "{}" in question for question in table.values()):
            return table
    except (TypeError, ValueError):
        pass
    raise UsageProblem(
        f"{source} is {value!r}, which isn't a table of questions",
        'write one with {} for each topic, as in {wearing = "What is {} wearing?"}',
    )


def _to_bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    words = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    try:
        return words[str(value).lower()]
    except KeyError:
        raise ValueError from None


def _checked(settings: Settings) -> Settings:
    positive = [f.name for f in dataclasses.fields(Settings) if f.type == "int" and f.name != "workers"]
    wrong = [name for name in positive if getattr(settings, name) <= 0]
    if wrong or settings.workers < 0:
        raise UsageProblem(f"{', '.join(wrong) or 'workers'} must be greater than zero")
    if not 0 <= settings.temperature <= 10:  # nor is it "nan"
        raise UsageProblem(f"temperature is {settings.temperature}", "it can be 0 to 10")
    if settings.people not in WAYS:
        raise UsageProblem(f"people is {settings.people!r}", f"it can be {', '.join(WAYS)}")
    return settings
