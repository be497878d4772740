"""The console script `pincite`: the one way in."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path


def main() -> None:
    """Check that the three folders come from one installation, then run the command line."""
    homes = {name: spec.origin for name in ("api", "rag", "index") if (spec := find_spec(name)) and spec.origin}
    if len({Path(home).parent.parent for home in homes.values()}) != 1 or len(homes) != 3:
        found = ", ".join(f"{name} from {home}" for name, home in homes.items())
        sys.exit(f"pincite: another package takes the name of one of its own ({found}). Install it in its own venv.")
    from api.cli.commands import app

    app()
