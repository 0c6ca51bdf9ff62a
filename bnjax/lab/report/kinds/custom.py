"""Figures that functions from outside of bnjax make."""

import dataclasses

from bnjax.lab import registry
from bnjax.lab.errors import UserError
from bnjax.lab.report.marks import Figure
from bnjax.lab.report.run import Run
from bnjax.lab.results import figure_kinds


def custom(run: Run, options: figure_kinds.Custom) -> Figure | None:
  """Runs the function: only for rules whose reader asked for that."""
  name = options.function
  function = registry.bound(name, options.arguments())
  try:
    figure = function(run.measured)
  except UserError:
    raise
  except Exception as error:
    said = registry.said(error, name.partition(":")[0])
    raise ValueError(f"{name!r} fails: {said}") from error
  if figure is None:
    return None
  if not isinstance(figure, Figure):
    raise ValueError(
      f"{name!r} returns a {type(figure).__name__}, and is to return a "
      "bnjax.lab.report.marks.Figure"
    )
  title = options.title or figure.title
  return dataclasses.replace(figure, title=title)
