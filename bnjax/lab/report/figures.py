"""The figures of a run: those its rules ask for, or the usual ones."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

from bnjax.lab.report import on_paper
from bnjax.lab.report.kinds import make
from bnjax.lab.report.marks import Figure
from bnjax.lab.report.run import Run
from bnjax.lab.results import figure_kinds
from bnjax.lab.results.figures import figures, of_grid

Options = Mapping[str, figure_kinds.Figure]


def draw_figures(
  run: Run,
  folder: pathlib.Path,
  formats: Sequence[str] = ("png",),
  width: float | None = None,
  *,
  title: bool = True,
  caption: bool = True,
) -> list[pathlib.Path]:
  """Draws every figure that the run has something for, by figure and format.

  Figures are as wide as the page has room for, in inches, if `width` is None.

  Raises:
    ValueError: a figure's options do not fit what was recorded.
  """
  return [
    path
    for name, figure in make_figures(run, wanted(run)).items()
    for path in on_paper.save(
      _without(figure, title=title, caption=caption),
      folder, name, formats, width,
    )
  ]  # fmt: skip


def _without(figure: Figure, *, title: bool, caption: bool) -> Figure:
  """The figure with what is asked for; several panels keep their titles."""
  if not caption:
    figure = dataclasses.replace(figure, caption=())
  if title:
    return figure
  panels = figure.panels
  if len(panels) == 1:
    panels = [dataclasses.replace(panels[0], title="")]
  return dataclasses.replace(figure, title="", panels=panels)


def wanted(run: Run) -> Options:
  """The figures that the run's rules ask for; the usual ones if none."""
  measured = run.measured
  return figures(measured.rules, measured.config) or usual(run)


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
