"""The charts of a run: its figures with sliders, and everything else it has."""

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

from bnjax.lab.report.figures import make_figures, wanted
from bnjax.lab.report.kinds import make
from bnjax.lab.report.marks import Figure, Line
from bnjax.lab.report.on_page import to_plotly
from bnjax.lab.report.run import Run
from bnjax.lab.report.tables import headline_metric
from bnjax.lab.report.wording import field_name, number_text, sentence
from bnjax.lab.results import figure_kinds
from bnjax.lab.results.aggregate import is_time, ranked_names, spaced
from bnjax.lab.results.grids import Grid
from bnjax.lab.results.names import is_fraction, words
from bnjax.lab.results.points import short_names

Options = dict[str, Any]

_BYTES = 1_000_000  # of the frames of one slider
_FRAMES = 40
_PROBES = 24  # percentiles of layers that no figure asks for


@dataclasses.dataclass(frozen=True)
class Chart:
  """A chart of the page.

  Attributes:
    name: its key among those of a run.
    heading: above it.
    caption: below it.
    plotly: what draws it.
    main: whether it is the one beside the claims.
    more: whether it is folded away.
  """

  name: str
  heading: str
  caption: str
  plotly: dict[str, Any]
  main: bool = False
  more: bool = False


def charts(run: Run, summary: Mapping[str, Any]) -> list[Chart]:
  """The charts of a run, the main one first.

  Raises:
    ValueError: a figure's options do not fit what was recorded.
  """
  asked = dict(wanted(run))
  shown = {**asked, **_values(run, asked, summary)}
  made = {n: f for n, f in make_figures(run, shown).items() if _has_extent(f)}
  main = next((n for n in made if _is_share(shown[n])), next(iter(made), ""))
  order = sorted(made, key=lambda name: name != main)
  found = [
    _chart(n, made[n], _frames(run, shown[n], made[n]), main=n == main)
    for n in order
  ]
  for name, options in _others(run, shown).items():
    if (figure := make(run, options)) and _has_extent(figure):
      frames = _frames(run, options, figure)
      found.append(_chart(name, figure, frames, more=True))
  for grid in list(run.measured.grids.values())[:1]:
    for name, frames in _at_points(run, grid).items():
      last = next(reversed(frames.values()))
      more = name != f"grid curves of {grid.metric}"
      found.append(_chart(name, last, frames, more=more))
  if found and not any(_listed(chart) for chart in found):
    _list_rows(found[0])
  return found


def _listed(chart: Chart) -> list[Any]:
  """What its legend lists."""
  return [own for own in chart.plotly["data"] if own["showlegend"]]


def _list_rows(chart: Chart) -> None:
  """Gives a chart of rows a legend, by which arms are hidden everywhere."""
  arms = {own["legendgroup"]: own for own in chart.plotly["data"]
          if own["name"] == own["legendgroup"] != ""}  # fmt: skip
  if "coloraxis" not in chart.plotly["layout"]:
    for own in arms.values():
      own["showlegend"] = True


def _chart(
  name: str,
  figure: Figure,
  frames: Mapping[str, Figure],
  *,
  main: bool = False,
  more: bool = False,
) -> Chart:
  caption = " · ".join(filter(None, figure.caption))
  alone = figure.panels[0].title if len(figure.panels) == 1 else ""
  heading = sentence(figure.title or alone or name.replace("_", " "))
  return Chart(name, heading, caption, to_plotly(figure, frames), main, more)


def _has_extent(figure: Figure) -> bool:
  """Whether it is no figure of lines that are but a point each."""
  lines = [line for line in figure.marks(Line) if not line.dashed]
  return not lines or any(len(line.x) > 1 for line in lines)


def _is_share(options: Any) -> bool:
  """Whether a figure is of an accuracy, which a reader looks at first."""
  match options:
    case figure_kinds.HeatMap():
      return True
    case figure_kinds.Curves() | figure_kinds.Final() | figure_kinds.Field():
      return is_fraction(options.metrics[0])
    case figure_kinds.StepsTo():
      return is_fraction(options.metric)
  return False


def _values(run: Run, asked: Options, summary: Mapping[str, Any]) -> Options:
  """Every seed beside what is published, where no figure shows that."""
  there = {
    (metric, own.step)
    for own in asked.values()
    if isinstance(own, figure_kinds.Final)
    for metric in own.metrics
  }
  steps: dict[int | None, list[str]] = {}
  for rule in run.measured.rules.numbers:
    final = run.measured.final_step(rule.arm, rule.metric)
    known = {(rule.metric, rule.step), (rule.metric, None)} & there
    if not rule.relative_to and not (known and rule.step == final):
      steps.setdefault(rule.step, []).append(rule.metric)
  headline = headline_metric(summary)
  if headline and not steps and not there:
    steps[None] = [headline]
  title = "Every seed, interval and published number"
  return {
    f"values {step or ''}".strip(): figure_kinds.Final(
      metrics=tuple(dict.fromkeys(metrics)),
      step=step,
      title=title if run.measured.rules.numbers else "Every seed and interval",
    )
    for step, metrics in steps.items()
  }


def _others(run: Run, shown: Options) -> Options:
  """What was recorded and no figure shows, a chart each."""
  alone = {
    own.metrics[0]
    for own in shown.values()
    if isinstance(own, figure_kinds.Curves) and len(own.metrics) == 1
  }
  plain = {m for _, m in run.measured.plain if not is_time(m)}
  found: Options = {
    f"curves of {metric}": figure_kinds.Curves(metrics=(metric,))
    for metric in ranked_names(plain)
    if metric not in alone
  }
  for grid in list(run.measured.grids.values())[:1]:
    x, y = (*grid.fields, "", "")[:2]
    maps = [
      own for own in shown.values() if isinstance(own, figure_kinds.HeatMap)
    ]
    seen = {own.metric or grid.metric for own in maps}
    for metric in grid.metrics if y else ():
      if metric not in seen and not is_time(metric):
        like = maps[0] if maps else figure_kinds.HeatMap(x=x, y=y)
        found[f"map of {metric}"] = figure_kinds.HeatMap(
          x=like.x, y=like.y, x_label=like.x_label, y_label=like.y_label,
          metric=metric, title=sentence(words(metric)),
        )  # fmt: skip
  asked = {own.probe for own in shown.values() if hasattr(own, "probe")}
  for probe in run.measured.probes.names():
    if probe not in asked:
      found |= _of_probe(run, probe)
  return found


def _of_probe(run: Run, probe: str, at: str = "") -> Options:
  """A chart for what a probe saw, or one a layer; at a point of the grid."""
  probes = run.measured.probes
  layers = probes.layers(probe)
  first = next(row for row in probes.rows() if row["probe"] == probe)
  title = sentence(words(probe))
  if first.get("edges") is not None:
    return {probe: figure_kinds.Histograms(probe=probe, at=at, title=title)}
  if not isinstance(first["values"], list):
    return {probe: figure_kinds.Layers(probe=probe, at=at)}
  return {
    f"{probe} of {layer}": figure_kinds.Percentiles(
      probe=probe,
      layer=f"{layer}@{at}" if at else layer,
      title=f"{title} of {layer}",
    )
    for layer in layers[:_PROBES]
  }


def _frames(run: Run, options: Any, figure: Figure) -> dict[str, Figure]:
  """A figure at each step at which it may be looked at."""
  match options:
    case figure_kinds.HeatMap():
      grids = [run.measured.grids.get(arm) for arm in run.arms(options.arms)]
      metric = options.metric
      steps = {s for grid in grids if grid
               for s in grid.stack(metric or grid.metric).steps}  # fmt: skip
    case figure_kinds.Layers() | figure_kinds.Histograms(steps=()):
      probes = run.measured.probes
      steps = {
        seen.step
        for arm in run.arms(options.arms)
        for layer in probes.layers(options.probe, arm)
        for seen in probes.seen(arm, options.probe, layer, options.point())
      }
    case _:
      return {}
  shown = options.step
  steps = {step for step in steps if shown is None or step <= shown}
  at: Callable[[int], Figure | None] = lambda step: make(
    run, dataclasses.replace(options, step=step)
  )
  few = _few(sorted(steps), figure)
  frames = {f"step {step:,}": at(step) for step in few}
  return {label: own for label, own in frames.items() if own}


def _few(found: list[Any], figure: Figure) -> list[Any]:
  """As many as there is room for, the first and the last among them."""
  size = len(json.dumps(to_plotly(figure)["data"]))
  kept = spaced(len(found), min(_FRAMES, max(2, _BYTES // size)))
  return [found[place] for place in kept]


def _at_points(run: Run, grid: Grid) -> dict[str, dict[str, Figure]]:
  """What there is at the points of the grid: curves, layers, histograms."""
  found: dict[str, dict[str, Figure]] = {}
  points = [grid.points[place] for place in spaced(len(grid.points), _FRAMES)]
  try:
    options = {point: _at_point(run, grid, point) for point in points}
  except ValueError:  # a value that no name has a place for, such as "a,b"
    return {}
  for name in options[points[0]]:
    made = (make(run, options[point][name]) for point in points)
    if first := next(filter(None, made), None):
      found[name] = {
        _point_text(grid, point): figure
        for point in _few(points, first)
        if (figure := make(run, options[point][name]))
      }
  return {name: frames for name, frames in found.items() if frames}


def _at_point(run: Run, grid: Grid, point: tuple[Any, ...]) -> Options:
  """The charts of one point of the grid."""
  names = short_names(grid.fields)
  pairs = zip(grid.fields, point, strict=True)
  place = ",".join(f"{names[field]}={value!s}" for field, value in pairs)
  found: Options = {}
  for metric in grid.metrics:
    if not is_time(metric) and len(grid.stack(metric).steps) > 1:
      fraction = is_fraction(metric)
      found[f"grid curves of {metric}"] = figure_kinds.Curves(
        metrics=(f"{metric}@{place}",),
        titles=(f"{sentence(words(metric))} at each point of the grid",),
        low=0.0 if fraction else None,
        high=1.0 if fraction else None,
      )
  for probe in run.measured.probes.names():
    own = _of_probe(run, probe, place)
    found |= {f"grid {name}": options for name, options in own.items()}
  return found


def _point_text(grid: Grid, point: tuple[Any, ...]) -> str:
  pairs = zip(grid.fields, point, strict=True)
  return ", ".join(f"{field_name(f)} {number_text(v)}" for f, v in pairs)
