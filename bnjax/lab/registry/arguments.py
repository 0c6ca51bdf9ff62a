"""The arguments of a function or of a Flax module: which, of what type."""

import difflib
import functools
import inspect
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any, TypeVar, get_args, get_origin

from bnjax.lab.errors import UserError
from bnjax.lab.registry.names import lookup
from bnjax.lab.registry.values import check_value, is_plain

T = TypeVar("T")
Entry = Callable[..., Any]

_KEYWORDS = (
  inspect.Parameter.POSITIONAL_OR_KEYWORD,
  inspect.Parameter.KEYWORD_ONLY,
)
_TRACED = "traced"
# `Traced[float]`: networks of one compiled program may each have a value of
# their own. What takes it gets a float, or an array that is traced.
Traced = Annotated[T, _TRACED]


def parameters(
  entry: Entry, given: Collection[str] = ()
) -> dict[str, inspect.Parameter]:
  """The arguments of an entry that a config may set, by name.

  Args:
    entry: a function, or a class such as a Flax module, by its fields.
    given: those that it is given otherwise, such as a model's `norm`.
  """
  return dict(_parameters(entry, tuple(given)))


def _remembered(function: Callable[..., T]) -> Callable[..., T]:
  """Keeps results, as a sweep asks anew for each of its points."""
  kept = functools.lru_cache(maxsize=256)(function)

  def call(*arguments: Any) -> T:
    try:
      return kept(*arguments)
    except TypeError:  # an object without a hash
      return function(*arguments)

  return call


@_remembered
def _parameters(
  entry: Entry, given: Collection[str]
) -> dict[str, inspect.Parameter]:
  own = ("parent", "name") if _is_module(entry) else ()
  return {
    name: parameter.replace(annotation=_annotation(entry, parameter))
    for name, parameter in inspect.signature(entry).parameters.items()
    if parameter.kind in _KEYWORDS and name not in (*own, *given)
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
  group = field.rpartition(".")[2]
  return _checked(field, f"{group}.name={name!r}", entry, set_here, given)


def _checked(
  field: str,
  who: str,
  entry: Entry,
  set_here: Mapping[str, Any],
  given: Collection[str],
) -> dict[str, Any]:
  """`checked`, where messages say who takes the arguments."""
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
      found[argument] = check_value(place, value, Any)
    else:
      near = difflib.get_close_matches(argument, accepted, n=1)
      hint = f"did you mean {near[0]!r}? It" if near else "it"
      known = ", ".join(accepted) or "no arguments"
      raise UserError(f"{place}: {who} does not take it; {hint} takes {known}")
  return found


def check_fields(group: str, module: Any) -> None:
  """Checks the fields of a Flax module as a config's are; traced ones pass.

  Args:
    group: of the config that names the module, for messages.
    module: its fields are as they are declared, or a `UserError` says which is
      not.
  """
  for name, parameter in parameters(type(module)).items():
    if is_plain(value := getattr(module, name)):
      check_value(f"{group}.{name}", value, parameter.annotation)


def filled(
  field: str,
  name: str,
  entry: Entry,
  set_here: Mapping[str, Any],
  given: Collection[str] = (),
) -> dict[str, Any]:
  """All arguments of an entry: of those that nobody set, its own defaults.

  Defaults that JSON cannot hold, such as functions, are left to the entry.

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


def bound(name: str, options: Mapping[str, Any]) -> Entry:
  """A function from outside with all but its first argument set.

  Raises:
    UserError: there is no such function, it does not take an option, or lacks
      one. Messages begin with "function" or "options".

  >>> bound("textwrap:indent", {"prefix": "> "})("a line")
  '> a line'
  >>> bound("textwrap:indent", {})
  Traceback (most recent call last):
  bnjax.lab.errors.UserError: options.prefix: is not set, and 'textwrap:indent'
  has no default for it
  """
  entry = lookup("function", name, {})
  given = list(inspect.signature(entry).parameters)[:1]
  if not given:
    raise UserError(f"function: {name!r} takes no argument, but is given one")
  _checked("options", repr(name), entry, options, given)
  for argument in required(entry, given):
    if argument not in options:
      raise UserError(
        f"options.{argument}: is not set, and {name!r} has no default for it"
      )
  return functools.partial(entry, **options)


def takes(entry: Entry) -> Callable[[str], bool]:
  """Whether an entry takes an argument, as a function of its name."""
  known, any_name = parameters(entry), _any_name(entry)
  return lambda argument: any_name or argument in known


@_remembered
def _any_name(entry: Entry) -> bool:
  found = inspect.signature(entry).parameters.values()
  return any(p.kind is p.VAR_KEYWORD for p in found)


def traced(entry: Entry) -> tuple[str, ...]:
  """The names of an entry's arguments that are annotated `Traced`."""
  return tuple(
    name for name, p in parameters(entry).items() if _is_traced(p.annotation)
  )


def required(entry: Entry, given: Collection[str] = ()) -> tuple[str, ...]:
  """The names of an entry's arguments that have no default."""
  found = parameters(entry, given).items()
  return tuple(name for name, p in found if p.default is p.empty)


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
