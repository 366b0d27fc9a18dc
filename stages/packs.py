"""Model packs as data: which models there are, whose they are, and where they lie on disk.

Checking, fingerprinting and fetching their files is `weights.py`; loading a model is the work of the stage
that uses it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..schemas.errors import ModelDamaged, ModelMissing, UsageProblem
from ..schemas.paths import to_text

FACES, CLIP, VLM = "faces", "clip", "vlm"

_CLIP_FILES = ("open_clip_config.json", "*.safetensors")
_VLM_FILES = ("config.json", "*.safetensors")


@dataclass(frozen=True)
class Source:
    """Where files come from: a Hugging Face repository, or a zip archive or plain file at a URL."""

    where: str  # "hf:owner/repository", "hf-space:owner/space" or "https://..."
    files: tuple[str, ...] = ()  # patterns within the repository or archive
    revision: str = "main"


@dataclass(frozen=True)
class Model:
    """One model of a pack."""

    key: str  # the name of its folder, and of the adapter for a vision-language model
    kind: str  # FACES, CLIP or VLM
    licence: str
    megabytes: int  # to download
    files: tuple[str, ...]  # patterns that must each match a file in its folder
    sources: tuple[Source, ...] = ()  # none for packaged weights and those in a folder of one's own
    #: Thresholds and sizes, by the names its stage has for them.
    settings: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""  # for a pack in a folder of one's own


@dataclass(frozen=True)
class Pack:
    """Models that work together."""

    name: str
    about: str
    models: tuple[Model, ...]

    def of_kind(self, kind: str) -> tuple[Model, ...]:
        """The pack's models of one kind, preferred first."""
        return tuple(model for model in self.models if model.kind == kind)


def named(models: Iterable[Model], name: str) -> Model | None:
    """The model of that name, written with "-" or "_"; None where there is no such."""
    return next((model for model in models if _spelt(model.key) == _spelt(name)), None)


def _spelt(name: str) -> str:
    return name.replace("-", "_")


def _faces(key: str, licence: str, megabytes: int, *sources: Source, **settings: Any) -> Model:
    return Model(key, FACES, licence, megabytes, ("*.onnx",), sources, settings)


def _clip(key: str, licence: str, megabytes: int, *sources: Source, **settings: Any) -> Model:
    return Model(key, CLIP, licence, megabytes, _CLIP_FILES, sources, settings)


def _vlm(key: str, licence: str, megabytes: int, *sources: Source, **settings: Any) -> Model:
    return Model(key, VLM, licence, megabytes, _VLM_FILES, sources, settings)


def _transformers(repository: str, revision: str = "main") -> Source:
    """The files of a transformers model: weights as safetensors only, and everything its processor reads."""
    return Source(f"hf:{repository}", ("*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"), revision)


_OWN = "Apache-2.0 (made by this project)"
_INSIGHTFACE = "non-commercial research only (insightface.ai)"
_BUFFALO = _faces(
    "buffalo_l",
    _INSIGHTFACE,
    289,
    Source(
        "https://github.com/deepinsight/insightface/releases/download/model-zoo/buffalo_l.zip",
        ("det_10g.onnx", "w600k_r50.onnx"),
    ),
    sizes=[128, 640],
    threshold=0.5,
    distance=0.675,  # MyVLM, section 4: largest cosine distance at which a face is the person's
)

#: Small models that were trained to read means of word embeddings as concept vectors learn from there; the
#: weight of the regulariser is where names were said most often in photos of people and things never seen.
_FROM_WORDS = {"start": "words", "steps": 30, "rate": 0.15, "attention": 0.03}

POCKET = Pack(
    "pocket",
    "a few megabytes, made for the sample world and blind to everything else",
    (
        _faces("faces", _OWN, 0, sizes=[128, 640], threshold=0.5, distance=0.675),
        _clip("clip", _OWN, 0, probability=0.53),  # where 98.3 % are found and 99.5 % rejected
        _vlm("llava", _OWN, 0, recipe=_FROM_WORDS),
        _vlm("blip2", _OWN, 0, recipe={**_FROM_WORDS, "attention": 0.01}),
        _vlm("minigpt_v2", _OWN, 0, recipe=_FROM_WORDS, grounds=2),
    ),
)

PAPER = Pack(
    "paper",
    "the models of the MyVLM paper; wants a GPU with 24 GB",
    (
        _BUFFALO,
        # Published as a PyTorch checkpoint only; `models pull` turns it into safetensors.
        _clip(
            "dfn5b-clip-vit-h-14-378",
            "Apple research licence (apple-amlr)",
            3950,
            Source(
                "hf:apple/DFN5B-CLIP-ViT-H-14-378", ("open_clip_config.json", "open_clip_pytorch_model.bin")
            ),
            probability=0.5,
        ),
        _vlm(
            "llava",
            "Llama 2 Community Licence",
            14130,
            _transformers("llava-hf/llava-v1.6-vicuna-7b-hf"),
        ),
        _vlm("blip2", "MIT", 15770, _transformers("Salesforce/blip2-flan-t5-xl")),
        # Three parts, as its authors publish it: language model, vision tower, and what joins them.
        replace(
            _vlm(
                "minigpt_v2",
                "Llama 2 Community Licence (language model, on request), BSD-3-Clause (the rest)",
                16200,
                _transformers("meta-llama/Llama-2-7b-chat-hf"),
                Source(
                    "https://storage.googleapis.com/sfr-vision-language-research/LAVIS/models/BLIP2/eva_vit_g.pth"
                ),
                Source("hf-space:Vision-CAIR/MiniGPT-v2", ("minigptv2_checkpoint.pth",)),
                grounds=2,
            ),
            files=(*_VLM_FILES, "processor_config.json"),  # the others are there with Llama alone
        ),
    ),
)

MODERN = Pack(
    "modern",
    "small models of today; runs on a laptop with 16 GB, faster on any GPU",
    (
        # No face model with a free licence comes near it in accuracy (insightface's model zoo, IJB-C).
        _BUFFALO,
        # Queries in a hundred languages at a tenth of the paper model's work.
        _clip(
            "siglip2-vit-b-16-256",
            "Apache-2.0",
            1500,
            Source(
                "hf:timm/ViT-B-16-SigLIP2-256",
                (
                    "open_clip_config.json",
                    "open_clip_model.safetensors",
                    "tokenizer*",
                    "special_tokens_map.json",
                ),
            ),
            probability=0.5,
        ),
        # The smallest freely licensed model in transformers that answers with boxes (0-1000 of the picture).
        _vlm(
            "qwen3_vl",
            "Apache-2.0",
            4270,
            _transformers("Qwen/Qwen3-VL-2B-Instruct", "89644892e4d85e24eaac8bacfd4f463576704203"),
        ),
    ),
)

PACKS: dict[str, Pack] = {pack.name: pack for pack in (POCKET, PAPER, MODERN)}


def find_pack(name: str) -> Pack:
    """The pack of that name, or the one in a folder of one's own (`faces/`, `clip/`, any other is a VLM).

    A file `pack.json` in such a folder may hold each model's settings: {"faces": {"threshold": 0.4}}. Raises
    UsageProblem if there is neither.
    """
    if name in PACKS:
        return PACKS[name]
    folder = Path(name).expanduser()
    if not folder.is_dir():
        known = ", ".join(PACKS)
        raise UsageProblem(f"there is no model pack {name!r}", f"known are {known}, or name a folder")
    return _pack_in(folder.resolve())


def _pack_in(folder: Path) -> Pack:
    settings = _settings_in(folder / "pack.json")
    patterns = {FACES: ("*.onnx",), CLIP: _CLIP_FILES}
    models = []
    for inner in sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] not in "._"):
        kind = inner.name if inner.name in patterns else VLM
        own = settings.get(inner.name, {})
        required = patterns.get(kind, _VLM_FILES)
        models.append(Model(inner.name, kind, "your own", 0, required, (), own, str(inner)))
    if not models:
        raise UsageProblem(
            f"the folder {to_text(folder)} holds no models", "it should hold folders named faces, clip, ..."
        )
    return Pack(to_text(folder), "a folder of your own", tuple(models))


def _settings_in(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ModelDamaged(f"{to_text(path)} can't be read: {error}", "mend it or move it away") from error


def folder_of(model: Model, home: Path) -> Path:
    """Where a model lies, or would lie, on the machine that asks; packaged weights lie beside this code."""
    if model.path:
        return Path(model.path)
    if model.sources:
        return home / "models" / model.key
    return Path(str(files(__name__.partition(".")[0]) / "world" / "weights" / model.key))


def locate(model: Model, home: Path) -> Path:
    """The folder of a model that is there. Raises ModelMissing, naming the command that gets it."""
    folder = folder_of(model, home)
    missing = missing_files(model, folder)
    if not missing:
        return folder
    pack = next((pack.name for pack in PACKS.values() if model in pack.models), "")
    cause = f"the {model.kind} model {model.key} is not in {to_text(folder)} ({', '.join(missing)} missing)"
    if pack and model.sources:
        raise ModelMissing(cause, f"get it with: myvlm-tag models pull {pack} --only {model.key}")
    raise ModelMissing(cause, "put it there" if model.path else "install myvlm-tag again")


def missing_files(model: Model, folder: Path) -> list[str]:
    """The patterns of the model's required files that match nothing in `folder`."""
    return [pattern for pattern in model.files if not any(folder.glob(pattern))]
