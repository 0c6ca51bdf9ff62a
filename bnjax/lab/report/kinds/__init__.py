"""How each kind of figure is drawn: a function of a run and the options.

Every function returns the figure, or None where the run has nothing for it.
"""

from collections.abc import Callable
from typing import Any

from matplotlib.figure import Figure

from bnjax.lab.report.drawing import Run
from bnjax.lab.report.kinds import (
  curves,
  field,
  final,
  heat_map,
  histograms,
  layers,
  percentiles,
  steps_to,
)
from bnjax.lab.results import figure_kinds

# The class of the options -> what draws them.
KINDS: dict[type[figure_kinds.Figure], Callable[[Run, Any], Figure | None]] = {
  figure_kinds.Curves: curves.draw,
  figure_kinds.Field: field.draw,
  figure_kinds.Final: final.draw,
  figure_kinds.HeatMap: heat_map.draw,
  figure_kinds.Histograms: histograms.draw,
  figure_kinds.Layers: layers.draw,
  figure_kinds.Percentiles: percentiles.draw,
  figure_kinds.StepsTo: steps_to.draw,
}
