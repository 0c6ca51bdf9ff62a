"""What the kinds of figures share: the run, empty figures, captions, ticks."""

import dataclasses
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bnjax.lab.report.style import GREY, NARROW, WIDTH, Look, looks
from bnjax.lab.results.measured import Measured
from bnjax.lab.results.names import Metric, StepsTo, is_fraction, parse_name
from bnjax.lab.results.published import PublishedCurve, PublishedNumber
from bnjax.lab.results.rules import Rules


@dataclasses.dataclass(frozen=True)
class Run:
  """A run, and how its arms are drawn.

  Attributes:
    measured: its records.
    looks: each arm's look.
    sizes: its data sets, and how many training examples each has; 0 where
      that was not recorded.
    numbers: what is published of it.
    lines: likewise, over steps.
  """

  measured: Measured
  looks: Mapping[str, Look]
  sizes: Mapping[str, int]
  numbers: tuple[PublishedNumber, ...]
  lines: tuple[PublishedCurve, ...]

  def arms(self, wanted: Sequence[str]) -> list[str]:
    """The arms of a figure: those it names, or all."""
    return list(wanted or self.measured.arms)


def read_run(
  config: Mapping[str, Any],
  environment: Mapping[str, Any],
  rows: Sequence[Mapping[str, Any]],
  probes: Sequence[Mapping[str, Any]],
  rules: Rules,
) -> Run:
  """Groups the records of a run; raises ValueError as `Measured` does."""
  measured = Measured(config, rows, probes, rules)
  sizes = {
    str(data.get("name", "")): int(data.get("train") or 0)
    for data in environment.get("datasets") or []
  }
  arms = looks(measured.arms)
  return Run(measured, arms, sizes, rules.numbers, rules.curves)


def page_width() -> float:
  """Inches that figures are drawn for: see `report.style.settings`."""
  return float(matplotlib.rcParams["figure.figsize"][0])


def is_narrow() -> bool:
  """Whether figures are drawn for a column of a paper."""
  return page_width() < NARROW


def new_figure(
  height: float, width: float = WIDTH, *, fits: bool = True
) -> Figure:
  """An empty figure.

  Args:
    height: in inches, at full width; lower in a column.
    width: in inches, at full width; elsewhere it is that of the page.
    fits: whether a column has room for what it shows; else it keeps its width.
  """
  page = page_width()
  if page != WIDTH and (fits or not is_narrow()):
    width = page
    height *= 0.8 if is_narrow() else 1
  figure = Figure(figsize=(width, height), layout="constrained")
  FigureCanvasAgg(figure)
  return figure


def add_title(figure: Figure, title: str) -> None:
  """The title of a figure of several panels, if it has one."""
  if title:
    figure.suptitle(
      title, x=0.01, ha="left", fontsize=10, weight="bold", parse_math=False
    )


def add_caption(figure: Figure, parts: Sequence[str]) -> None:
  """Says at the foot of a figure what its marks are."""
  text = "  ·  ".join(part for part in parts if part)
  narrow = figure.get_figwidth() < NARROW
  if narrow:
    text = textwrap.fill(text, int(figure.get_figwidth() * 21))
  figure.supxlabel(
    text,
    x=0.01,
    ha="left",
    fontsize=6 if narrow else 7,
    color=GREY,
    parse_math=False,
  )


def break_titles(figure: Figure) -> None:
  """Breaks titles that a narrow figure has no room for."""
  if figure.get_figwidth() >= NARROW:
    return
  figure.draw_without_rendering()
  inches = figure.get_figwidth()
  if figure.get_suptitle():
    figure.suptitle(
      textwrap.fill(figure.get_suptitle(), int(inches * 15)),
      x=0.01,
      ha="left",
      fontsize=8,
      weight="bold",
      parse_math=False,
    )
  for axes in figure.axes:
    beside = axes.get_title(loc="right")
    width = axes.get_window_extent().width / figure.dpi - 0.055 * len(beside)
    loc: Any = "center" if axes.get_title(loc="center") else "left"
    text = axes.get_title(loc=loc)
    broken = textwrap.fill(text, max(int(width * 15.5), 8))
    if "\n" in broken and "\n" not in text:
      axes.set_title(broken, loc=loc, parse_math=False)


def plural(number: int, word: str) -> str:
  """A count of things.

  >>> plural(1, "seed"), plural(3, "seed")
  ('1 seed', '3 seeds')
  """
  return f"{number} {word}{'' if number == 1 else 's'}"


def unit(name: str) -> str:
  """What a metric counts, for an axis.

  >>> unit("test_accuracy"), unit("steps_to:loss<=0.1"), unit("grad_norm")
  ('fraction correct', 'training steps', 'grad norm')
  """
  if is_fraction(name):
    share = name.endswith("accuracy") or "accuracy@" in name
    return "fraction correct" if share else "fraction"
  if name.partition("@")[0].endswith("_seconds"):
    return "seconds"
  try:
    found = parse_name(name)
  except ValueError:
    return name
  if isinstance(found, StepsTo):
    return "training steps"
  if isinstance(found, Metric):
    is_loss = found.metric.endswith("loss")
    return "loss (nats)" if is_loss else found.metric.replace("_", " ")
  return ""


def number_text(value: Any, digits: int = 3) -> str:
  """A field's value on an axis.

  >>> number_text(0.1), number_text(1e-05), number_text(1000), number_text("he")
  ('0.1', '1e-5', '1000', 'he')
  """
  if isinstance(value, bool) or not isinstance(value, int | float):
    return str(value)
  text = f"{value:.{digits}g}" if abs(value) < 100 else f"{value:g}"
  mantissa, e, exponent = text.partition("e")
  return f"{mantissa}e{int(exponent)}" if e else text


def log_axis(axis: Any, low: float, high: float) -> None:
  """Ticks of a logarithmic axis, as plain numbers where they are few."""
  decades = math.log10(high / low) if high > low > 0 else 0.0
  if decades > 5:
    axis.set_major_locator(ticker.LogLocator(numticks=8))
    axis.set_major_formatter(ticker.LogFormatterMathtext())
  else:
    subs = (1, 2, 5) if decades < 2.3 else (1,)
    axis.set_major_locator(ticker.LogLocator(subs=subs))
    axis.set_major_formatter(ticker.FuncFormatter(_plain))
  axis.set_minor_formatter(ticker.NullFormatter())


def _plain(value: float, _: Any = None) -> str:
  return f"{value:,.0f}" if value >= 1000 else f"{value:g}"


def limit_y(axes: Axes, low: float | None, high: float | None) -> None:
  """Sets the limits that are given; an axis without any keeps growing.

  A limit that all values are beyond is passed over.
  """
  if low is None and high is None:
    return
  bottom, top = axes.get_ylim()
  bottom = bottom if low is None or low >= top else low
  top = top if high is None or high <= bottom else high
  axes.set_ylim(bottom, top)


def step_axis(axes: Axes, last: float, *, first: float, log: bool) -> None:
  """The x axis of training steps.

  Args:
    axes: where.
    last: the greatest step.
    first: the least above 0: a logarithmic axis is linear from there to 0.
    log: whether it is logarithmic.
  """
  if log and last > first > 0:
    axes.set_xscale("symlog", linthresh=first, linscale=0.4)
    axes.xaxis.set_major_locator(ticker.FixedLocator(log_ticks(first, last)))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
  else:
    axes.xaxis.set_major_locator(ticker.MaxNLocator(6, integer=last >= 6))
  axes.xaxis.set_major_formatter(ticker.FuncFormatter(_plain))
  axes.set_xlim(0, last or 1)


def log_ticks(first: float, last: float) -> list[float]:
  """0, and round numbers of a logarithmic axis; as many as are legible.

  >>> log_ticks(50, 1000), log_ticks(1, 50000)
  ([0, 50.0, 100.0, 200.0, 500.0, 1000.0], [0, 1.0, 10.0, 100.0, 1000.0,
   10000.0])
  """
  low, high = math.floor(math.log10(first)), math.ceil(math.log10(last))
  for parts in ((1, 2, 5), (1,)):
    ticks = [
      part * 10.0**decade for decade in range(low, high + 1) for part in parts
    ]
    ticks = [tick for tick in ticks if first <= tick <= last * (1 + 1e-9)]
    if len(ticks) <= 8:
      break
  return [0, *ticks]
