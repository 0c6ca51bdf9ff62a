"""The figures of a run: loss and accuracy of every arm over training steps."""

import logging
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bnjax.report.labels import label_lines
from bnjax.report.panels import draw_panel, draw_published
from bnjax.report.style import GREY, RC, WIDTH, looks
from bnjax.results.aggregate import Curve, curves, diverged_steps
from bnjax.results.parse import published
from bnjax.results.settings import arm_names

Rows = Sequence[Mapping[str, Any]]


class Panel(NamedTuple):
  """One metric, and how its axes are named."""

  metric: str
  title: str
  unit: str


# Figure -> its panels from top to bottom, each the first that has rows.
FIGURES: dict[str, tuple[tuple[Panel, ...], ...]] = {
  "loss": (
    (Panel("loss", "Training loss with its L2 penalty", "loss (nats)"),),
    (Panel("data_loss", "Training loss of the data alone", "loss (nats)"),),
  ),
  "accuracy": (
    (
      Panel("test_accuracy", "Test accuracy", "fraction correct"),
      Panel("validation_accuracy", "Validation accuracy", "fraction correct"),
    ),
  ),
}

# Without dates and versions, one run gives one file, byte for byte.
METADATA: dict[str, dict[str, Any]] = {
  "png": {"Software": None},
  "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
  "svg": {"Date": None, "Creator": None},
}


def draw_figures(
  config: Mapping[str, Any],
  environment: Mapping[str, Any],
  rows: Rows,
  folder: pathlib.Path,
  formats: Sequence[str] = ("png",),
) -> list[pathlib.Path]:
  """Draws every figure that the rows have metrics for.

  Args:
    config: the resolved config; the order of its arms gives their colours.
    environment: its `datasets` are named where published ones are others.
    rows: the rows of `metrics.jsonl`.
    folder: where the files go; made if missing.
    formats: names in `METADATA`.

  Returns:
    The files, by figure and then by format.
  """
  # It tells each step of embedding a font in a PDF to whoever logs at INFO.
  logging.getLogger("fontTools").setLevel(logging.WARNING)
  folder.mkdir(parents=True, exist_ok=True)
  found = curves(rows)
  arms = arm_names(config, rows)
  files = []
  with matplotlib.rc_context(RC):
    for name, choices in FIGURES.items():
      panels = []
      for options in choices:
        shown = [
          (panel, own)
          for panel in options
          if (own := [c for a in arms if (c := found.get((a, panel.metric)))])
        ]
        panels += shown[:1]
      if not panels:
        continue
      figure = _draw(panels, config, environment, rows)
      for form in formats:
        path = folder / f"{name}.{form}"
        figure.savefig(path, format=form, metadata=METADATA[form])
        files.append(path)
  return files


def _draw(
  panels: Sequence[tuple[Panel, list[Curve]]],
  config: Mapping[str, Any],
  environment: Mapping[str, Any],
  rows: Rows,
) -> Figure:
  arm_looks = looks(arm_names(config, rows))
  diverged = diverged_steps(rows)
  numbers, lines = published(config)
  height = 0.5 + (2.9 if len(panels) == 1 else 2.3 * len(panels))
  figure = Figure(figsize=(WIDTH, height), layout="constrained")
  FigureCanvasAgg(figure)
  grid = figure.subplots(len(panels), 1, squeeze=False, sharex=True)[:, 0]
  labelled, datasets = [], []
  for axes, (panel, own) in zip(grid, panels, strict=True):
    labels = draw_panel(axes, own, arm_looks, diverged)
    datasets += draw_published(axes, panel.metric, arm_looks, numbers, lines)
    axes.set_title(panel.title)
    axes.set_ylabel(panel.unit)
    labelled.append((axes, labels))
  grid[-1].set_xlabel("training step (minibatches)")
  ours = [data.get("name", "") for data in environment.get("datasets") or []]
  note = _caption(own, diverged, [d for d in datasets if d], ours)
  figure.supxlabel(
    note, x=0.01, ha="left", fontsize=7, color=GREY, parse_math=False
  )
  label_lines(figure, labelled)
  return figure


def _caption(
  own: Sequence[Curve],
  diverged: Mapping[str, Mapping[int, int]],
  datasets: Sequence[str],
  ours: Sequence[str],
) -> str:
  """Says what the lines, bands and marks are."""
  counts = sorted({len(curve.seeds) for curve in own})
  seeds = " to ".join(map(str, dict.fromkeys((counts[0], counts[-1]))))
  plural = "s" if counts[-1] > 1 else ""
  parts = [f"line: mean of {seeds} seed{plural}"]
  if plural:
    parts.append("band: smallest to largest")
  if datasets:
    others = sorted({*datasets} - {*ours})
    where = (
      f" on {', '.join(others)} (ours: {', '.join(ours)})" if others else ""
    )
    parts.append(f"dashed: published{where}")
  total = sum(len(runs) for runs in diverged.values())
  if total:
    parts.append(f"cross: diverged, {total} run{'s' if total > 1 else ''}")
  return "  ·  ".join(parts)
