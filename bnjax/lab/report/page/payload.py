"""All that the page's scripts draw, as what JSON can hold."""

from typing import Any

from bnjax.lab.report.figures import usual
from bnjax.lab.report.page.arms import colours
from bnjax.lab.report.page.curves import curves
from bnjax.lab.report.page.experiment import Experiment
from bnjax.lab.report.page.fields import fields
from bnjax.lab.report.page.grids import grids
from bnjax.lab.report.page.predictions import predictions
from bnjax.lab.report.page.probes import probes
from bnjax.lab.report.page.values import values
from bnjax.lab.results import to_strict
from bnjax.lab.results.figures import figures


def payload(one: Experiment) -> dict[str, Any]:
  """The parts of a page that are drawn; a part without data is None or empty.

  Raises:
    ValueError: a figure's options do not fit what was recorded.
  """
  run = one.run
  wanted = figures(one.records.rules, one.records.config) or usual(run)
  arms = run.measured.arms
  found = {
    "name": one.name,
    "arms": [{"name": arm, **colours(run.looks[arm])} for arm in arms],
    "curves": curves(run, wanted),
    "values": values(run, wanted, one.summary),
    "fields": fields(run, wanted),
    "heat_map": grids(run, wanted),
    **probes(run, wanted),
    "predictions": predictions(one.predictions, bool(one.picture), arms),
  }
  return dict(to_strict(found))
