"""What kinds share: lines over seeds, and axes of fractions."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bnjax.lab.report.marks import Axis, Line, Panel
from bnjax.lab.report.run import Run
from bnjax.lab.report.style import Look
from bnjax.lab.report.wording import plural
from bnjax.lab.results import aggregate
from bnjax.lab.results.probes import Seen

_NEAR = 0.15  # fractions whose ends are no further apart are looked at closely


def mean_line(
  name: str,
  look: Look,
  x: Sequence[float] | np.ndarray,
  seeds: Mapping[int, np.ndarray],
  *,
  dots: bool = False,
) -> Line:
  """The mean of some seeds' lines, with the band from least to greatest.

  What is not finite is left out. Every point has a symbol if `dots`.
  """
  values = np.array(list(seeds.values()), np.float64)
  mean, low, high = aggregate.over_seeds(values)
  shown = np.count_nonzero(~np.isnan(mean))
  several = len(seeds) > 1
  return Line(
    name,
    look.color,
    np.asarray(x, np.float64),
    mean,
    low=low if several else None,
    high=high if several else None,
    seeds=seeds if several else {},
    symbol=look.mark or ("o" if dots or shown == 1 else ""),
    label=name if shown else "",
  )


def seeds_caption(panels: Iterable[Panel]) -> list[str]:
  """Says what lines and bands are, of panels whose lines have their seeds."""
  marks = [mark for panel in panels for mark in panel.marks]
  return band_caption(
    max(len(m.seeds) for m in marks if isinstance(m, Line)) or 1
  )


def band_caption(seeds: int, mean: str = "mean") -> list[str]:
  """Says what lines and bands are."""
  band = ["band: smallest to largest"] if seeds > 1 else []
  return [f"line: {mean} of {plural(seeds, 'seed')}", *band]


def of_seed(seen: Sequence[Seen], seed: int | None) -> list[Seen]:
  """What was seen of one network: the first one where that was not trained."""
  seeds = [one.seed for one in seen]
  own = seed if seed in seeds else min(seeds, default=None)
  return [one for one in seen if one.seed == own]


def arm_rows(run: Run, arms: Sequence[str]) -> Axis:
  """The vertical axis of rows, an arm each, from top to bottom."""
  return Axis(
    names=arms,
    colors=[run.looks[arm].color for arm in arms],
    low=len(arms) - 0.5,
    high=-0.5,
  )


def finite(lines: Iterable[Line]) -> np.ndarray:
  """The finite numbers of lines and their bands."""
  parts = [part for line in lines for part in (line.y, line.low, line.high)
           if part is not None]  # fmt: skip
  values = np.concatenate(parts)
  return values[np.isfinite(values)]


def fraction_axis(lines: Sequence[Line], label: str) -> Axis:
  """The axis of fractions over steps.

  It is from 0 to 1, or to the tenth above all values; where the ends of all
  lines lie near one another it follows what they do after the first quarter of
  the steps, and they come up from below.
  """
  last = max(float(line.x[-1]) for line in lines)
  ends = [line.y[np.isfinite(line.y)][-1] for line in lines if line.label]
  values = finite(lines)
  top = float(values.max()) if values.size else 1.0
  high = 1.0 if top > 0.8 else math.ceil(10 * top + 0.1) / 10
  bottoms = [line.y if line.low is None else line.low for line in lines]
  late = np.concatenate(
    [b[line.x >= last / 4] for line, b in zip(lines, bottoms, strict=True)]
  )
  low = 0.0
  if ends and max(ends) - min(ends) <= _NEAR and np.isfinite(late).any():
    least = float(np.nanmin(late))
    low = max(0.0, math.floor(20 * least - 0.2) / 20) if least > 0.3 else 0.0
  return Axis(
    label=label, low=low, high=high + 0.02 * (high - low), switch=True
  )
