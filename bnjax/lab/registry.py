"""A name of a config becomes what it names, and its arguments are checked.

A group of a config, such as `norm`, is a name and the arguments of what it
names: an entry of a table ("layer_norm") or any object that can be imported
("package.module:object"). An argument that nobody set is the entry's own.
"""

import difflib
import importlib
import inspect
import sys
import traceback
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Annotated, Any, TypeVar, get_args, get_origin

from bnjax.lab.errors import UserError, choice
from bnjax.lab.values import check_value, is_plain

T = TypeVar("T")
Entry = Callable[..., Any]
Table = Mapping[str, Any]

_TRACED = "traced"
# `Traced[float]`: networks of one compiled program may each have a value of
# their own. What takes it gets a float, or an array that is traced.
Traced = Annotated[T, _TRACED]


def is_outside(name: Any) -> bool:
  """Whether a name is "package.module:object", code that bnjax has not."""
  return isinstance(name, str) and ":" in name


def lookup(field: str, name: Any, table: Table, *, outside: bool = True) -> Any:
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


def parameters(
  entry: Entry, given: Collection[str] = ()
) -> dict[str, inspect.Parameter]:
  """The arguments of an entry that a config may set, by name.

  Args:
    entry: a function, or a class such as a Flax module, by its fields.
    given: those that it is given otherwise, such as a model's `norm`.
  """
  signature = inspect.signature(entry)
  own = ("parent", "name") if _is_module(entry) else ()
  kinds = (
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
  )
  return {
    name: parameter.replace(annotation=_annotation(entry, parameter))
    for name, parameter in signature.parameters.items()
    if parameter.kind in kinds and name not in (*own, *given)
  }


def checked(
  field: str,
  name: str,
  entry: Entry,
  set_here: Mapping[str, Any],
  given: Collection[str] = (),
) -> dict[str, Any]:
  """The arguments that somebody set for an entry, checked.

  Args:
    field: name of the group in the config, for messages.
    name: what the config calls the entry.
    entry: what is called with the arguments.
    set_here: arguments by name.
    given: see `parameters`.

  Raises:
    UserError: an argument that the entry does not take, or a value of another
      type.

  >>> def fly(height: float, speed: int = 2): ...
  >>> checked("move", "fly", fly, {"height": 3})
  {'height': 3.0}
  >>> checked("move", "fly", fly, {"hight": 3})
  Traceback (most recent call last):
  bnjax.lab.errors.UserError: move.hight: move.name='fly' does not take it; did
  you mean 'height'? It takes height, speed
  """
  accepted = parameters(entry, given)
  found = {}
  for argument, value in set_here.items():
    place = f"{field}.{argument}"
    if argument in accepted:
      wanted = accepted[argument]
      found[argument] = check_value(
        place, value, wanted.annotation, wanted.default
      )
    elif argument not in given and takes(entry)(argument):
      found[argument] = value
    else:
      group = field.rpartition(".")[2]
      raise UserError(
        f"{place}: {group}.name={name!r} does not take it; "
        f"{_takes(argument, accepted)}"
      )
  return found


def filled(
  field: str,
  name: str,
  entry: Entry,
  set_here: Mapping[str, Any],
  given: Collection[str] = (),
) -> dict[str, Any]:
  """All arguments of an entry: of those that nobody set, its own defaults.

  Defaults that JSON cannot hold, such as functions, are left to the entry.

  Args:
    field: as for `checked`.
    name: likewise.
    entry: likewise.
    set_here: what `checked` gave.
    given: see `parameters`.

  Raises:
    UserError: an argument without a default is not set.

  >>> def fly(height: float, speed: int = 2): ...
  >>> filled("move", "fly", fly, {"height": 3.0})
  {'height': 3.0, 'speed': 2}
  """
  found = {}
  for argument, parameter in parameters(entry, given).items():
    if argument in set_here:
      found[argument] = set_here[argument]
    elif parameter.default is parameter.empty:
      raise UserError(
        f"{field}.{argument}: is not set, and {field}.name={name!r} has no "
        "default for it"
      )
    elif is_plain(parameter.default):
      found[argument] = parameter.default
  return {**found, **set_here}


def takes(entry: Entry) -> Callable[[str], bool]:
  """Whether an entry takes an argument, as a function of its name."""
  known = parameters(entry)
  found = inspect.signature(entry).parameters.values()
  any_name = any(p.kind is p.VAR_KEYWORD for p in found)
  return lambda argument: any_name or argument in known


def traced(entry: Entry) -> tuple[str, ...]:
  """The names of an entry's arguments that are annotated `Traced`."""
  return tuple(
    name for name, p in parameters(entry).items() if _is_traced(p.annotation)
  )


def required(entry: Entry, given: Collection[str] = ()) -> tuple[str, ...]:
  """The names of an entry's arguments that have no default."""
  found = parameters(entry, given).items()
  return tuple(name for name, p in found if p.default is p.empty)


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


def _takes(argument: str, accepted: Collection[str]) -> str:
  near = difflib.get_close_matches(argument, accepted, n=1)
  hint = f"did you mean {near[0]!r}? It" if near else "it"
  return f"{hint} takes {', '.join(accepted) or 'no arguments'}"


def _is_module(entry: Entry) -> bool:
  linen = sys.modules.get("flax.linen")  # without it, nothing is one
  return (
    linen is not None
    and inspect.isclass(entry)
    and issubclass(entry, linen.Module)
  )


def _annotation(entry: Entry, parameter: inspect.Parameter) -> Any:
  """What is annotated, evaluated where it was written as text."""
  text = parameter.annotation
  if not isinstance(text, str):
    return text
  places = [vars(sys.modules[c.__module__]) for c in _classes(entry)]
  places.append(getattr(inspect.unwrap(entry), "__globals__", {}))
  for place in places:
    try:
      return eval(text, dict(place))
    except Exception:  # it exists for type checkers alone, or elsewhere
      continue
  return text


def _classes(entry: Entry) -> tuple[type, ...]:
  return inspect.getmro(entry) if inspect.isclass(entry) else ()


def _is_traced(annotation: Any) -> bool:
  if get_origin(annotation) is Annotated:
    return _TRACED in get_args(annotation)[1:]
  return any(map(_is_traced, get_args(annotation)))
