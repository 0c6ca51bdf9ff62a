"""The kinds of figures that rules may ask for, and their options.

`bnjax.lab.report` draws them. Metrics are named as `names` says.

>>> Curves(metrics=("loss",), log_x=True).log_x
True
>>> Curves(metrics="loss")
Traceback (most recent call last):
ValueError: Curves.metrics is 'loss', but should be a list, each of it a text
"""

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from bnjax.lab.results.checked import Checked
from bnjax.lab.results.names import expand, parse_name, split_point


@dataclasses.dataclass(frozen=True, kw_only=True)
class Figure(Checked):
  """What every figure has.

  Attributes:
    title: above it; what it shows if empty.
    arms: which ones, in this order; all if empty.
  """

  title: str = ""
  arms: tuple[str, ...] = ()

  def named_metrics(self) -> list[str]:
    """The names of metrics that it needs."""
    return []

  def recorded_metrics(self) -> list[str]:
    """The metrics of the rows that it looks at point by point."""
    return []

  def check(self) -> None:
    """Checks the names of metrics and layers."""
    for name in self.named_metrics():
      _check_name(f"{type(self).__name__}.metrics", name)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Curves(Figure):
  """Metrics over training steps: the mean over seeds and their range.

  Attributes:
    metrics: one panel each, from top to bottom.
    log_x: logarithmic steps; step 0 has a place of its own.
    log_y: logarithmic values; as the metric deserves if None.
    low: of the y axis; as the values are if None.
    high: likewise.
    epochs: whether the x axis counts passes over the training set.
    titles: of the panels; the metrics in words if empty.
    claims: names of claims whose verdicts stand beside the titles, one a
      panel; "" for none, as where the rules have no such claim.
    label: of the y axis; the metric's unit if empty.
  """

  kind: ClassVar[str] = "curves"

  metrics: tuple[str, ...]
  log_x: bool = False
  log_y: bool | None = None
  low: float | None = None
  high: float | None = None
  epochs: bool = False
  titles: tuple[str, ...] = ()
  claims: tuple[str, ...] = ()
  label: str = ""

  def named_metrics(self) -> list[str]:
    """See `Figure`."""
    return list(self.metrics)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Final(Figure):
  """Metrics at one step, an arm a line: seeds, mean, interval, published.

  Attributes:
    metrics: one panel each, side by side.
    step: the last one if None.
    log_x: logarithmic values.
    titles: of the panels; the metrics in words if empty.
  """

  kind: ClassVar[str] = "final"

  metrics: tuple[str, ...]
  step: int | None = None
  log_x: bool = False
  titles: tuple[str, ...] = ()

  def named_metrics(self) -> list[str]:
    """See `Figure`."""
    return list(self.metrics)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Field(Figure):
  """Metrics over the values of a field: of the grid, or of the arms.

  Over the grid's field there is a line an arm, at the best value of the grid's
  other fields; over a field of which each arm has its own value, a line for
  each metric and group of arms.

  Attributes:
    x: the dotted field.
    metrics: what is drawn; over a grid's field one panel each.
    steps: one panel each; the last step alone if empty.
    groups: name -> arms of one line; all arms are one line if empty.
    log_x: logarithmic values of the field.
    log_y: logarithmic metric.
    low: of the y axis; as the values are if None.
    high: likewise.
    label: of the x axis; the field's name if empty.
  """

  kind: ClassVar[str] = "field"

  x: str
  metrics: tuple[str, ...]
  steps: tuple[int, ...] = ()
  groups: Mapping[str, tuple[str, ...]] = dataclasses.field(
    default_factory=dict
  )
  log_x: bool = True
  log_y: bool = False
  low: float | None = None
  high: float | None = None
  label: str = ""

  def recorded_metrics(self) -> list[str]:
    """See `Figure`."""
    return list(self.metrics)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Percentiles(Figure):
  """Percentiles over training steps as the 2015 paper draws them: Figure 1bc.

  Attributes:
    probe: its values are the percentiles, or those of several units:
      [percentages] or [percentages, units].
    layer: where; with a grid at one of its points, "preactivation_2@l2=0".
    unit: which unit, where there are several.
    seed: whose network; the first one's if None or not trained.
    log_x: logarithmic steps.
    low: of the y axis; as the values are if None.
    high: likewise.
    label: of the y axis.
  """

  kind: ClassVar[str] = "percentiles"

  probe: str
  layer: str
  unit: int = 0
  seed: int | None = None
  log_x: bool = False
  low: float | None = None
  high: float | None = None
  label: str = ""

  def named_metrics(self) -> list[str]:
    """See `Figure`."""
    return [f"{self.probe}/{self.layer}"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeatMap(Figure):
  """A metric over two fields, averaged over seeds.

  Over two fields of the grid there is a panel an arm; where one or both are
  fields of which each arm has its own value, one panel of all arms.

  Attributes:
    x: dotted field of the grid or of the arms; the grid's first one if empty.
    y: likewise, the second; the best is taken over any further ones.
    metric: `grid_metric` if empty.
    threshold: where the contour is; `grid_threshold` if None.
    step: the last one if None.
    low: the colours' range; 0 to 1 for an accuracy.
    high: likewise.
    x_label: the field's name if empty.
    y_label: likewise.
    lines: what it is -> (x, y), values of the fields: dashed lines over the
      cells, such as a published border.
  """

  kind: ClassVar[str] = "heat_map"

  x: str = ""
  y: str = ""
  metric: str = ""
  threshold: float | None = None
  step: int | None = None
  low: float | None = None
  high: float | None = None
  x_label: str = ""
  y_label: str = ""
  lines: Mapping[str, tuple[tuple[float, float], ...]] = dataclasses.field(
    default_factory=dict
  )

  def recorded_metrics(self) -> list[str]:
    """See `Figure`."""
    return [self.metric] if self.metric else []


@dataclasses.dataclass(frozen=True, kw_only=True)
class _OfLayers(Checked):
  """What figures of a probe's layers have.

  Attributes:
    probe: what saw the layers.
    layers: "activation_{1..19}", a pattern such as "*/kernel", or a list of
      these; all that the probe saw if empty.
    at: with a grid the point that is shown: "l2=0,init_scale=1".
    step: the last one at which it looked if None.
    label: of the axis of values.
  """

  probe: str
  layers: tuple[str, ...] = ()
  at: str = ""
  step: int | None = None
  label: str = ""

  def check(self) -> None:
    """Writes ranges of layers out, and checks the point."""
    try:
      layers = tuple(name for own in self.layers for name in expand(own))
    except ValueError as error:
      raise self.wrong("layers", f"has {error}") from None
    object.__setattr__(self, "layers", layers)
    self.point()

  def point(self) -> tuple[tuple[str, Any], ...]:
    """The values of the grid's fields; none without a grid."""
    return split_point(f"{self.probe}@{self.at}" if self.at else self.probe)[1]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layers(_OfLayers, Figure):
  """A number of each layer, a line an arm; as a table, a column an arm.

  The mean over seeds is geometric on a logarithmic axis.

  Attributes:
    log_x: logarithmic numbers of the layers.
    log_y: logarithmic values.
    reference: a factor per layer, going backwards, drawn as a dashed line.
    reference_text: what it is.
    reference_arm: whose last layer it starts from; the first arm's if empty.
  """

  kind: ClassVar[str] = "layers"

  log_x: bool = False
  log_y: bool = True
  reference: float | None = None
  reference_text: str = ""
  reference_arm: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Histograms(_OfLayers, Figure):
  """Histograms of layers, a column a layer and a row an arm.

  The probe's values are counts, and it has edges.

  Attributes:
    steps: of one layer, a column an arm and a row each of these.
    seed: of this one alone, the first one where it was not trained; the sum
      of all if None.
    log_counts: logarithmic counts.
    shared: whether all panels have one x axis.
  """

  kind: ClassVar[str] = "histograms"

  steps: tuple[int, ...] = ()
  seed: int | None = None
  log_counts: bool = False
  shared: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class Fan(_OfLayers, Figure):
  """A probe's list over given numbers: a panel an arm, a line a step.

  Lines are means over seeds, geometric on a logarithmic axis; the later the
  step, the stronger its colour. Or a line a layer, likewise.

  Attributes:
    x: a number for each element of the list.
    column: which number of an element, where that is a list itself.
    steps: which ones; all at which the probe looked if empty.
    by_layer: a line a layer, all of an arm in one panel, at `step`.
    log_x: logarithmic numbers.
    log_y: logarithmic values.
    x_label: of the axis of numbers.
  """

  kind: ClassVar[str] = "fan"

  x: tuple[float, ...]
  column: int = 0
  steps: tuple[int, ...] = ()
  by_layer: bool = False
  log_x: bool = True
  log_y: bool = True
  x_label: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Strips(_OfLayers, Figure):
  """A probe's list over given numbers: a panel an arm, a strip a network.

  Each strip's colours are of the list divided by its greatest magnitude, as a
  deep network's gradients have any. Of several layers the first one is shown.

  Attributes:
    x: the numbers of the first and of the last element; between them are equal
      steps.
    column: which number of an element, where that is a list itself.
    networks: the most of an arm's networks that are shown, the first seeds.
    x_label: of the axis of numbers.
  """

  kind: ClassVar[str] = "strips"

  x: tuple[float, float]
  column: int = 0
  networks: int = 3
  x_label: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepsTo(Figure):
  """How many steps each arm takes to a threshold, as bars.

  Attributes:
    metric: what is to reach it.
    thresholds: one bar each.
    at_least: whether it is reached from below.
    log_x: logarithmic steps.
  """

  kind: ClassVar[str] = "steps_to"

  metric: str
  thresholds: tuple[float, ...]
  at_least: bool = True
  log_x: bool = False

  def named_metrics(self) -> list[str]:
    """See `Figure`."""
    return self.names()

  def names(self) -> list[str]:
    """The metric that each bar shows, see `bnjax.lab.results.names`."""
    sign = ">=" if self.at_least else "<="
    return [f"steps_to:{self.metric}{sign}{t}" for t in self.thresholds]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Custom(Figure):
  """A figure that a function from outside of bnjax makes.

  Attributes:
    function: "package.module:object", called with `measured`, the run's
      `bnjax.lab.results.Measured`, and the options; returns a
      `bnjax.lab.report.marks.Figure`, or None where there is nothing to show.
      Where `arms` are named, these too are given to it.
    options: its further arguments, such as JSON holds; tuples become lists.
  """

  kind: ClassVar[str] = "custom"

  function: str
  options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

  def check(self) -> None:
    """Checks that the name is one of an object, and what the options are."""
    module, _, name = self.function.partition(":")
    parts = [*module.split("."), *name.split(".")]
    if not all(part.isidentifier() for part in parts):
      raise self.wrong(
        "function",
        f"is {self.function!r}, but should be 'package.module:object'",
      )
    try:
      options = json.loads(json.dumps(self.options, allow_nan=False))
    except (TypeError, ValueError) as error:
      raise self.wrong(
        "options", f"are not as JSON has them: {error}"
      ) from None
    object.__setattr__(self, "options", options)

  def arguments(self) -> dict[str, Any]:
    """What the function is given beside `measured`."""
    return {**self.options, **({"arms": list(self.arms)} if self.arms else {})}


def check_file_name(name: str) -> None:
  """Checks the name of a figure, which its file bears.

  Raises:
    ValueError: it could be a path, or is not fit for a file.

  >>> check_file_name("../x")
  Traceback (most recent call last):
  ValueError: a figure is named '../x', but its file needs a name of letters,
  digits, spaces and _ . , = + -
  """
  if not re.fullmatch(r"\w[\w .,=+-]{0,59}", name):
    raise ValueError(
      f"a figure is named {name!r}, but its file needs a name of letters, "
      "digits, spaces and _ . , = + -"
    )


def _check_name(path: str, name: str) -> None:
  try:
    parse_name(name)
  except ValueError as error:
    raise ValueError(f"{path}: {error}") from None
