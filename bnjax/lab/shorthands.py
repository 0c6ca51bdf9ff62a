"""Short ways to write what a config claims and shows.

Each returns a mapping as `bnjax.lab.results` reads it: claims as in
`results.rules`, figures and tables as in `results.figure_kinds`.
"""

from collections.abc import Sequence
from typing import Any


def greater(
  text: str,
  arm: str,
  versus: str | float | None,
  metric: str = "test_accuracy",
  *,
  times: float | None = None,
  **fields: Any,
) -> dict[str, Any]:
  """The claim that `arm` has more of a metric than `versus`.

  Args:
    text: the claim in words.
    arm: of the config.
    versus: another arm, or a number; None for the arm itself, with a
      `versus_metric`.
    metric: what is compared, at the last step.
    times: more than so many times as much; more by any difference if None.
    **fields: further fields of `bnjax.lab.results.rules.Claim`.
  """
  return _claim("greater", text, arm, versus, metric, times) | fields


def less(
  text: str,
  arm: str,
  versus: str | float | None,
  metric: str = "test_accuracy",
  *,
  times: float | None = None,
  **fields: Any,
) -> dict[str, Any]:
  """The claim that `arm` has less of a metric than `versus`: see `greater`."""
  return _claim("less", text, arm, versus, metric, times) | fields


def within(
  margin: float,
  text: str,
  arm: str,
  versus: str | float | None,
  metric: str = "test_accuracy",
  **fields: Any,
) -> dict[str, Any]:
  """The claim that two arms differ by less than a margin: see `greater`."""
  claim = _claim("within", text, arm, versus, metric, None)
  return claim | {"margin": margin} | fields


def layers(
  probe: str, arms: Sequence[str] = (), **fields: Any
) -> dict[str, Any]:
  """A figure or a table of a probe's number, layer by layer.

  Args:
    probe: of the config.
    arms: which ones; all if empty.
    **fields: further ones of `bnjax.lab.results.figure_kinds.Layers`.
  """
  return {"kind": "layers", "probe": probe, "arms": tuple(arms), **fields}


def histograms(
  probe: str,
  arms: Sequence[str],
  layer: str,
  numbers: Sequence[int],
  label: str = "",
) -> dict[str, Any]:
  """A figure of a probe's histograms.

  Args:
    probe: of the config.
    arms: which ones.
    layer: name of a layer with `{}` for its number.
    numbers: of the layers, from left to right.
    label: of the x axis.
  """
  seen = tuple(layer.format(number) for number in numbers)
  chosen = {"arms": tuple(arms), "layers": seen}
  return {"kind": "histograms", "probe": probe, **chosen, "label": label}


def _claim(
  direction: str,
  text: str,
  arm: str,
  versus: str | float | None,
  metric: str,
  times: float | None,
) -> dict[str, Any]:
  claim = {"text": text, "metric": metric, "arm": arm, "versus": versus}
  if times is None:
    return claim | {"direction": direction, "margin": 0.0}
  return claim | {"direction": f"ratio_{direction}", "margin": times}
