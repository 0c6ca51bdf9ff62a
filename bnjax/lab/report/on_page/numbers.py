"""Numbers and text as the page's JSON has them: short, and no markup."""

import html
import math
from typing import Any

import numpy as np


def short(values: Any, digits: int = 5) -> Any:
  """Nested lists of an array's numbers, of so many significant digits.

  >>> short(np.array([[1 / 3, np.nan], [2.0, 1e-30]]))
  [[0.33333, None], [2, 1e-30]]
  """
  if isinstance(values, np.ndarray):
    values = values.tolist()
  if isinstance(values, list | tuple):
    return [short(value, digits) for value in values]
  if values is None or not math.isfinite(values):
    return None
  number = float(f"{values:.{digits}g}")
  return int(number) if number.is_integer() and abs(number) < 1e6 else number


def markup_free(text: str) -> str:
  """Text for Plotly, which reads some markup in it."""
  return html.escape(text, quote=False).replace("\n", "<br>")
