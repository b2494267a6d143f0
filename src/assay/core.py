"""The core graph at work: ONNX Runtime on encoded arrays.

Comes in: the serialised graph and `Arrays`. Goes out: probabilities. PyTorch is
never imported here, so that predicting and serving start fast.
"""

import numpy as np
import onnxruntime

from assay.encode.arrays import Arrays
from assay.errors import InternalError

OPSET = 20  # of ONNX, that every core graph is written in
TREE_OPSET = 5  # of ai.onnx.ml, which has the node TreeEnsemble
TREE_DOMAIN = "ai.onnx.ml"
IR_VERSION = 10

_CHUNK_ROWS = 1024  # with 4096 as fast, but ONNX Runtime keeps 130 MB more for good
_NODE_NUMBERS = 1 << 28  # that one node may hold of a chunk
CHUNK_NUMBERS = 1 << 23  # that n-grams of a chunk of rows look up, for all members
TEXT_NUMBERS = "assay.text_numbers"  # in the graph's notes: numbers that an n-gram looks up
ROW_NUMBERS = "assay.row_numbers"  # the same: numbers of a row that the largest node holds
_MOST_MEMBERS = 20  # assumed where a graph has no such note
_MOST_SCORES = 16


class CoreGraph:
    """A loaded core graph.

    Args:
        serialised: The ONNX model.
        largest: Numbers of a row that its largest node holds, where that is known.

    Raises:
        InternalError: ONNX Runtime cannot load it.
    """

    def __init__(self, serialised: bytes, *, largest: int = 1) -> None:
        self.serialised = serialised
        self._most_rows = max(min(_CHUNK_ROWS, _NODE_NUMBERS // largest), 1)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                serialised, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises many unrelated types
            raise InternalError(f"the core graph does not load: {error}") from error
        self.n_classes = int(self._session.get_outputs()[0].shape[1])
        notes = self._session.get_modelmeta().custom_metadata_map
        assumed = _MOST_MEMBERS * min(self.n_classes, _MOST_SCORES)
        self._text_numbers = int(notes.get(TEXT_NUMBERS, assumed))
        self._row_numbers = int(notes.get(ROW_NUMBERS, 1))

    def run(self, arrays: Arrays) -> np.ndarray:
        """Return class probabilities, shape (N, C), float32, rows summing to 1."""
        row_numbers = max(arrays.text.shape[1] * self._text_numbers, self._row_numbers)
        n_rows = max(min(self._most_rows, CHUNK_NUMBERS // row_numbers), 1)
        parts = [
            self._run_chunk(arrays.take(slice(start, start + n_rows)))
            for start in range(0, arrays.n_rows, n_rows)
        ]
        if not parts:
            return np.zeros((0, self.n_classes), dtype=np.float32)
        return np.concatenate(parts)

    def _run_chunk(self, arrays: Arrays) -> np.ndarray:
        try:
            (proba,) = self._session.run(["probabilities"], arrays.named())
        except Exception as error:  # ONNX Runtime raises many unrelated types
            raise InternalError(f"the core graph does not run: {error}") from error
        result: np.ndarray = proba
        return result
