"""Which numbers an argument takes: stated where it is declared.

    width: Annotated[int, Range(least=1)] = 256

Whatever nobody states, no number of a config is NaN, infinite, or beyond the 32
bits that programs compute with.
"""

import math
from typing import Annotated, Any, NamedTuple

from bnjax.lab.errors import UserError

# Beyond which an int32, or a float32, holds no number.
LARGEST = {int: 2**31 - 1, float: 3.4028234663852886e38}


class Range(NamedTuple):
  """Bounds of a number, or of a tuple's length; None: those of 32 bits.

  Attributes:
    least: the smallest that is allowed.
    most: the largest that is.
    above: what it has to be more than.
    below: what it has to be less than.
  """

  least: float | None = None
  most: float | None = None
  above: float | None = None
  below: float | None = None


ANY = Range()
Count = Annotated[int, Range(least=1)]
NotNegative = Annotated[float, Range(least=0)]
Positive = Annotated[float, Range(above=0)]
Share = Annotated[float, Range(least=0, below=1)]


def check_number(field: str, value: Any, bounds: Range = ANY) -> None:
  """Raises UserError for a number out of its range; all but numbers pass.

  >>> check_number("norm.decay", 2.0, Range(least=0, below=1))
  Traceback (most recent call last):
  bnjax.lab.errors.UserError: norm.decay: 2.0 is too large; less than 1
  >>> check_number("l2", float("nan"))
  Traceback (most recent call last):
  bnjax.lab.errors.UserError: l2: nan is not a finite number
  """
  if type(value) not in LARGEST:
    return
  if type(value) is float and not math.isfinite(value):
    raise UserError(f"{field}: {value} is not a finite number")
  largest = LARGEST[type(value)]
  least = -largest if bounds.least is None else bounds.least
  most = largest if bounds.most is None else bounds.most
  wrong = ""
  if value < least:
    wrong = f"small; at least {least}"
  elif bounds.above is not None and value <= bounds.above:
    wrong = f"small; more than {bounds.above}"
  elif value > most:
    wrong = f"large; at most {most}"
  elif bounds.below is not None and value >= bounds.below:
    wrong = f"large; less than {bounds.below}"
  if wrong:
    raise UserError(f"{field}: {value} is too {wrong}")


def check_finite(field: str, value: Any) -> None:
  """`check_number` of a value of any type, and of what lists hold."""
  check_number(field, value)
  if isinstance(value, tuple | list):
    for i, item in enumerate(value):
      check_finite(f"{field}[{i}]", item)
