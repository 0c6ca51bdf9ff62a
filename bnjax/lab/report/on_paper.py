"""Figures drawn with Matplotlib, for files and for print."""

import functools
import io
import logging
import math
import pathlib
import textwrap
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure as Canvas

from bnjax.lab.report import marks
from bnjax.lab.report.end_labels import label_lines
from bnjax.lab.report.files import replace
from bnjax.lab.report.style import SOFT, TEXT
from bnjax.lab.report.wording import number_text
from bnjax.lab.results.figure_kinds import check_file_name

WIDTH = 6.4  # inches: the text width of a page, at which 8 points is legible
COLUMN = 3.3  # inches: a column of a paper in two columns
NARROW = 4.5  # inches: below it, names of lines go under a panel
_NAME = 34  # characters that a name may have

# Without dates and versions, one run gives one file, byte for byte.
METADATA: dict[str, dict[str, Any]] = {
  "png": {"Software": None},
  "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
  "svg": {"Date": None, "Creator": None},
}
_RC: Any = {
  "font.family": "DejaVu Sans",
  "axes.titleweight": "bold",
  "axes.titlelocation": "left",
  "axes.labelcolor": "#333333",
  "axes.edgecolor": "#999999",
  "axes.linewidth": 0.6,
  "axes.spines.top": False,
  "axes.spines.right": False,
  "axes.grid": True,
  "axes.axisbelow": True,
  "grid.color": "#e6e6e6",
  "grid.linewidth": 0.6,
  "hatch.linewidth": 0.7,
  "xtick.color": "#666666",
  "ytick.color": "#666666",
  "savefig.facecolor": "white",
  "text.parse_math": False,
  "svg.hashsalt": "bnjax",
  "svg.fonttype": "none",
  "pdf.fonttype": 42,
}
_DASHES: Any = (0, (4, 3))


def settings(width: float) -> Any:
  """Matplotlib's settings for figures of a width in inches.

  Text has the size that it has in print: narrow figures are no smaller copies.
  """
  less = width < NARROW
  return {
    **_RC,
    "font.size": 7 if less else 8,
    "axes.titlesize": 7.5 if less else 9,
    "axes.labelsize": 7 if less else 8,
    "xtick.labelsize": 6.5 if less else 7.5,
    "ytick.labelsize": 6.5 if less else 7.5,
    "lines.linewidth": 1.2 if less else 1.5,
    "savefig.dpi": 300 if less else 200,
  }


def save(
  figure: marks.Figure,
  folder: pathlib.Path,
  name: str,
  formats: Sequence[str] = ("png",),
  width: float | None = None,
) -> list[pathlib.Path]:
  """Draws a figure into files.

  Args:
    figure: what is drawn.
    folder: where the files go.
    name: of the files, without the ending; see `check_file_name`.
    formats: of `METADATA`.
    width: in inches; that of a page, or more for several columns, if None.

  Returns:
    A file for each format.
  """
  check_file_name(name)
  # It tells each step of embedding a font in a PDF to whoever logs at INFO.
  logging.getLogger("fontTools").setLevel(logging.WARNING)
  wide = width or min(8.0, WIDTH + 0.8 * (figure.columns - 1))
  with matplotlib.rc_context(settings(wide)):
    canvas = draw(figure, wide)
    files = []
    for form in formats:
      content = io.BytesIO()
      canvas.savefig(content, format=form, metadata=METADATA[form])
      files.append(replace(folder / f"{name}.{form}", content.getvalue()))
  return files


def draw(figure: marks.Figure, width: float = WIDTH) -> Canvas:
  """Draws a figure of a width in inches, with Matplotlib's present settings."""
  narrow = width < NARROW
  count = len(figure.panels)
  columns = max(1, min(figure.columns, int((width - 0.6) / figure.least)))
  rows = -(-count // columns)
  side, across = (width - 1.45) / columns, (width - 0.6) / columns
  height = rows * (figure.height * (0.9 if narrow else 1) or side + 0.3)
  caption = _wrapped("  ·  ".join(filter(None, figure.caption)),
                     width * (21 if narrow else 18))  # fmt: skip
  title = _wrapped(figure.title, width * (13 if narrow else 11.5))
  lines = caption.count("\n") + bool(caption)
  height += 0.35 + 0.12 * lines + 0.22 * (title.count("\n") + bool(title))
  canvas = Canvas(figsize=(width, height), layout="constrained")
  FigureCanvasAgg(canvas)
  canvas.set_layout_engine("constrained", h_pad=0.05, w_pad=0.06)
  share: dict[str, Any] = {f"share{axis}": True for axis in figure.share}
  grid = canvas.subplots(rows, columns, squeeze=False, **share).ravel()
  for axes in grid[count:]:
    axes.set_axis_off()
  for axes, panel in zip(grid, figure.panels, strict=False):
    _set_up(axes, panel, across if figure.height else side)
    for mark in panel.marks:
      _draw(mark, axes)
  for place, (axes, panel) in enumerate(zip(grid, figure.panels, strict=False)):
    _scale(axes.xaxis, panel.x)
    _scale(axes.yaxis, panel.y)
    if not figure.height:
      axes.set_box_aspect(1)
    last = place + columns >= count
    axes.tick_params(labelbottom=last or "x" not in figure.share)
    if last or "x" not in figure.share:
      axes.set_xlabel(_wrapped(panel.x.label, across * 17))
    if place % columns == 0 or "y" not in figure.share:
      room = 18 * (figure.height or side)
      axes.set_ylabel(_wrapped(panel.y.label, room))
    else:
      axes.tick_params(labelleft=False, left=False)
  if cells := figure.marks(marks.Cells):
    _colour_bar(grid[columns - 1], cells[0])
  foot = {"x": 0.01, "ha": "left"}
  if title:
    canvas.suptitle(title, fontsize=8 if narrow else 10, weight="bold", **foot)
  canvas.supxlabel(caption, fontsize=6 if narrow else 7, color=SOFT, **foot)
  label_lines(canvas, grid[:count], figure.panels, below=narrow)
  return canvas


def _wrapped(text: str, characters: float) -> str:
  return textwrap.fill(text, max(int(characters), 8))


def _short(name: str) -> str:
  return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"


def _set_up(axes: Axes, panel: marks.Panel, width: float) -> None:
  """Titles, and the kinds of axes, before any mark is drawn."""
  room = width - 0.06 * len(panel.note)
  axes.set_title(_wrapped(panel.title, room * 14))
  axes.set_title(
    panel.note, loc="right", fontsize=7, color=SOFT, weight="normal"
  )
  for axis, own in ((axes.xaxis, panel.x), (axes.yaxis, panel.y)):
    if own.names or own.powers:
      axis.grid(False)
    if own.log and own.low != 0:
      getattr(axes, f"set_{axis.axis_name}scale")("log")
    elif own.log:
      starts = [m.x[m.x > 0].min(initial=np.inf) for m in panel.marks
                if isinstance(m, marks.Line)]  # fmt: skip
      first = min(starts, default=np.inf)
      if own.high is not None and first < own.high:
        axes.set_xscale("symlog", linthresh=first, linscale=0.4)
        axis.set_major_locator(
          ticker.FixedLocator(log_ticks(float(first), own.high))
        )
        axis.set_minor_locator(ticker.NullLocator())


def _scale(axis: Any, own: marks.Axis) -> None:
  """Limits and ticks of an axis whose marks are drawn."""
  axes, letter = axis.axes, axis.axis_name
  low, high = getattr(axes, f"get_{letter}lim")()
  low = low if own.low is None else own.low
  high = high if own.high is None else own.high
  kind = axis.get_scale()
  if (own.low, own.high) != (None, None) and (kind != "log" or low > 0):
    getattr(axes, f"set_{letter}lim")(low, high)
  axis.set_major_formatter(ticker.FuncFormatter(_plain))
  if own.names:
    _name(axis, own)
  elif own.powers:
    axis.set_major_locator(ticker.MaxNLocator(3, integer=True))
    axis.set_major_formatter(ticker.FuncFormatter(lambda x, _: _power(x)))
  elif own.ticks:
    axis.set_major_locator(ticker.FixedLocator(own.ticks))
    axis.set_minor_locator(ticker.NullLocator())
    axis.set_major_formatter(
      ticker.FuncFormatter(lambda x, _: number_text(float(f"{x:.6g}")))
    )
    if sum(len(number_text(x)) for x in own.ticks) > 55:
      axis.set_tick_params(labelrotation=45)
  elif kind == "log":
    _log_ticks(axis, *getattr(axes, f"get_{letter}lim")())
  elif kind == "linear":
    whole = abs(high - low) >= 6
    axis.set_major_locator(
      ticker.MaxNLocator(6, steps=[1, 2, 5, 10], integer=whole, min_n_ticks=3)
    )


def _name(axis: Any, own: marks.Axis) -> None:
  """Names at the places; where numbers are many, at every second or so."""
  across = axis.axis_name == "x"
  cells = not own.colors and own.low == -0.5
  places = own.shown()
  names = [_short(own.names[place]) for place in places]
  axis.set_major_locator(ticker.FixedLocator(places))
  axis.set_major_formatter(ticker.FixedFormatter(names))
  axis.set_tick_params(length=2 if cells else 0)
  long = across and sum(map(len, names)) > 30
  for place, label in enumerate(axis.get_ticklabels()):
    if long:
      label.set(rotation=40, ha="right", rotation_mode="anchor")
    if own.colors and place < len(own.colors):
      label.set_color(own.colors[place])


def _plain(value: float, _: Any = None) -> str:
  if abs(value) >= 1000:
    return f"{value:,.0f}" if abs(value) < 1e6 else f"{value:g}"
  return f"{value:.6g}"


def _power(exponent: float) -> str:
  """A power of ten, as text.

  >>> _power(-12.0)
  '10⁻¹²'
  """
  raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
  return "10" + str(round(exponent)).translate(raised)


def _log_ticks(axis: Any, low: float, high: float) -> None:
  """Ticks of a logarithmic axis, as plain numbers where they are few."""
  decades = math.log10(high / low) if high > low > 0 else 0.0
  if decades > 5:
    axis.set_major_locator(ticker.LogLocator(numticks=8))
    axis.set_major_formatter(
      ticker.FuncFormatter(lambda x, _: _power(math.log10(x)))
    )
  else:
    subs = (1, 2, 5) if decades < 2.3 else (1,)
    axis.set_major_locator(ticker.LogLocator(subs=subs))
  axis.set_minor_formatter(ticker.NullFormatter())


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


def _colour_bar(axes: Axes, cells: marks.Cells) -> None:
  side = axes.inset_axes((1.05, 0, 0.05, 1))
  bar = axes.figure.colorbar(axes.collections[0], cax=side)
  bar.outline.set_visible(False)
  bar.set_label(_wrapped(cells.label, 42))
  side.tick_params(length=0)
  if cells.threshold is not None and cells.low < cells.threshold < cells.high:
    side.axhline(cells.threshold, color=TEXT, linewidth=2.6)
    side.axhline(cells.threshold, color="white", linewidth=1.2)


@functools.singledispatch
def _draw(mark: Any, axes: Axes) -> None:
  raise TypeError(f"{type(mark).__name__} is no mark")


@_draw.register
def _line(mark: marks.Line, axes: Axes) -> None:
  if mark.low is not None and mark.high is not None:
    axes.fill_between(
      mark.x, mark.low, mark.high, color=mark.color, alpha=0.16, linewidth=0
    )
  few = len(mark.x) <= 20
  width = matplotlib.rcParams["lines.linewidth"] * mark.width
  axes.plot(
    mark.x,
    mark.y,
    color=mark.color,
    linewidth=1 if mark.dashed else width,
    linestyle=_DASHES if mark.dashed else "-",
    marker=mark.symbol,
    markersize=3.2 if mark.symbol == "D" else 4,
    markerfacecolor="white" if mark.symbol == "D" else mark.color,
    markeredgecolor=mark.color if mark.symbol == "D" else "white",
    markeredgewidth=0.7,
    markevery=1 if few or mark.dashed else len(mark.x) // 8,
    clip_on=np.count_nonzero(np.isfinite(mark.y)) > 1,
    scalex=not mark.dashed,
    zorder=4 if mark.dashed else 3,
  )


@_draw.register
def _points(mark: marks.Points, axes: Axes) -> None:
  bars: dict[str, Any] = {f"{mark.along}err": mark.error}
  cross = mark.symbol == "X"
  hollow = "white" if mark.symbol == "D" else "none"
  drawn = axes.errorbar(
    mark.x,
    mark.y,
    **bars,
    linestyle="none",
    color=mark.color,
    marker=mark.symbol,
    markersize=mark.size,
    markerfacecolor=mark.color if mark.filled else hollow,
    markeredgecolor="white" if cross else mark.color,
    markeredgewidth=0.8 if cross else 0.7,
    elinewidth=1,
    capsize=2.2,
    zorder=6 if cross or mark.symbol == "D" else 5,
    clip_on=False,
  )
  for artist in drawn.get_children():  # it may lie beyond the axes
    artist.set_in_layout(False)


@_draw.register
def _interval(mark: marks.Interval, axes: Axes) -> None:
  ends = [mark.low, mark.high], [mark.place] * 2
  axes.plot(*ends, color=mark.color, linewidth=5, alpha=0.25,
            solid_capstyle="round")  # fmt: skip


@_draw.register
def _level(mark: marks.Level, axes: Axes) -> None:
  if mark.high is not None:
    axes.axhspan(mark.low, mark.high, color=mark.color, alpha=0.1, zorder=0)
  for level in (mark.low, mark.high):
    if level is not None:
      axes.axhline(level, color=mark.color, linewidth=1, linestyle=_DASHES,
                   zorder=2)  # fmt: skip


@_draw.register
def _bar(mark: marks.Bar, axes: Axes) -> None:
  axes.barh(
    mark.place,
    mark.length,
    height=0.62,
    color=(mark.color, 0.08 if mark.bound else 0.4),
    edgecolor=(mark.color, 0.45),
    hatch="////" if mark.bound else None,
    linewidth=0,
  )
  axes.annotate(
    mark.text, (mark.end, mark.place), xytext=(5, 0),
    textcoords="offset points", va="center", fontsize=7, color=SOFT,
    annotation_clip=False,
  )  # fmt: skip


@_draw.register
def _ridge(mark: marks.Ridge, axes: Axes) -> None:
  x, y = mark.outline()
  axes.fill_between(x, y, y[0], color=mark.color, alpha=0.75, linewidth=0)
  axes.axhline(y[0], color="#999999", linewidth=0.5, zorder=1)
  if mark.note:  # on the side where there is room
    left = (
      mark.density.argmax() > 0.4 * mark.density.size or not mark.density.any()
    )
    axes.text(
      0.02 if left else 0.98, mark.place - 0.25, mark.note, fontsize=6,
      color=SOFT, ha="left" if left else "right",
      transform=axes.get_yaxis_transform(),
    )  # fmt: skip


@_draw.register
def _cells(mark: marks.Cells, axes: Axes) -> None:
  rows, columns = mark.values.shape
  edges = np.arange(columns + 1) - 0.5, np.arange(rows + 1) - 0.5
  mesh = axes.pcolormesh(
    *edges,
    np.ma.masked_invalid(mark.values),
    cmap="viridis",
    vmin=mark.low,
    vmax=mark.high,
    edgecolors="face",
    linewidth=0.2,
  )
  axes.set_facecolor("#d9d9d9")
  axes.spines[:].set_visible(False)
  fence = mark.fence()
  for color, width in ((TEXT, 2.8), ("white", 1.3)):
    axes.add_collection(
      LineCollection(
        fence, colors=color, linewidths=width, capstyle="round", zorder=5
      )
    )
  side = min(190 / max(rows, columns), 20.0)  # points, of a cell
  for y, x in zip(*np.nonzero(mark.crosses), strict=True):
    size = side * (0.16 + 0.2 * mark.crosses[y, x])
    for color, width in (("#00000055", size / 4.5), ("white", size / 9)):
      axes.plot(
        x, y, marker="x", markersize=size, color=color,
        markeredgewidth=max(width, 0.5), zorder=6,
      )  # fmt: skip
  if max(rows, columns) <= 6:
    for (y, x), value in np.ndenumerate(mark.values):
      if np.isfinite(value):
        red, green, blue, _ = mesh.to_rgba(value)
        light = 0.3 * red + 0.59 * green + 0.11 * blue > 0.5
        axes.text(
          x, y + (0.2 if mark.crosses[y, x] else 0), f"{value:.3g}",
          ha="center", va="center", fontsize=7,
          color=TEXT if light else "white",
        )  # fmt: skip
