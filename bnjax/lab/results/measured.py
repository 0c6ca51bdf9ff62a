"""Everything a run measured, found by the names that rules and figures use."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from bnjax.lab.results import derived, names
from bnjax.lab.results.aggregate import (
  Curve,
  curves,
  diverged_steps,
  is_time,
)
from bnjax.lab.results.grids import LARGEST, PLAIN, Grid, grids
from bnjax.lab.results.points import short_names
from bnjax.lab.results.probes import Probes
from bnjax.lab.results.rows import Row, Table
from bnjax.lab.results.rules import Rules
from bnjax.lab.results.settings import arm_names, setting


class Values(NamedTuple):
  """A metric at one step.

  Attributes:
    numbers: seed -> value; NaN where it was not finite.
    bounds: seed -> 1 where the value is known only to be at least the number,
      -1 where at most, else 0.
    step: the training step.
    shared: whether it is a time that all seeds were measured by together.
    above: seed -> the grid's next value, where the number is the largest value
      of a grid at which something is so: up to where it is lies between.
  """

  numbers: dict[int, float]
  bounds: dict[int, int]
  step: int
  shared: bool
  above: Mapping[int, float] = {}

  @property
  def inexact(self) -> bool:
    """Whether some numbers are but bounds, or one time shared by all."""
    return self.shared or any(self.bounds.values())


class Measured:
  """The records of a run.

  Attributes:
    config: the resolved config.
    rules: how it is judged and what is shown of it.
    rows: of metrics.
    arms: their names, in the config's order.
    steps: how many steps each arm is to train for.
    plain: curves by (arm, metric), of runs without a grid; times among them.
    grids: arm -> its grid, for those that have one.
    probes: what probes saw.
    diverged: arm -> seed -> the step at which it diverged, without a grid.
  """

  def __init__(
    self,
    config: Mapping[str, Any],
    rows: Iterable[Row],
    probes: Iterable[Row] = (),
    rules: Rules = PLAIN,
  ):
    """Groups rows of metrics and of probes.

    Raises:
      ValueError: a row is not as it should be, see `Table`.
    """
    self.config = config
    self.rules = rules
    self.rows = Table.of_metrics(rows)
    seen = Table.of_probes(probes)
    frame = self.rows.frame
    single = Table(frame[frame["point"].isna()])
    self.plain = curves(single, times=True)
    self.diverged = diverged_steps(single)
    self.grids = grids(config, self.rows, rules)
    self.probes = Probes(seen)
    self.arms = arm_names(config, [*self.rows.arms, *seen.arms])
    self.steps = {arm: setting(config, arm, "steps") or 0 for arm in self.arms}
    self._found: dict[tuple[str, str], Curve | None] = {}

  def metrics(self, arm: str) -> list[str]:
    """What tables may list of an arm without being asked for it by name."""
    if grid := self.grids.get(arm):
      return grid.derived()
    return [m for name, m in self.plain if name == arm and not is_time(m)]

  def curve(self, arm: str, name: str) -> Curve | None:
    """What `name` (see `names`) is for each seed, over steps, if anything.

    Raises:
      ValueError: `name` is not a name, or does not lead to one number.
    """
    key = arm, name
    if key not in self._found:
      self._found[key] = self.find(arm, names.parse_name(name), name)
    return self._found[key]

  def find(self, arm: str, name: names.Name, text: str = "") -> Curve | None:
    """As `curve`, of a name that is parsed; `text` is the curve's."""
    match name:
      case names.Metric():
        return self._metric(arm, name)
      case names.Probe():
        return self.probes.curve(arm, name)
      case names.StepsTo():
        if inner := self.find(arm, name.of, text):
          return derived.steps_to(
            inner, name.threshold, at_least=name.at_least, name=text
          )
        return None
      case names.OverSteps():
        inner = self.find(arm, name.of, text)
        return inner and derived.over_steps(inner, name.kind, name=text)
      case names.AtBest():
        parts = [
          (seeds, curve)
          for seeds, at in self.at_best(arm, name)
          if (curve := self.find(arm, at, text)) is not None
        ]
        return derived.joined(parts) if parts else None
      case names.Growth() | names.Slope():
        found = [self.probes.curve(arm, layer) for layer in name.layers]
        whole = [curve for curve in found if curve is not None]
        if len(whole) < len(found):
          return None
        if isinstance(name, names.Slope):
          return derived.slope(whole, name.numbers, name=text)
        return derived.growth(whole, name=text)
      case names.Distance():
        inner = self._metric(arm, name.of)
        key = arm, name.of.metric
        for line in self.rules.curves:
          if inner is not None and (line.arm, line.metric) == key:
            return derived.distance(inner, line, name=text)
        return None

  def at_best(
    self, arm: str, name: names.AtBest
  ) -> Iterator[tuple[list[int], names.Name]]:
    """Each point that is best for some seeds: these, and the name there."""
    if grid := self.grids.get(arm):
      best = grid.best_places()
      for place, point in enumerate(grid.points):
        if seeds := [seed for seed, found in best.items() if found == place]:
          pairs = tuple(zip(grid.fields, point, strict=True))
          yield seeds, names.placed(name.of, pairs)

  def _metric(self, arm: str, name: names.Metric) -> Curve | None:
    grid = self.grids.get(arm)
    if grid is None:
      return None if name.point else self.plain.get((arm, name.metric))
    if name.point:
      return grid.at(name.point, name.metric)
    return grid.derive(name.metric)

  def final_step(self, arm: str, name: str) -> int:
    """The step at which a rule that names none looks at a metric.

    It is the last step the arm is to train for, so that an unfinished run is
    not judged; a probe may have looked at no later step than some earlier one.
    """
    probed = isinstance(names.recorded(names.parse_name(name))[0], names.Probe)
    if probed and (curve := self.curve(arm, name)):
      return curve.last_step
    return self.steps.get(arm, 0)

  def values(self, arm: str, name: str, step: int | None = None) -> Values:
    """A metric of each seed at a step; at `final_step` if None."""
    at = self.final_step(arm, name) if step is None else step
    curve = self.curve(arm, name)
    if curve is None:
      return Values({}, {}, at, False)
    numbers = curve.at(at)
    together = is_time(name.partition("@")[0]) and len(numbers) > 1
    shared = together and len(set(numbers.values())) == 1
    bounds = curve.bounds_at(at)
    grid = self.grids.get(arm)
    above = _above(grid, name, numbers, bounds) if grid else {}
    return Values(numbers, bounds, at, shared, above)


def _above(
  grid: Grid, name: str, largest: Mapping[int, float], bounds: Mapping[int, int]
) -> dict[int, float]:
  """Seed -> the grid's next value, where `name` is a largest one.

  Seeds whose largest value is the end of the axis have none.
  """
  shorts = {LARGEST + s: field for field, s in short_names(grid.fields).items()}
  if name not in shorts:
    return {}
  axis = grid.axis(shorts[name])
  return {
    seed: float(min(other for other in axis if other > value))
    for seed, value in largest.items()
    if not bounds.get(seed) and value < max(axis)
  }
