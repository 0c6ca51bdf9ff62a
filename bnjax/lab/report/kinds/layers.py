"""A number of each layer: one line an arm, over the layers' numbers."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from bnjax.lab.report.kinds.over_seeds import band_caption
from bnjax.lab.report.marks import Axis, Figure, Line, Panel
from bnjax.lab.report.run import Run
from bnjax.lab.report.style import SOFT
from bnjax.lab.report.wording import sentence, span
from bnjax.lab.results import figure_kinds
from bnjax.lab.results.layers import Profile, profiles
from bnjax.lab.results.names import words


def layers(run: Run, options: figure_kinds.Layers) -> Figure | None:
  """Shows the profiles of the arms; None if the probe saw nothing."""
  found = profiles(run.measured, options)
  if not found:
    return None
  names = list(dict.fromkeys(layer for p in found for layer in p.layers))
  places = _places(names)
  log = options.log_y and any((p.mean > 0).any() for p in found)
  lines = [_line(run, profile, places, log) for profile in found]
  dashed = _reference(found, places, options)
  y = Axis(label=options.label or words(options.probe), log=log, switch=True)
  title = options.title or words(options.probe)
  seeds = max(profile.seeds for profile in found)
  zeros = log and any((profile.mean == 0).any() for profile in found)
  return Figure(
    [
      Panel(
        [*lines, *dashed],
        _layer_axis(names, places, options.log_x),
        y,
        title=sentence(title),
      )
    ],
    caption=[
      *band_caption(seeds, "geometric " * log + "mean"),
      f"at training step {span(profile.step for profile in found)}",
      *(f"dashed: {line.name}" for line in dashed),
      "a line ends where a value is 0" if zeros else "",
    ],
    height=3.1,
  )


def _line(
  run: Run, profile: Profile, places: Mapping[str, int], log: bool
) -> Line:
  # A logarithmic axis has no place for 0.
  shown = [
    np.where(values > 0, values, np.nan) if log else values
    for values in (profile.mean, profile.least, profile.greatest)
  ]
  look = run.looks[profile.arm]
  several = profile.seeds > 1
  return Line(
    profile.arm,
    look.color,
    np.array([places[layer] for layer in profile.layers], np.float64),
    shown[0],
    low=shown[1] if several else None,
    high=shown[2] if several else None,
    symbol=look.mark or "o",
    label=profile.arm if np.isfinite(shown[0]).any() else "",
  )


def _places(names: Sequence[str]) -> dict[str, int]:
  """Where each layer is: at its number, if that alone tells them apart."""
  numbers = [re.findall(r"\d+", name) for name in names]
  shapes = {re.sub(r"\d+", "#", name) for name in names}
  if len(shapes) == 1 and all(numbers):
    for column in zip(*numbers, strict=True):
      if len(set(column)) == len(names):
        return dict(zip(names, map(int, column), strict=True))
  return {name: place for place, name in enumerate(names)}


def _layer_axis(
  names: Sequence[str], places: Mapping[str, int], log: bool
) -> Axis:
  if all(str(place) in name for name, place in places.items()):
    kind = re.sub(r"[_/.]?\d+", "", names[0]).replace("_", " ")
    return Axis(label=f"layer ({kind})", log=log)
  return Axis(label="layer", names=list(names), low=-0.4, high=len(names) - 0.6)


def _reference(
  found: Sequence[Profile],
  places: Mapping[str, int],
  options: figure_kinds.Layers,
) -> list[Line]:
  """A line that grows by a factor per layer going back from the last one."""
  if options.reference is None:
    return []
  wanted = options.reference_arm or found[0].arm
  profile = next((p for p in found if p.arm == wanted), found[0])
  x = np.array([places[layer] for layer in profile.layers], np.float64)
  last = int(x.argmax())
  return [
    Line(
      options.reference_text or f"{options.reference:.4g} per layer",
      SOFT,
      x,
      profile.mean[last] * options.reference ** (x[last] - x),
      dashed=True,
    )
  ]
