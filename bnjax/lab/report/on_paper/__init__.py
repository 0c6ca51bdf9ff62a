"""Figures drawn with Matplotlib, for files and for print."""

import io
import logging
import pathlib
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas

from bnjax.lab.report import marks
from bnjax.lab.report.files import replace
from bnjax.lab.report.on_paper.axes import scale, set_up, wrapped
from bnjax.lab.report.on_paper.drawn import colour_bar, draw_mark
from bnjax.lab.report.on_paper.end_labels import label_lines
from bnjax.lab.report.style import SOFT
from bnjax.lab.results.figure_kinds import check_file_name

WIDTH = 6.4  # inches: the text width of a page, at which 8 points is legible
COLUMN = 3.3  # inches: a column of a paper in two columns
NARROW = 4.5  # inches: below it, names of lines go under a panel

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
  """Draws a figure into a file for each format of `METADATA`.

  The width is that of a page, or more for several columns, if None. For names
  see `check_file_name`.
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
  caption = wrapped("  ·  ".join(filter(None, figure.caption)),
                     width * (21 if narrow else 18))  # fmt: skip
  title = wrapped(figure.title, width * (13 if narrow else 11.5))
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
    set_up(axes, panel, across if figure.height else side)
    for mark in panel.marks:
      draw_mark(mark, axes)
  for place, (axes, panel) in enumerate(zip(grid, figure.panels, strict=False)):
    scale(axes.xaxis, panel.x)
    scale(axes.yaxis, panel.y)
    if not figure.height:
      axes.set_box_aspect(1)
    last = place + columns >= count
    axes.tick_params(labelbottom=last or "x" not in figure.share)
    if last or "x" not in figure.share:
      axes.set_xlabel(wrapped(panel.x.label, across * 17))
    if place % columns == 0 or "y" not in figure.share:
      room = 18 * (figure.height or side)
      axes.set_ylabel(wrapped(panel.y.label, room))
    else:
      axes.tick_params(labelleft=False, left=False)
  if cells := figure.marks(marks.Cells):
    colour_bar(grid[columns - 1], cells[0])
  foot = {"x": 0.01, "ha": "left"}
  if title:
    canvas.suptitle(title, fontsize=8 if narrow else 10, weight="bold", **foot)
  canvas.supxlabel(caption, fontsize=6 if narrow else 7, color=SOFT, **foot)
  label_lines(canvas, grid[:count], figure.panels, below=narrow)
  return canvas
