"""The kinds of figures: each a function of a run and its options.

Every function returns a figure as marks, or None where the run has nothing for
it, and raises ValueError where the options do not fit what was recorded.
"""

from collections.abc import Callable
from typing import Any

from bnjax.lab.report.kinds.curves import curves
from bnjax.lab.report.kinds.custom import custom
from bnjax.lab.report.kinds.fan import fan
from bnjax.lab.report.kinds.field import field
from bnjax.lab.report.kinds.final import final
from bnjax.lab.report.kinds.heat_map import heat_map
from bnjax.lab.report.kinds.histograms import histograms
from bnjax.lab.report.kinds.layers import layers
from bnjax.lab.report.kinds.percentiles import percentiles
from bnjax.lab.report.kinds.steps_to import steps_to
from bnjax.lab.report.kinds.strips import strips
from bnjax.lab.report.marks import Figure
from bnjax.lab.report.run import Run
from bnjax.lab.results import figure_kinds

# The class of the options -> what makes the marks.
KINDS: dict[type[figure_kinds.Figure], Callable[[Run, Any], Figure | None]] = {
  figure_kinds.Curves: curves,
  figure_kinds.Custom: custom,
  figure_kinds.Fan: fan,
  figure_kinds.Field: field,
  figure_kinds.Final: final,
  figure_kinds.HeatMap: heat_map,
  figure_kinds.Histograms: histograms,
  figure_kinds.Layers: layers,
  figure_kinds.Percentiles: percentiles,
  figure_kinds.StepsTo: steps_to,
  figure_kinds.Strips: strips,
}


def make(run: Run, options: figure_kinds.Figure) -> Figure | None:
  """The figure of some options."""
  return KINDS[type(options)](run, options)
