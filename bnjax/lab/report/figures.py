"""The figures of a run: those its rules ask for, or the usual ones."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from bnjax.lab.report import on_paper
from bnjax.lab.report.kinds import make
from bnjax.lab.report.marks import Figure
from bnjax.lab.report.run import Run, read_run
from bnjax.lab.results import figure_kinds
from bnjax.lab.results.figures import figures, of_grid
from bnjax.lab.results.grids import PLAIN
from bnjax.lab.results.rules import Rules

Rows = Sequence[Mapping[str, Any]]
Options = Mapping[str, figure_kinds.Figure]


def draw_figures(
  config: Mapping[str, Any],
  environment: Mapping[str, Any],
  rows: Rows,
  folder: pathlib.Path,
  formats: Sequence[str] = ("png",),
  probes: Rows = (),
  width: float | None = None,
  rules: Rules = PLAIN,
) -> list[pathlib.Path]:
  """Draws every figure that the rows have something for.

  Args:
    config: the resolved config; the order of its arms gives their colours.
    environment: its `datasets` are named where published ones are others.
    rows: the rows of `metrics.jsonl`.
    folder: where the files go; made if missing.
    formats: png, pdf or svg.
    probes: the rows of `probes.jsonl`.
    width: of the figures, in inches; as the page has room for if None.
    rules: they say what is drawn.

  Returns:
    The files, by figure and then by format.

  Raises:
    ValueError: a figure's options do not fit what was recorded.
  """
  run = read_run(config, environment, rows, probes, rules)
  folder.mkdir(parents=True, exist_ok=True)
  made = make_figures(run, figures(rules, config) or usual(run))
  return [
    path
    for name, figure in made.items()
    for path in on_paper.save(figure, folder, name, formats, width)
  ]


def make_figures(run: Run, wanted: Options) -> dict[str, Figure]:
  """The figures of some options as marks; those without any are left out.

  Raises:
    ValueError: a figure's options do not fit what was recorded.
  """
  made = {}
  for name, options in wanted.items():
    try:
      if figure := make(run, options):
        made[name] = figure
    except ValueError as error:
      raise ValueError(f"figures.{name}: {error}") from None
  return made


def usual(run: Run) -> dict[str, figure_kinds.Figure]:
  """The figures of a run whose rules ask for none."""
  found: dict[str, figure_kinds.Figure] = {}
  for grid in list(run.measured.grids.values())[:1]:
    found |= of_grid(grid)
  metrics = {metric for _, metric in run.measured.plain}
  losses = {
    "loss": "Training loss with its L2 penalty",
    "data_loss": "Training loss of the data alone",
  }
  if shown := [name for name in losses if name in metrics]:
    titles = tuple(losses[name] for name in shown)
    found["loss"] = figure_kinds.Curves(metrics=tuple(shown), titles=titles)
  for name in ("test_accuracy", "validation_accuracy"):
    if name in metrics:
      found["accuracy"] = figure_kinds.Curves(metrics=(name,))
      break
  return found
