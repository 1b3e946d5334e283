"""``python -m adapters.classifier FOLDER``: trains the classifier ahead, for an installation or an image."""

import sys
from importlib.resources import files
from pathlib import Path

from adapters.classifier import load

load(files("intents"), Path(sys.argv[1]))
