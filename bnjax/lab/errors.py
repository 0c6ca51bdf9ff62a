"""The one error that scripts print as a line instead of a traceback."""

import difflib
import re
from collections.abc import Iterable

_FEW = 12  # choices that a line has room for


def plain(value: str) -> str:
  r"""One line of printable text: no line breaks or terminal controls.

  >>> plain("two\nlines\x1b[0m")
  'two lines�[0m'
  """
  joined = re.sub(r"[\r\n\t]+", " ", str(value))
  unknown = "\N{REPLACEMENT CHARACTER}"
  return "".join(c if c.isprintable() else unknown for c in joined)


class UserError(ValueError):
  """An error that the user can fix: a setting, a missing file or package.

  Its text is one line that names the field or thing at fault, says what is
  wrong with it, and says what to do. Scripts print that line, write nothing
  and exit with a non-zero status; libraries see an ordinary `ValueError`.
  Names in it may be somebody else's: it has no terminal controls.
  """

  def __str__(self) -> str:
    """Its line."""
    return plain(super().__str__())


def choice(field: str, value: object, choices: Iterable[str]) -> str:
  """Returns `value` if it is one of `choices`.

  Args:
    field: Dotted name of the setting, as it is written in a config.
    value: What was given for it.
    choices: The names that are known, for instance a table's keys.

  Raises:
    UserError: `value` is not known; suggests one that is close, and lists the
      choices unless they are many and one is close.

  Example:
    >>> choice("model.init", "he", ["he", "xavier"])
    'he'
    >>> choice("model.init", "heh", ["xavier", "he"])
    Traceback (most recent call last):
    bnjax.lab.errors.UserError: model.init: 'heh' is not known; did you mean
    'he'? Choices: he, xavier
  """
  known = sorted(choices)
  if isinstance(value, str) and value in known:
    return value
  near = difflib.get_close_matches(str(value), known, n=1)
  hint = f"did you mean {near[0]!r}?" if near else ""
  if len(known) <= _FEW or not near:
    hint += f"{' ' * bool(hint)}Choices: {', '.join(known)}"
  raise UserError(f"{field}: {value!r} is not known; {hint}")
