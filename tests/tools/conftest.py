"""Lets the tests of this folder import `folding_models`."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
