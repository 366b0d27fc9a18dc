"""What keeps libraries from the network: environment variables, set before any of them is imported."""

from __future__ import annotations

import os

#: Nothing is sent anywhere, and no library tries to fetch anything. Holds on the driver and in every worker.
PRIVATE = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "NO_ALBUMENTATIONS_UPDATE": "1",
    "ORT_DISABLE_TELEMETRY": "1",
}


def keep_private() -> None:
    """Set the environment of `PRIVATE`; call before Ray or a model library is imported."""
    os.environ.update(PRIVATE)


def allow_fetching() -> None:
    """Let this process fetch models; what would tell others of it stays off. Call before libraries load."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        os.environ.pop(name, None)
