"""The first document of the corpus answers questions about itself, asked of a running server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_seed_article_answers_and_declines(tmp_path: Path, cache: Path) -> None:
    """All that benchmarks/seed_article.py promises: eight questions answered with their words marked, two declined."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PINCITE_")}
    environment = {**kept, "PINCITE_CACHE": str(cache)}
    data = tmp_path / "data"
    pincite = Path(sys.executable).with_name("pincite")
    ingest = [pincite, "--data", data, "ingest", ROOT / "seeds" / "documents"]
    subprocess.run(ingest, check=True, timeout=600, env=environment)
    program = [sys.executable, ROOT / "benchmarks" / "seed_article.py", "--data", data]
    ran = subprocess.run(program, stdout=subprocess.PIPE, text=True, timeout=600, check=False, env=environment)
    assert ran.returncode == 0, ran.stdout
