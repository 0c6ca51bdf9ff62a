"""Layers and parameters by patterns of their names."""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from bnjax.lab.errors import UserError
from bnjax.lab.results.order import natural

Patterns = str | Sequence[str]


def select(field: str, patterns: Patterns, names: Iterable[str]) -> list[str]:
  """Returns the names that match any of the patterns, in natural order.

  Args:
    field: name of the setting that holds the patterns, for the message.
    patterns: as of file names, `*` for anything: "dense_*", "*/kernel".
    names: those that exist.

  Raises:
    UserError: a pattern matches no name; lists those that exist.

  Example:
    >>> select("layers", "dense_*", ["dense_10", "dense_9", "output"])
    ['dense_9', 'dense_10']
  """
  names = sorted(names, key=natural)
  patterns = [patterns] if isinstance(patterns, str) else list(patterns)
  for pattern in patterns:
    if not any(fnmatchcase(name, pattern) for name in names):
      raise UserError(
        f"{field}: {pattern!r} matches nothing; there are "
        f"{', '.join(names) or 'none'}"
      )
  return [n for n in names if any(fnmatchcase(n, p) for p in patterns)]
