"""A figure before it is drawn: panels of two axes and marks.

A kind of figure makes one of these from what was measured; `on_paper` draws it
with Matplotlib and `on_page` with Plotly. Arrays are float64; NaN has no place.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SHORT = 6  # characters of a name that has room beside the narrowest panel


@dataclasses.dataclass(frozen=True, kw_only=True)
class Axis:
  """One axis of a panel.

  Attributes:
    label: its quantity with its unit.
    log: logarithmic; of steps from 0, with a place for 0.
    low: where it begins; as the marks are if None.
    high: where it ends; likewise.
    names: of the places 0, 1, 2, ...; an axis of numbers if empty.
    colors: of these names; all as text if empty.
    ticks: the numbers that are written; round ones if empty.
    powers: whether its numbers are decimal logarithms.
    switch: whether the page has a button between linear and logarithmic.
  """

  label: str = ""
  log: bool = False
  low: float | None = None
  high: float | None = None
  names: Sequence[str] = ()
  colors: Sequence[str] = ()
  ticks: Sequence[float] = ()
  powers: bool = False
  switch: bool = False

  def shown(self) -> list[int]:
    """The places whose names are written: of many cells every second or so."""
    every = -(-len(self.names) // 13) if self.low == -0.5 else 1
    return list(range(0, len(self.names), every))


class _Mark:
  """Whatever has arrays: of float64, whatever they were made of."""

  def __post_init__(self) -> None:
    """Makes the arrays; raises ValueError where x and y have not one length."""
    own = vars(self)
    for field in dataclasses.fields(self):  # type: ignore[arg-type]
      if field.type in (np.ndarray, np.ndarray | None) and (
        (value := own[field.name]) is not None
      ):
        array = np.asarray(value, np.float64)
        object.__setattr__(self, field.name, array)
    if "x" in own and self.x.shape != self.y.shape:  # type: ignore
      raise ValueError(f"{type(self).__name__}: x and y differ in length")


@dataclasses.dataclass(frozen=True)
class Line(_Mark):
  """A line, and perhaps the band around it and the seeds it is the mean of.

  Attributes:
    name: of the arm or whatever else it shows.
    color: hexadecimal.
    x: [points].
    y: [points].
    low: the lower edge of the band, if there is one.
    high: its upper edge.
    seeds: seed -> its own [points].
    symbol: marks on the line: "o", "s", "^", "v", "D"; none if empty.
    dashed: for what is no measurement of ours.
    label: written at its right end; nothing if empty.
    width: 1 as usual.
  """

  name: str
  color: str
  x: np.ndarray
  y: np.ndarray
  low: np.ndarray | None = None
  high: np.ndarray | None = None
  seeds: Mapping[int, np.ndarray] = dataclasses.field(default_factory=dict)
  symbol: str = ""
  dashed: bool = False
  label: str = ""
  width: float = 1.0

  @property
  def every(self) -> int:
    """Of how many points one has its symbol: of many about eight have."""
    return 1 if self.dashed or len(self.x) <= 20 else len(self.x) // 8


@dataclasses.dataclass(frozen=True)
class Points(_Mark):
  """Single points, perhaps with error bars.

  Attributes:
    name: of the arm.
    color: hexadecimal.
    x: [points].
    y: [points].
    error: half of each bar's length: [points].
    along: the axis along which the bars lie: "x" or "y".
    symbol: "o", "D", or "X" for a run that diverged, "<" and ">" for bounds.
    filled: else a ring.
    size: in points.
    says: what the page says of each on hover.
    label: its name in a legend, if it has one.
  """

  name: str
  color: str
  x: np.ndarray
  y: np.ndarray
  error: np.ndarray | None = None
  along: str = "y"
  symbol: str = "o"
  filled: bool = True
  size: float = 5.0
  says: Sequence[str] = ()
  label: str = ""


@dataclasses.dataclass(frozen=True)
class Interval:
  """An interval of x at a place of y."""

  name: str
  color: str
  low: float
  high: float
  place: float


@dataclasses.dataclass(frozen=True)
class Level:
  """A dashed level of y over the whole panel, or a range between two."""

  color: str
  low: float
  high: float | None = None


@dataclasses.dataclass(frozen=True)
class Bar:
  """A horizontal bar from 0, with a text at its end; hatched if a bound."""

  name: str
  color: str
  place: float
  length: float
  text: str
  end: float
  bound: bool = False


@dataclasses.dataclass(frozen=True)
class Ridge:
  """A histogram in a row about a place of y.

  Attributes:
    name: of the arm.
    color: hexadecimal.
    place: of y.
    edges: [bins + 1].
    density: [bins].
    log: whether heights are logarithms of the density.
    note: at its left, or on hover.
  """

  name: str
  color: str
  place: float
  edges: np.ndarray
  density: np.ndarray
  log: bool = False
  note: str = ""

  def outline(self) -> tuple[np.ndarray, np.ndarray]:
    """Its corners: x and y, each [2 * bins + 2]."""
    heights = self.density / max(float(self.density.max()), 1e-300)
    if self.log and (heights > 0).any():
      least = float(heights[heights > 0].min()) / 2
      heights = np.log(np.maximum(heights, least) / least) / -np.log(least)
    base = self.place + 0.43
    tops = base - 0.86 * np.repeat(heights, 2)
    return np.repeat(self.edges, 2), np.r_[base, tops, base]


@dataclasses.dataclass(frozen=True)
class Cells:
  """A coloured cell at each pair of places.

  Attributes:
    name: of the arm.
    values: [y, x]; NaN is grey.
    low: the colours' range.
    high: likewise.
    threshold: cells of at least this are fenced off from the others.
    crosses: [y, x]: the share of runs that diverged.
    says: [y][x]: what the page says of each on hover.
    label: of the colour bar.
  """

  name: str
  values: np.ndarray
  low: float
  high: float
  threshold: float | None
  crosses: np.ndarray
  says: Sequence[Sequence[str]]
  label: str

  def fence(self) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """The sides between cells at or above the threshold and the others."""
    if self.threshold is None:
      return []
    inside = self.values >= self.threshold  # False where it is NaN
    sides = []
    for y, x in zip(*np.nonzero(inside[:, 1:] != inside[:, :-1]), strict=True):
      sides.append(((x + 0.5, y - 0.5), (x + 0.5, y + 0.5)))
    for y, x in zip(*np.nonzero(inside[1:] != inside[:-1]), strict=True):
      sides.append(((x - 0.5, y + 0.5), (x + 0.5, y + 0.5)))
    return sides


Mark = Line | Points | Interval | Level | Bar | Ridge | Cells


@dataclasses.dataclass(frozen=True)
class Panel:
  """Two axes and the marks between them.

  Attributes:
    marks: from back to front.
    x: the horizontal axis.
    y: the vertical one.
    title: above it, at the left.
    note: above it, at the right.
  """

  marks: Sequence[Mark]
  x: Axis
  y: Axis
  title: str = ""
  note: str = ""


@dataclasses.dataclass(frozen=True)
class Figure:
  """Panels, row by row.

  Attributes:
    panels: at least one.
    title: above all of them; a single panel may have its own instead.
    caption: what the marks are, in parts.
    columns: how many panels lie side by side, where there is room.
    least: inches that a panel needs: below, there are fewer columns.
    height: inches of a panel; as wide as high if 0.
    share: the axes that panels share: "", "x", "y" or "xy".
  """

  panels: Sequence[Panel]
  title: str = ""
  caption: Sequence[str] = ()
  columns: int = 1
  least: float = 2.2
  height: float = 2.3
  share: str = "x"

  def marks(self, kind: Any = object) -> list[Any]:
    """The marks of all panels that are of a class."""
    return [m for p in self.panels for m in p.marks if isinstance(m, kind)]
