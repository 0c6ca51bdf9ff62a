"""Matplotlib's axes of a panel: titles, scales, limits and ticks."""

import math
import textwrap
from typing import Any

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes

from bnjax.lab.report import marks
from bnjax.lab.report.style import SOFT
from bnjax.lab.report.wording import number_text

_NAME = 34  # characters that a name may have


def set_up(axes: Axes, panel: marks.Panel, width: float) -> None:
  """Titles, and the kinds of axes, before any mark is drawn."""
  room = width - 0.06 * len(panel.note)
  axes.set_title(wrapped(panel.title, room * 14))
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
          ticker.FixedLocator(_log_ticks(float(first), own.high))
        )
        axis.set_minor_locator(ticker.NullLocator())


def scale(axis: Any, own: marks.Axis) -> None:
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
    _write_powers(axis, *getattr(axes, f"get_{letter}lim")())
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


def _write_powers(axis: Any, low: float, high: float) -> None:
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


def _log_ticks(first: float, last: float) -> list[float]:
  """0, and round numbers of a logarithmic axis; as many as are legible.

  >>> _log_ticks(50, 1000), _log_ticks(1, 50000)
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


def wrapped(text: str, characters: float) -> str:
  """A text on lines of so many characters."""
  return textwrap.fill(text, max(int(characters), 8))


def _short(name: str) -> str:
  return name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
