"""Names of lines at their right ends, moved apart where they would overlap."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from bnjax.lab.report.style import NARROW

_SHORT = 6  # characters of a name that has room beside a narrow panel


class Label(NamedTuple):
  """A line's name and the y at which it ends, in data coordinates."""

  text: str
  y: float
  color: str


def spread(
  places: Sequence[float], gap: float, low: float = 0.0, high: float = 1.0
) -> list[float]:
  """Moves places on a line apart, each as little as that takes.

  Runs of places that would overlap become one block around their own mean, a
  gap apart. Where all together have no room between the bounds, the gap is
  what fits.

  Args:
    places: where each would like to be.
    gap: the least distance between two.
    low: no place is below it.
    high: no place is above it.

  Returns:
    The new places, in the order of the old ones.

  >>> spread([0.5, 0.5], 0.25)
  [0.375, 0.625]
  """
  if not places:
    return []
  gap = min(gap, (high - low) / max(len(places) - 1, 1))
  order = sorted(range(len(places)), key=lambda index: places[index])
  # Blocks of [wished centre, members], joined while neighbours overlap.
  blocks: list[tuple[float, list[int]]] = []
  for index in order:
    wish, members = places[index], [index]
    while True:
      half = gap * (len(members) - 1) / 2
      wish = min(max(wish, low + half), high - half)
      if not blocks:
        break
      before, others = blocks[-1]
      if wish - half - (before + gap * (len(others) - 1) / 2) >= gap - 1e-12:
        break
      blocks.pop()
      total = len(members) + len(others)
      wish = (wish * len(members) + before * len(others)) / total
      members = others + members
    blocks.append((wish, members))
  result = [0.0] * len(places)
  for centre, members in blocks:
    start = centre - gap * (len(members) - 1) / 2
    for rank, index in enumerate(members):
      result[index] = start + rank * gap
  return result


def _label_below(
  labelled: Sequence[tuple[Axes, Sequence[Label]]], longest: int
) -> None:
  """Names every line once, in a legend under the last panel."""
  drawn = {label.text: label for _, own in labelled for label in own}
  axes = labelled[-1][0]
  looks: dict[str, Line2D] = {}
  for panel, _ in labelled:
    for line in panel.get_lines():
      looks.setdefault(str(line.get_color()), line)
  handles = []
  for text, label in drawn.items():
    like = looks.get(label.color)
    mark = like.get_marker() if like is not None else ""
    handles.append(
      Line2D(
        [], [], color=label.color, marker=mark, markersize=3.5,
        markeredgecolor="white", markeredgewidth=0.4, label=text,
      )
    )  # fmt: skip
  columns = max(1, int(2.75 / (0.3 + 0.055 * longest)))
  below = ScaledTranslation(0, -28 / 72, axes.figure.dpi_scale_trans)
  legend = axes.legend(
    handles=handles,
    loc="upper left",
    bbox_to_anchor=(0, 0),
    bbox_transform=axes.transAxes + below,
    borderaxespad=0,
    borderpad=0,
    ncols=columns,
    frameon=False,
    fontsize=6.5,
    handlelength=1.6,
    columnspacing=1.2,
    labelspacing=0.3,
  )
  for entry in legend.get_texts():
    entry.set_parse_math(False)


def label_lines(
  figure: Figure, labelled: Sequence[tuple[Axes, Sequence[Label]]]
) -> None:
  """Writes labels beside the right edge of their axes, with thin leaders.

  Args:
    figure: the figure, complete but for the labels.
    labelled: each of its axes with its labels.
  """
  longest = max(
    (len(one.text) for _, own in labelled for one in own), default=0
  )
  if figure.get_figwidth() < NARROW and longest > _SHORT:
    _label_below(labelled, longest)
    return
  drawn = []
  for axes, labels in labelled:
    texts = [
      axes.text(
        1.045,
        0.5,
        label.text,
        color=label.color,
        transform=axes.transAxes,
        va="center",
        fontsize=8,
        parse_math=False,
      )
      for label in labels
    ]
    drawn.append((axes, labels, texts))
  figure.draw_without_rendering()  # The layout makes room for the texts.
  for axes, labels, texts in drawn:
    box = axes.get_window_extent()
    to_axes = axes.transAxes.inverted()
    x = axes.get_xlim()[1]
    ends = []
    for label in labels:
      _, y = to_axes.transform(axes.transData.transform((x, label.y)))
      ends.append(min(max(float(y), 0.0), 1.0))
    gap = 11.5 / 72 * figure.dpi / box.height
    for label, text, end, place in zip(
      labels, texts, ends, spread(ends, gap), strict=True
    ):
      text.set_y(place)
      axes.plot(
        [1.005, 1.035],
        [end, place],
        color=label.color,
        linewidth=0.7,
        transform=axes.transAxes,
        clip_on=False,
        scalex=False,
        scaley=False,
      )
