"""What is part of every page: its style, its scripts, and Plotly."""

import functools
import importlib.resources
import json
from typing import Any

# In the order in which they build on each other.
SCRIPTS = (
  "elements.js",
  "theme.js",
  "chart.js",
  "files.js",
  "arms.js",
  "curves.js",
  "values.js",
  "fields.js",
  "heat_map.js",
  "slider.js",
  "layers.js",
  "histograms.js",
  "percentiles.js",
  "predictions.js",
  "page.js",
)

MISSING = (
  "plotly is not installed, so the page has no charts: "
  "pip install 'bnjax[report]'"
)


def style() -> str:
  """The style sheet."""
  return _read("page.css")


def first_script() -> str:
  """What runs before anything is drawn."""
  return _read("first.js")


def script() -> str:
  """All scripts, in one scope of their own."""
  parts = "\n".join(map(_read, SCRIPTS))
  return f'(() => {{\n"use strict";\n{parts}}})();'


@functools.cache
def plotly() -> str:
  """Plotly's script, as its package has it; empty if it is not installed."""
  try:
    from plotly.offline import get_plotlyjs
  except ImportError:
    return ""
  return str(get_plotlyjs())


def embed(value: Any) -> str:
  r"""JSON that may stand in a script element, whatever strings are in it.

  >>> embed({"arm": "</script>"})
  '{"arm":"\\u003c/script>"}'
  """
  text = json.dumps(value, separators=(",", ":"), allow_nan=False)
  return text.replace("<", "\\u003c")


def _read(name: str) -> str:
  folder = importlib.resources.files("bnjax.lab.report") / "static"
  return (folder / name).read_text(encoding="utf-8")
