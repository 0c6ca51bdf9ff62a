"""The order of names: as given, or by the numbers in them."""

import re
from collections.abc import Iterable


def natural(name: str) -> list[tuple[bool, int, str]]:
  """A key that sorts names by the numbers in them.

  >>> sorted(["layer_10", "layer_9", "input"], key=natural)
  ['input', 'layer_9', 'layer_10']
  """
  parts = enumerate(re.split(r"(\d+)", name))  # every other one is a number
  return [(n % 2 == 1, int(part) if n % 2 else 0, part) for n, part in parts]


def in_order(names: Iterable[str]) -> list[str]:
  """Names as given; by the numbers in them if given in alphabetical order.

  A config sorts the names in it by letters, whatever their order in the file.

  >>> in_order(["batch_128", "batch_2"]), in_order(["b_2", "b_10", "a"])
  (['batch_2', 'batch_128'], ['b_2', 'b_10', 'a'])
  """
  names = list(names)
  return sorted(names, key=natural) if names == sorted(names) else names
