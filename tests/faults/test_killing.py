"""A process killed at random calls that change a file of the truth."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

ROUNDS = 40


def test_a_kill_at_any_call_loses_nothing(tmp_path: Path) -> None:
    """What was acknowledged is there, what was under way is there whole or not, verify is clean, searches find all."""
    program, seed = Path(__file__).with_name("killing.py"), random.SystemRandom().randrange(10**6)
    command = [sys.executable, str(program), str(tmp_path / "data"), str(ROUNDS), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(done.stderr)
    rounds = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one for one in rounds if one["faults"]] == []
    assert len(rounds) == ROUNDS
    assert sum(one["killed"] for one in rounds) > ROUNDS // 2
    assert rounds[-1]["there"] > 0
