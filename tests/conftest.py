"""What every test may share: the default model, loaded once a run."""

from __future__ import annotations

import pytest

from rag.encoding import Encoder, load_encoder


@pytest.fixture(scope="session")
def model() -> Encoder:
    """The default model, which takes seconds to load."""
    return load_encoder(None)
