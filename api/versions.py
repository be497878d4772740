"""Which version of what is installed."""

from __future__ import annotations

from importlib import metadata


def version_of(distribution: str) -> str:
    """Return the version of an installed distribution, `unknown` where it is not installed as one."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "unknown"
