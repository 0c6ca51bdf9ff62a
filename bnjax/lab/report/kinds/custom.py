"""Figures that functions from outside of bnjax make."""

import dataclasses
from typing import Any

from bnjax.lab import registry
from bnjax.lab.errors import UserError
from bnjax.lab.report.marks import Axis, Figure, Mark, Panel
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
  if wrong := _wrong(figure):
    raise ValueError(f"{name!r} returns {wrong}")
  return dataclasses.replace(figure, title=options.title or figure.title)


def _wrong(figure: Any) -> str:
  """What is no figure of marks, if anything."""
  if not isinstance(figure, Figure):
    kind = type(figure).__name__
    return f"a {kind}, and is to return a bnjax.lab.report.marks.Figure"
  if not figure.panels:
    return "a figure without panels"
  for panel in figure.panels:
    if not isinstance(panel, Panel):
      return f"a figure with a panel of type {type(panel).__name__}"
    if not (isinstance(panel.x, Axis) and isinstance(panel.y, Axis)):
      return "a panel whose x and y are no axes"
    for mark in panel.marks:
      if not isinstance(mark, Mark):
        return f"a panel with a mark of type {type(mark).__name__}"
  return ""
