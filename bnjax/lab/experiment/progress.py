"""What a run tells about its course, for people."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bnjax.lab.experiment.plan import Network

_SHOWN = ("validation_accuracy", "loss")  # whichever a run has, in this order
_MOST = 3  # arms that are named


class Progress(NamedTuple):
  """What an experiment tells about its course, after every chunk."""

  # name of the arm in training, or of several; "" for a message that is not
  # about training
  arm: str
  step: int  # steps done of this arm
  steps: int  # of how many
  # what else there is to say, such as the current accuracy; "" for what was
  # said last
  message: str
  networks: int = 1  # how many are trained together
  part: int = 0  # which part of the run this is, from 0
  parts: int = 1  # of how many
  notice: bool = False  # whether the message is shown even with --quiet


def of_training(
  networks: Sequence[Network],
  step: int,
  rows: Sequence[Mapping[str, Any]],
  *,
  part: int,
  parts: int,
) -> Progress:
  """The progress of networks that are trained together."""
  arms = list(dict.fromkeys(network.arm for network in networks))
  return Progress(
    ", ".join(arms[:_MOST]) + ", ..." * (len(arms) > _MOST),
    step,
    networks[0].spec["steps"],
    _message(arms, rows),
    networks=len(networks),
    part=part,
    parts=parts,
  )


def _message(arms: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
  """The accuracy of each arm: its seeds' mean, or the best of a grid's."""
  metric = next((m for m in _SHOWN if any(m in row for row in rows)), None)
  if metric is None:
    return ""
  pick = max if metric == _SHOWN[0] else min
  best = any("point" in row for row in rows)
  found = {}
  for arm in arms:
    points: dict[str, list[float]] = {}
    for row in rows:
      if row["arm"] == arm and metric in row:
        points.setdefault(str(row.get("point")), []).append(row[metric])
    if points:
      found[arm] = pick(statistics.fmean(values) for values in points.values())
  values = [f"{value:.3f}" for value in found.values()]
  if len(arms) > 1:
    pairs = zip(found, values, strict=True)
    values = [f"{arm} {value}" for arm, value in pairs][:_MOST]
  text = f"{'best ' * best}{metric.replace('_', ' ')} {', '.join(values)}"
  diverged = sum(bool(row.get("diverged_step")) for row in rows)
  return text + (f"; {diverged} diverged" if diverged else "")


def duration(seconds: float) -> str:
  """A duration as people say it.

  >>> duration(7.4), duration(61), duration(7384)
  ('7 s', '1 min 01 s', '2 h 03 min')
  """
  whole = round(seconds)
  if whole < 60:
    return f"{whole} s"
  minutes, rest = divmod(whole, 60)
  if minutes < 60:
    return f"{minutes} min {rest:02d} s"
  return f"{minutes // 60} h {minutes % 60:02d} min"


def number(rate: float) -> str:
  """A rate to three digits.

  >>> number(0.1234), number(12.34), number(12345.6)
  ('0.123', '12.3', '12,346')
  """
  return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
