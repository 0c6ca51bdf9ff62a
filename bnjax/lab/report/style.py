"""One look for every figure: colours by arm, sizes, and file settings."""

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

# Okabe and Ito's palette, told apart with every kind of colour vision, less
# its yellow (too faint for a line on white) and its black (for text).
BLUE, VERMILION, GREEN = "#0072B2", "#D55E00", "#009E73"
PURPLE, ORANGE, SKY = "#CC79A7", "#E69F00", "#56B4E9"
PALETTE = (GREEN, PURPLE, ORANGE, SKY, BLUE, VERMILION)

# Darker than any of those, from Tol's muted scheme; drawn with a mark as well,
# as ten hues are more than everyone can tell apart.
MORE = ("#332288", "#882255", "#8A8A00", "#404040")

# The arms that several experiments have keep their colours in all of them.
KNOWN = {
  "batch_norm": BLUE,
  "no_batch_norm": VERMILION,
  "batch_norm_as_published": GREEN,
  "batch_norm_as_published_width_100": PURPLE,
}

# Dashes are for what is published, "D" and "X" are taken.
MARKS = ("o", "s", "^", "v")

GREY = "#666666"
LIGHT = "#D9D9D9"
WIDTH = 6.4  # inches: the text width of a page, at which 8 points is legible.
COLUMN = 3.3  # inches: a column of a paper in two columns
NARROW = 4.5  # inches: below it, names go under a panel and titles are broken

# From dark to light in even steps, for every kind of colour vision.
COLORMAP = "viridis"

# Without dates and versions, one run gives one file, byte for byte.
METADATA: dict[str, dict[str, Any]] = {
  "png": {"Software": None},
  "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
  "svg": {"Date": None, "Creator": None},
}

# Nothing is cut off, however long a name is.
TIGHT: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.08}

RC: Any = {
  "figure.figsize": (WIDTH, 3.4),
  "font.family": "DejaVu Sans",
  "font.size": 8,
  "axes.titlesize": 9,
  "axes.titleweight": "bold",
  "axes.titlelocation": "left",
  "axes.labelsize": 8,
  "axes.labelcolor": "#333333",
  "axes.edgecolor": "#999999",
  "axes.linewidth": 0.6,
  "axes.spines.top": False,
  "axes.spines.right": False,
  "axes.grid": True,
  "axes.axisbelow": True,
  "grid.color": "#e6e6e6",
  "grid.linewidth": 0.6,
  "xtick.color": "#666666",
  "ytick.color": "#666666",
  "xtick.labelsize": 7.5,
  "ytick.labelsize": 7.5,
  "lines.linewidth": 1.5,
  "savefig.dpi": 200,
  "savefig.facecolor": "white",
  "svg.hashsalt": "bnjax",
  "svg.fonttype": "none",
  "pdf.fonttype": 42,
}


def settings(width: float = WIDTH) -> Any:
  """Matplotlib's settings for figures of a width in inches.

  Text has the size that it has in print: narrow figures are no smaller copies.
  """
  small = {
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "lines.linewidth": 1.2,
    "savefig.dpi": 300,
  }
  size = {"figure.figsize": (width, 0.5 * width)}
  return {**RC, **size, **(small if width < NARROW else {})}


class Look(NamedTuple):
  """How an arm is drawn: a colour, and perhaps marks on its line."""

  color: str
  mark: str = ""

  def line(self, points: int) -> dict[str, Any]:
    """Arguments of `plot` for a line of so many points."""
    return {
      "color": self.color,
      "marker": self.mark,
      "markersize": 4.5,
      "markeredgecolor": "white",
      "markeredgewidth": 0.6,
      "markevery": max(1, points // 8),
    }


def looks(arms: Iterable[str]) -> dict[str, Look]:
  """Gives every arm its look; it depends on the arms and their order alone.

  >>> looks(["batch_norm", "other"])["batch_norm"].color
  '#0072B2'
  """
  arms = list(dict.fromkeys(arms))
  found = {arm: Look(KNOWN[arm]) for arm in arms if arm in KNOWN}
  taken = {look.color for look in found.values()}
  free = [Look(color) for color in PALETTE if color not in taken]
  marked = [Look(color, MARKS[0]) for color in MORE]
  more = [Look(c, mark) for mark in MARKS[1:] for c in (*PALETTE, *MORE)]
  supply = itertools.cycle([*free, *marked, *more])
  return {arm: found.get(arm) or next(supply) for arm in arms}
