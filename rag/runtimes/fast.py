"""A converted model run by OpenVINO, one stream of one thread for each core."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from index.types import Vectors
from rag.runtimes.kept import Outputs, cores

# openvino reports its use over the network where this package is there; without it a stub takes its place.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino  # noqa: E402  after the line above

# The binding makes its table of types at the first use: one thread makes it and waits for the interpreter's lock while
# another holds that lock and waits for the table, both for ever. So the first use is here, on one thread.
openvino.Type.i64.to_dtype()

Tokens = npt.NDArray[np.int64]
PRECISIONS = {"openvino-f32": "f32", "openvino-bf16": "bf16", "openvino-f16": "f16"}
_MOST_STREAMS = 8
_MULTIPLE = 8  # lengths are padded to multiples of it: each shape that was not met before costs a compilation


class FastRuntime:
    """An OpenVINO model with inputs `input_ids` and `attention_mask`, int64 (batch, length), and one output."""

    def __init__(self, model: Path, runtime: str) -> None:
        self.places = min(cores(), _MOST_STREAMS)
        self._compiled = openvino.Core().compile_model(
            str(model),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": PRECISIONS[runtime],
                "NUM_STREAMS": self.places,
                "INFERENCE_NUM_THREADS": self.places,
                "ENABLE_CPU_PINNING": False,  # or the streams share one core with whatever else is pinned to it
            },
        )
        self._local = threading.local()

    def forward(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        """Return one unit row for each list of token ids."""
        ids, mask = _padded(tokens, [[1] * len(found) for found in tokens])
        return self._infer({"input_ids": ids, "attention_mask": mask})[0]

    def _infer(self, inputs: Mapping[str, Tokens]) -> list[Vectors]:
        """Return every output, float32, the first axis being that of the batch."""
        request = self._request()
        request.infer(inputs, share_inputs=True)
        return [np.array(one.data, dtype=np.float32) for one in request.output_tensors]

    def _request(self) -> openvino.InferRequest:
        """Return this thread's own request."""
        request: openvino.InferRequest | None = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        return request


class FastReader(FastRuntime):
    """A converted reader, which has the input `token_type_ids` too, and three outputs."""

    def read(self, tokens: Sequence[Sequence[int]], segments: Sequence[Sequence[int]]) -> Outputs:
        """Return what the reader says of each pair, as `Outputs` tells."""
        ids, kinds = _padded(tokens, segments)
        mask = _padded(tokens, [[1] * len(found) for found in tokens])[1]
        found = self._infer({"input_ids": ids, "attention_mask": mask, "token_type_ids": kinds})
        return Outputs(*found)


def _padded(*rows: Sequence[Sequence[int]]) -> list[Tokens]:
    """Return each list of rows as int64 (rows, length), zeros after their ends."""
    length = -(-max(map(len, rows[0])) // _MULTIPLE) * _MULTIPLE
    arrays = []
    for some in rows:
        array = np.zeros((len(some), length), dtype=np.int64)
        for place, row in enumerate(some):
            array[place, : len(row)] = row
        arrays.append(array)
    return arrays


def available() -> list[str]:
    """Return the runtimes that this processor has instructions for."""
    able = set(openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
    wanted = {"openvino-f32": "FP32", "openvino-bf16": "BF16", "openvino-f16": "FP16"}
    return [runtime for runtime, ability in wanted.items() if ability in able]
