"""The figures of a run: those its rules ask for, or the usual ones."""

import logging
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib

from bnjax.lab.report.drawing import Run, break_titles, read_run
from bnjax.lab.report.kinds import KINDS
from bnjax.lab.report.style import METADATA, TIGHT, WIDTH, settings
from bnjax.lab.results.figure_kinds import Curves, Figure
from bnjax.lab.results.figures import figures, of_grid
from bnjax.lab.results.grids import PLAIN
from bnjax.lab.results.rules import Rules

Rows = Sequence[Mapping[str, Any]]


def draw_figures(
  config: Mapping[str, Any],
  environment: Mapping[str, Any],
  rows: Rows,
  folder: pathlib.Path,
  formats: Sequence[str] = ("png",),
  probes: Rows = (),
  width: float = WIDTH,
  rules: Rules = PLAIN,
) -> list[pathlib.Path]:
  """Draws every figure that the rows have something for.

  Args:
    config: the resolved config; the order of its arms gives their colours.
    environment: its `datasets` are named where published ones are others.
    rows: the rows of `metrics.jsonl`.
    folder: where the files go; made if missing.
    formats: names in `METADATA`.
    probes: the rows of `probes.jsonl`.
    width: of the figures, in inches.
    rules: they say what is drawn.

  Returns:
    The files, by figure and then by format.

  Raises:
    ValueError: a figure's options do not fit what was recorded.
  """
  # It tells each step of embedding a font in a PDF to whoever logs at INFO.
  logging.getLogger("fontTools").setLevel(logging.WARNING)
  folder.mkdir(parents=True, exist_ok=True)
  run = read_run(config, environment, rows, probes, rules)
  files = []
  with matplotlib.rc_context(settings(width)):
    for name, options in (figures(rules, config) or usual(run)).items():
      try:
        figure = KINDS[type(options)](run, options)
      except ValueError as error:
        raise ValueError(f"figures.{name}: {error}") from None
      if figure is None:
        continue
      break_titles(figure)
      for form in formats:
        path = folder / f"{name}.{form}"
        edges = TIGHT if width == WIDTH else TIGHT | {"pad_inches": 0}
        figure.savefig(path, format=form, metadata=METADATA[form], **edges)
        files.append(path)
  return files


def usual(run: Run) -> dict[str, Figure]:
  """The figures of a run whose rules ask for none."""
  found: dict[str, Figure] = {}
  for grid in list(run.measured.grids.values())[:1]:
    found |= of_grid(grid)
  metrics = {metric for _, metric in run.measured.plain}
  losses = {
    "loss": "Training loss with its L2 penalty",
    "data_loss": "Training loss of the data alone",
  }
  if shown := [name for name in losses if name in metrics]:
    found["loss"] = Curves(
      metrics=tuple(shown), titles=tuple(losses[name] for name in shown)
    )
  for name in ("test_accuracy", "validation_accuracy"):
    if name in metrics:
      found["accuracy"] = Curves(metrics=(name,))
      break
  return found
