"""Options that several commands share, and the settings they make.

What does not live here: what settings there are (`schemas/settings.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ..schemas.settings import Settings, load_settings

Home = Annotated[Path | None, typer.Option(help="Folder of the catalog (default: the user data folder).")]
ModelsOption = Annotated[
    str | None, typer.Option("--models", help="Model pack: a name, or a folder of your own.")
]
Json = Annotated[bool, typer.Option("--json", help="Print results as JSON.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Show details, and tracebacks of errors.")]


def settings_from(**flags: Any) -> Settings:
    """The settings with what the command line says; flags that are None count as not given."""
    return load_settings(flags)
