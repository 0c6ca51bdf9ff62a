"""A name becomes what it names: an entry of a table, or an object from outside.

"package.module:object" is any object that can be imported.
"""

import difflib
import importlib
import sys
import traceback
from collections.abc import Iterable, Mapping
from typing import Any

from bnjax.lab.errors import UserError, choice


def is_outside(name: Any) -> bool:
  """Whether a name is "package.module:object", code that bnjax has not."""
  return isinstance(name, str) and ":" in name


def lookup(
  field: str, name: Any, table: Mapping[str, Any], *, outside: bool = True
) -> Any:
  """What `name` names: an entry of the table, or an object from outside.

  Args:
    field: of the config, for messages.
    name: a key of the table, or "package.module:object".
    table: entries by name.
    outside: whether code from outside may be imported, and so run.

  Raises:
    UserError: there is no such name, module or object, or the object cannot be
      called.

  >>> lookup("model.name", "math:sqrt", {})(4.0)
  2.0
  """
  if not is_outside(name):
    return table[choice(field, name, table)]
  if not outside:
    raise UserError(
      f"{field}: {name!r} is code from outside, which only runs for who names "
      "the config: give --config=FILE"
    )
  return _imported(field, name)


def importable(folders: Iterable[str]) -> None:
  """Has modules of these folders found, after all others."""
  sys.path.extend(f for f in dict.fromkeys(folders) if f not in sys.path)


def _imported(field: str, name: str) -> Any:
  module_name, _, path = name.partition(":")
  if not all(
    part.isidentifier() for part in [*module_name.split("."), *path.split(".")]
  ):
    raise UserError(
      f"{field}: {name!r} is neither a name of a table nor of the form "
      "'package.module:object'"
    )
  try:
    found: Any = importlib.import_module(module_name)
  except Exception as error:
    raise UserError(
      f"{field}: {name!r} cannot be imported: {said(error, module_name)}"
    ) from error
  for part in path.split("."):
    if not hasattr(found, part):
      near = difflib.get_close_matches(part, dir(found), n=1)
      hint = f"; did you mean {near[0]!r}?" if near else ""
      raise UserError(
        f"{field}: {name!r}: {module_name} ({_file(module_name)}) has no "
        f"{part!r}{hint}"
      )
    found = getattr(found, part)
  if not callable(found):
    raise UserError(
      f"{field}: {name!r} is of type {type(found).__name__}, which cannot be "
      "called"
    )
  return found


def said(error: Exception, module_name: str = "") -> str:
  """An exception of somebody's code in one line: type, words, and where."""
  words = " ".join(str(error).split())
  text = f"{type(error).__name__}: {words}" if words else type(error).__name__
  if isinstance(error, SyntaxError):
    return text  # says itself where
  own = module_name.partition(".")[0]
  if isinstance(error, ModuleNotFoundError) and error.name == own:
    return f"{text}; looked for in the config's folder and in sys.path"
  frames = [
    frame
    for frame in traceback.extract_tb(error.__traceback__)
    if "importlib" not in frame.filename and frame.filename != __file__
  ]
  return (
    f"{text} ({frames[-1].filename}, line {frames[-1].lineno})"
    if frames
    else text
  )


def _file(module_name: str) -> str:
  return getattr(sys.modules[module_name], "__file__", None) or "built in"
