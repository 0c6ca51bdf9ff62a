"""How rules and figures name what was measured.

    test_accuracy                         a metric of the rows
    test_accuracy@learning_rate=1,l2=0    the same at a point of the grid
    trained_fraction                      derived from a grid, see `grids`
    weight_variance/dense_18/kernel       a probe's number at a layer
    percentiles/preactivation_2[0][1]     an element of a probe's list
    steps_to:test_accuracy>=0.95          the first step that reaches it
    max:test_accuracy                     the greatest over steps
    min:loss                              the least over steps
    range:percentiles/preactivation_2[1]  greatest minus least over steps
    median:drift/activation_2             the median over steps; or the mean
    growth:gradient_variance/activation_{1..18}
                                          per layer, from layer 18 back to 1
    slope:ratio/branch_{8..63}            the power of the layer's number as
                                          which it grows
    distance:loss                         from the arm's published curve of it
    median:drift/activation_2@best        at each seed's best point of the grid

What follows `steps_to:`, `max:`, `min:`, `range:`, `mean:` and `median:` is any
of the names above them; `@best` may end every name. `derived` says how each is
computed, and `grids` which point is best.
"""

import dataclasses
import re
from collections.abc import Callable
from typing import Any

_OVER_STEPS = {
  "max": "greatest ",
  "min": "least ",
  "range": "range of ",
  "mean": "mean over steps of ",
  "median": "median over steps of ",
}
_BEST = "@best"

_STEPS_TO = re.compile(r"(?P<of>.+?)(?P<sign>>=|<=)(?P<threshold>[^<>=]+)")
_RANGE = re.compile(
  r"(?P<before>[^/]+/[^{}]*)\{(?P<last>\d+)\.\.(?P<first>\d+)\}"
  r"(?P<after>[^{}@]*)(?P<point>@.*)?"
)
_INDEX = re.compile(r"(?P<layer>[^\[\]]+)(?P<index>(\[\d+\])*)")


@dataclasses.dataclass(frozen=True)
class Metric:
  """A metric of the rows, or one that a grid gives; perhaps at a point."""

  metric: str
  point: tuple[tuple[str, Any], ...] = ()


@dataclasses.dataclass(frozen=True)
class Probe:
  """A number that a probe recorded at a layer, or one of a list of them."""

  probe: str
  layer: str
  index: tuple[int, ...] = ()
  point: tuple[tuple[str, Any], ...] = ()

  @property
  def metric(self) -> str:
    """Its name without the point."""
    index = "".join(f"[{place}]" for place in self.index)
    return f"{self.probe}/{self.layer}{index}"


@dataclasses.dataclass(frozen=True)
class StepsTo:
  """The first recorded step at which something is on the wanted side."""

  of: "Name"
  threshold: float
  at_least: bool


@dataclasses.dataclass(frozen=True)
class OverSteps:
  """A number of all steps: a key of `_OVER_STEPS`."""

  kind: str
  of: "Name"


@dataclasses.dataclass(frozen=True)
class Growth:
  """The factor per layer by which a probe's number grows.

  Attributes:
    layers: names of probe and layer, from where it grows to where: backwards
      for a gradient.
  """

  layers: tuple[Probe, ...]


@dataclasses.dataclass(frozen=True)
class Slope:
  """The power of the layer's number as which a probe's number grows.

  Attributes:
    layers: names of probe and layer.
    numbers: of the layers, from 1.
  """

  layers: tuple[Probe, ...]
  numbers: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Distance:
  """How far a metric is from the curve of it that is published for the arm."""

  of: Metric


@dataclasses.dataclass(frozen=True)
class AtBest:
  """Anything at the point of the grid that is best for the seed."""

  of: "Name"


Name = Metric | Probe | StepsTo | OverSteps | Growth | Slope | Distance | AtBest


def recorded(name: Name) -> tuple[Metric | Probe, ...]:
  """The metrics of rows, or numbers of probes, that a name is computed from."""
  match name:
    case Metric() | Probe():
      return (name,)
    case Growth() | Slope():
      return name.layers
  return recorded(name.of)


def placed(name: Name, point: tuple[tuple[str, Any], ...]) -> Name:
  """The same at a point of the grid."""
  match name:
    case Metric() | Probe():
      return dataclasses.replace(name, point=point)
    case Growth() | Slope():
      layers = (dataclasses.replace(x, point=point) for x in name.layers)
      return dataclasses.replace(name, layers=tuple(layers))
    case Distance():
      return Distance(dataclasses.replace(name.of, point=point))
  return dataclasses.replace(name, of=placed(name.of, point))


def parse_name(text: str) -> Name:
  """Reads a name.

  Raises:
    ValueError: it is none; the one-line message says what would be.

  >>> parse_name("steps_to:loss<=0.5")
  StepsTo(of=Metric(metric='loss', point=()), threshold=0.5, at_least=False)
  >>> parse_name("norm/dense_{1..3}") # doctest: +IGNORE_EXCEPTION_DETAIL
  Traceback (most recent call last):
  ValueError: 'norm/dense_{1..3}' names several layers...
  """
  if not isinstance(text, str) or not text:
    raise ValueError(f"{text!r} is not the name of a metric")
  if text.endswith(_BEST):
    return AtBest(parse_name(text.removesuffix(_BEST)))
  kind, colon, rest = text.partition(":")
  if not colon:
    return _simple(text)
  if kind == "steps_to":
    found = _STEPS_TO.fullmatch(rest)
    threshold = _number(found["threshold"]) if found else None
    if found is None or not isinstance(threshold, int | float):
      raise ValueError(f"{text!r}: write steps_to:METRIC>=NUMBER, or <=")
    at_least = found["sign"] == ">="
    return _of(found["of"], lambda of: StepsTo(of, float(threshold), at_least))
  if kind in _OVER_STEPS:
    return _of(rest, lambda of: OverSteps(kind, of))
  if kind == "growth":
    return Growth(tuple(reversed(_layers(text, rest)[0])))
  if kind == "slope":
    layers, numbers = _layers(text, rest)
    if min(numbers) < 1:
      raise ValueError(f"{text!r}: number 0 has no logarithm; begin at 1")
    return Slope(layers, numbers)
  if kind == "distance":
    of = parse_name(rest)
    if not isinstance(of, Metric) or of.point:
      raise ValueError(f"{text!r}: write distance:METRIC")
    return Distance(of)
  kinds = ", ".join((*_OVER_STEPS, "steps_to", "growth", "slope", "distance"))
  raise ValueError(
    f"{text!r}: {kind!r} is unknown before a colon; valid: {kinds}"
  )


def _of(text: str, make: Callable[[Name], Name]) -> Name:
  """What is made of a name; at the best point where that is."""
  inner = parse_name(text)
  if isinstance(inner, AtBest):
    return AtBest(make(inner.of))
  return make(inner)


def _simple(text: str) -> Metric | Probe:
  name, point = split_point(text)
  if re.search(r"[{}<>=]", name):
    raise ValueError(
      f"{text!r} names several layers or a threshold: write "
      "growth:PROBE/LAYER_{1..18} or steps_to:METRIC>=NUMBER"
    )
  probe, slash, layer = name.partition("/")
  if not slash:
    return Metric(name, point)
  found = _INDEX.fullmatch(layer)
  if not found or not probe:
    raise ValueError(f"{text!r}: write PROBE/LAYER or PROBE/LAYER[INDEX]")
  index = tuple(map(int, re.findall(r"\d+", found["index"])))
  return Probe(probe, found["layer"], index, point)


def _layers(text: str, rest: str) -> tuple[tuple[Probe, ...], tuple[int, ...]]:
  """The probe at each layer of a range, and the numbers of the layers."""
  found = _RANGE.fullmatch(rest)
  if not found or found["first"] == found["last"]:
    kind = text.partition(":")[0]
    back = ", which goes from layer 18 back to layer 1" * (kind == "growth")
    raise ValueError(f"{text!r}: write {kind}:PROBE/LAYER_{{1..18}}{back}")
  pattern = f"{{{found['last']}..{found['first']}}}"
  place = found["point"] or ""
  whole = expand(f"{found['before']}{pattern}{found['after']}")
  names = (_simple(layer + place) for layer in whole)
  numbers = map(int, expand(pattern))
  return tuple(n for n in names if isinstance(n, Probe)), tuple(numbers)


def expand(pattern: str) -> list[str]:
  """The names that a pattern with one range stands for.

  >>> expand("activation_{1..3}"), expand("dense_{2..1}/kernel")
  (['activation_1', 'activation_2', 'activation_3'],
   ['dense_2/kernel', 'dense_1/kernel'])
  """
  found = re.fullmatch(r"([^{}]*)\{(\d+)\.\.(\d+)\}([^{}]*)", pattern)
  if not found:
    if re.search(r"[{}]", pattern):
      raise ValueError(f"{pattern!r}: write a range of layers as {{1..18}}")
    return [pattern]
  before, first, last, after = found.groups()
  sign = 1 if int(first) <= int(last) else -1
  numbers = range(int(first), int(last) + sign, sign)
  return [f"{before}{number}{after}" for number in numbers]


def split_point(text: str) -> tuple[str, tuple[tuple[str, Any], ...]]:
  """A name without its point, and the point.

  >>> split_point("preactivation_2@learning_rate=0.5")
  ('preactivation_2', (('learning_rate', 0.5),))
  """
  name, at, place = text.partition("@")
  return name, _point(text, place) if at else ()


def _point(text: str, place: str) -> tuple[tuple[str, Any], ...]:
  pairs = []
  for part in place.split(","):
    field, equals, value = part.partition("=")
    if not (field.strip() and equals and value.strip()):
      raise ValueError(f"{text!r}: write a point as METRIC@FIELD=VALUE,...")
    pairs.append((field.strip(), _number(value.strip())))
  return tuple(pairs)


def _number(text: str) -> Any:
  """A number where the text is one, and the text itself where not."""
  for kind in (int, float):
    try:
      return kind(text)
    except ValueError:
      continue
  return {"True": True, "False": False}.get(text, text)


def words(text: str) -> str:
  """A name in words, for tables and titles.

  >>> words("steps_to:test_accuracy>=0.95"), words("max:test_accuracy")
  ('steps to test accuracy ≥ 0.95', 'greatest test accuracy')
  >>> words("growth:gradient_variance/activation_{1..18}")
  'growth per layer of gradient variance, activation 18 to 1'
  """
  name = _parsed(text)
  return _words(name) if name else text.replace("_", " ")


def is_fraction(text: str) -> bool:
  """Whether a metric lies between 0 and 1 and is read as a share.

  >>> is_fraction("max:test_accuracy"), is_fraction("loss")
  (True, False)
  """
  name = _parsed(text)
  while isinstance(name, OverSteps | AtBest):
    name = name.of
  last = name.metric if isinstance(name, Metric) else ""
  return last.endswith(("accuracy", "fraction"))


def counts_steps(text: str) -> bool:
  """Whether a metric is a number of training steps."""
  name = _parsed(text)
  return isinstance(name.of if isinstance(name, AtBest) else name, StepsTo)


def _parsed(text: str) -> Name | None:
  try:
    return parse_name(text)
  except ValueError:
    return None


def _words(name: Name) -> str:
  match name:
    case Metric():
      return name.metric.replace("_", " ") + _place(name.point)
    case Probe():
      at = "".join(f"[{index}]" for index in name.index)
      return (
        f"{name.probe.replace('_', ' ')}, {name.layer.replace('_', ' ')}{at}"
        + _place(name.point)
      )
    case StepsTo():
      sign = "≥" if name.at_least else "≤"
      return f"steps to {_words(name.of)} {sign} {name.threshold:g}"
    case OverSteps():
      return _OVER_STEPS[name.kind] + _words(name.of)
    case AtBest():
      return f"{_words(name.of)} at the best point"
    case Growth():
      return f"growth per layer of {_words_of_range(name.layers)}"
    case Slope():
      return f"power of the layer's number in {_words_of_range(name.layers)}"
    case Distance():
      return f"mean |log10| of {_words(name.of)} over the published one"


def _words_of_range(layers: tuple[Probe, ...]) -> str:
  first, last = (
    re.split(r"(\d+)", layer.layer) for layer in (layers[0], layers[-1])
  )
  to = next(b for a, b in zip(first, last, strict=True) if a != b)
  return f"{_words(layers[0])} to {to}"


def _place(point: tuple[tuple[str, Any], ...]) -> str:
  if not point:
    return ""
  parts = [
    f"{field.rpartition('.')[2].replace('_', ' ')} {value}"
    for field, value in point
  ]
  return " at " + ", ".join(parts)
