"""Histograms on rows: an arm each, or a training step each."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bnjax.lab.report.kinds.over_seeds import arm_rows, of_seed
from bnjax.lab.report.marks import Axis, Figure, Panel, Ridge
from bnjax.lab.report.run import Run
from bnjax.lab.report.wording import STEPS, plural, span
from bnjax.lab.results import figure_kinds
from bnjax.lab.results.layers import chosen
from bnjax.lab.results.names import words
from bnjax.lab.results.order import natural
from bnjax.lab.results.probes import Seen


class _Pooled(NamedTuple):
  """Seeds as one histogram: counts, edges, the share of zeros, the step."""

  counts: np.ndarray
  edges: np.ndarray
  zeros: float | None
  seeds: list[int]
  step: int


def histograms(run: Run, options: figure_kinds.Histograms) -> Figure | None:
  """Shows every histogram of the chosen layers; None if there is none."""
  probes = run.measured.probes
  found: dict[tuple[str, str], dict[str, _Pooled]] = {}  # (row, column) -> arm
  for arm in run.arms(options.arms):
    layers = chosen(options.layers, probes.layers(options.probe, arm))
    for layer in layers[:1] if options.steps else layers:
      seen = probes.seen(arm, options.probe, layer, options.point())
      if options.seed is not None:
        seen = of_seed(seen, options.seed)
      for step in options.steps or (options.step,):
        if own := _at_step(seen, step):
          place = (f"{step:,}", arm) if options.steps else (arm, layer)
          found[place] = {arm: own}
  if not found:
    return None
  rows = list(dict.fromkeys(row for row, _ in found))
  columns = list(dict.fromkeys(column for _, column in found))
  if options.steps:
    wanted = [f"{step:,}" for step in options.steps]
    rows.sort(key=wanted.index)
  elif not options.layers:
    columns.sort(key=natural)
  powers = run.probe(options.probe).get("measure") == "log10_histogram"
  what = f"size of {words(options.probe)}" if powers else words(options.probe)
  by_step = Axis(label=STEPS, names=rows, low=len(rows) - 0.5, high=-0.5)
  panels = [
    Panel(
      [
        Ridge(
          arm,
          run.looks[arm].color,
          float(place),
          own.edges,
          _density(own),
          log=options.log_counts,
          note=_note(own),
        )
        for place, row in enumerate(rows)
        for arm, own in found.get((row, column), {}).items()
      ],
      Axis(label=options.label or what, powers=powers),
      by_step if options.steps else arm_rows(run, rows),
      title=column.replace("_", " "),
    )
    for column in columns
  ]
  every = [own for place in found.values() for own in place.values()]
  most = max(every, key=lambda own: len(own.seeds)).seeds
  at_step = f"at training step {span(own.step for own in every)}"
  return Figure(
    panels,
    title=options.title,
    caption=[
      f"density of seed {most[0]}"
      if options.seed is not None
      else f"density of {plural(len(most), 'seed')}"
      f"{' together' * (len(most) > 1)}",
      "logarithmic heights" if options.log_counts else "",
      "each as high as its row",
      "" if options.steps else at_step,
    ],
    columns=min(len(columns), 6),
    least=1.05,
    height=0.5 + 0.42 * len(rows),
    share="xy" if options.shared else "y",
  )


def _density(own: _Pooled) -> np.ndarray:
  widths = np.diff(own.edges)
  total = own.counts.sum() or 1.0
  return own.counts / np.where(widths > 0, widths, 1) / total


def _note(own: _Pooled) -> str:
  """The share of zeros, and whether all else is in no bin."""
  zeros = f"{own.zeros:.0%} zero" if (own.zeros or 0) > 0.005 else ""
  if own.counts.sum() > 0 or (own.zeros or 0) >= 1:
    return zeros
  return f"{zeros}, the rest off this axis" if zeros else "all off this axis"


def _at_step(seen: Sequence[Seen], step: int | None) -> _Pooled | None:
  """The histogram of all networks together; None without anything.

  Bins that are the same are added up. Where each network has its own, all are
  spread over as many bins from the least edge to the greatest, as if what is
  in a bin were spread evenly over it.
  """
  at = max((one.step for one in seen), default=0) if step is None else step
  own = [
    (one, one.values, one.edges)
    for one in seen
    if one.step == at and one.edges is not None
    and np.isfinite(one.edges).all()
  ]  # fmt: skip
  # Edges of a network without any number mean nothing beside others'.
  own = [entry for entry in own if entry[1].sum() > 0] or own
  if not own:
    return None
  if any(edges.size != values.size + 1 for _, values, edges in own):
    raise ValueError("a histogram has no edge more than counts")
  edges = own[0][2]
  if any(not np.array_equal(other, edges) for *_, other in own):
    low = min(other[0] for *_, other in own)
    high = max(other[-1] for *_, other in own)
    edges = np.linspace(low, high, edges.size)
  counts = sum(_spread(values, other, edges) for _, values, other in own)
  zeros = [one.zero_fraction for one, *_ in own]
  told = [share for share in zeros if share is not None]
  mean = float(np.mean(told)) if told else None
  seeds = [one.seed for one, *_ in own]
  return _Pooled(np.asarray(counts), edges, mean, seeds, at)


def _spread(
  counts: np.ndarray, edges: np.ndarray, wanted: np.ndarray
) -> np.ndarray:
  """Counts in other bins, which reach as far: what is below each edge."""
  if np.array_equal(edges, wanted):
    return counts
  below = np.concatenate([[0.0], np.cumsum(counts)])
  return np.diff(np.interp(wanted, edges, below))
