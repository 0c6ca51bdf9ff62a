"""The summary of a run: what `summary.json` holds.

    {"title", "datasets", "seconds", "notes", "notices",
     "entries": [{"arm", "metric", "step", "dataset", "mean", "std",
                  "sample_std", "interval", "seeds", "finite", "bounds",
                  "diverged", "published", "difference",
                  "difference_interval", "room", "ratio", "ratio_interval",
                  "verdict", "needed", "reason", "changed"}],
     "claims": [{"name", "text", ..., "difference", "interval", "ratio",
                 "ratio_interval", "bound", "seeds", "verdict", "needed",
                 "p", "p_holm", "reason", "changed"}],
     "curves": [{"arm", "metric", "source", "dataset", "measured_on",
                 "points": [{"step", "published", "ours", ...}]}],
     "grids": see `grid_summary`, "layers": see below}

An arm has an entry for every metric at its last step, an arm of a grid for
what follows from the grid as a whole; and either has one for whatever else a
published number names, at its step if there are rows of it.

`std` is divided by n, as the published code divides; `sample_std` by n - 1,
which is what the intervals rest on. `bounds` counts the seeds whose value is
known only to be "at_least" or "at_most" the one that enters the mean, whose
interval then has one end: the other is null. `room` is the margin, where the
interval of the difference has to lie; both are of ours / published where that
is compared on the log scale (the number is relative to an arm, or has a
factor). `needed` says how many seeds would decide what is undecided; null
where none would. `p_holm` is `p` with Holm's correction for the claims of the
run. `diverged` counts runs of the arm and names their seeds
and steps; their metrics are among the values all the same.

`changed` says what of a rule was changed after the run; "" if nothing was.

`layers` holds the tables that `rules.tables` asks for:

    [{"name", "title", "probe", "step", "layers": [...],
      "arms": {arm: [number of each layer]}, "seeds"}]
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any

from bnjax.lab.results import aggregate
from bnjax.lab.results.claims import judge_claim
from bnjax.lab.results.grid_summary import grid_summary
from bnjax.lab.results.intervals import Interval, estimate, exps, holm
from bnjax.lab.results.layers import profiles
from bnjax.lab.results.measured import Measured, Values
from bnjax.lab.results.missing import missing_rows
from bnjax.lab.results.published import PublishedCurve, PublishedNumber
from bnjax.lab.results.recorded import (
  Recorded,
  change,
  changes,
  of_first,
)
from bnjax.lab.results.records import to_strict
from bnjax.lab.results.rows import Row
from bnjax.lab.results.rules import Rules
from bnjax.lab.results.settings import setting
from bnjax.lab.results.verdicts import Verdict, judge_published

NONE = Recorded()


def summarize(
  config: Mapping[str, Any],
  environment: Mapping[str, Any],
  rows: Iterable[Row],
  probes: Iterable[Row] = (),
  recorded: Recorded = NONE,
) -> dict[str, Any]:
  """Summarizes a run, or a part of one, and judges it by its rules.

  Raises:
    ValueError: a row is not as it should be, or a rule asks for what there
      cannot be.
  """
  rules = recorded.rules
  measured = Measured(config, rows, probes, rules)
  summary = {
    "title": rules.title or "Results",
    "datasets": list(environment.get("datasets") or []),
    "seconds": aggregate.total_seconds(measured.rows),
    "notes": list(rules.notes),
    "notices": [*missing_rows(measured), *changes(recorded)],
    "entries": _entries(measured, recorded),
    "claims": _claims(measured, recorded),
    "curves": [
      _points(line, measured)
      | {"measured_on": setting(config, line.arm, "dataset", "name")}
      for line in rules.curves
    ],
    "grids": [grid_summary(grid) for grid in measured.grids.values()],
    "layers": _layers(measured),
  }
  strict: dict[str, Any] = to_strict(summary)
  return strict


def _entries(measured: Measured, recorded: Recorded) -> list[dict[str, Any]]:
  entries = []
  numbers, first = recorded.rules.numbers, recorded.first
  for arm in measured.arms:
    left = [rule for rule in numbers if rule.arm == arm]
    for metric in measured.metrics(arm):
      curve = measured.curve(arm, metric)
      assert curve is not None
      rule = next((r for r in left if r.metric == metric), None)
      if rule is not None and _step(rule, measured) == curve.last_step:
        left.remove(rule)
      else:
        rule = None
      entries.append(
        _entry(arm, metric, curve.last_step, rule, measured, first)
      )
    entries += [
      _entry(arm, rule.metric, step, rule, measured, first)
      for rule in left
      if (step := _step(rule, measured)) is not None
    ]
  return entries


def _step(rule: PublishedNumber, measured: Measured) -> int | None:
  """The published step, or the last one where there are no rows of that."""
  curve = measured.curve(rule.arm, rule.metric)
  if curve is None:
    return None
  return rule.step if rule.step in curve.steps else curve.last_step


def _entry(
  arm: str,
  metric: str,
  step: int,
  rule: PublishedNumber | None,
  measured: Measured,
  first: Rules,
) -> dict[str, Any]:
  values = measured.values(arm, metric, step)
  ours = estimate(list(values.numbers.values()))
  dataset = setting(measured.config, arm, "dataset", "name")
  signs = list(values.bounds.values())
  judged, published, room, changed = Verdict(verdict=""), None, None, ""
  if rule is not None:
    theirs = None
    if rule.relative_to is not None:
      theirs = measured.values(rule.relative_to, metric, step)
    judged = judge_published(values, rule, dataset=dataset, theirs=theirs)
    published = dataclasses.asdict(rule)
    del published["arm"], published["metric"]
    room = exps(rule.room) if rule.on_logs else rule.room
    changed = change(rule, of_first(rule, first))
  return {
    "arm": arm,
    "metric": metric,
    "step": step,
    "dataset": dataset,
    "mean": ours.mean,
    "std": ours.std,
    "sample_std": ours.sample_std,
    "interval": _one_sided(ours.interval, values),
    "seeds": ours.n,
    "finite": ours.finite,
    "bounds": {"at_least": signs.count(1), "at_most": signs.count(-1)},
    "diverged": _diverged(arm, measured),
    "published": published,
    "difference": judged.difference,
    "difference_interval": _listed(judged.interval),
    "room": _listed(room),
    "ratio": judged.ratio,
    "ratio_interval": _listed(judged.ratio_interval),
    "verdict": judged.verdict or None,
    "needed": judged.needed,
    "reason": judged.reason,
    "changed": changed,
  }


def _diverged(arm: str, measured: Measured) -> dict[str, Any]:
  """How many runs diverged, and which; those of a grid are only counted."""
  if grid := measured.grids.get(arm):
    return {"count": sum(map(len, grid.diverged)), "runs": []}
  runs = measured.diverged.get(arm, {})
  listed = [{"seed": seed, "step": at} for seed, at in runs.items()]
  return {"count": len(runs), "runs": listed}


def _claims(measured: Measured, recorded: Recorded) -> list[dict[str, Any]]:
  rules, first = recorded.rules.claims, recorded.first.claims
  judged = {name: judge_claim(rule, measured) for name, rule in rules.items()}
  tested = {name: j.p for name, j in judged.items() if j.p is not None}
  corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
  return [
    {"name": name}
    | dataclasses.asdict(rule)
    | judged[name]._asdict()
    | {
      "interval": _listed(judged[name].interval),
      "ratio_interval": _listed(judged[name].ratio_interval),
      "p_holm": corrected.get(name),
      "changed": change(rule, first.get(name)),
    }
    for name, rule in rules.items()
  ]


def _points(line: PublishedCurve, measured: Measured) -> dict[str, Any]:
  """A published curve, and ours at its steps; a loss also in its parts."""
  metrics = {"ours": line.metric}
  if line.metric == "loss":
    metrics |= {"data_loss": "data_loss", "l2_loss": "l2_loss"}
  points = []
  for step, value in zip(line.steps, line.values, strict=True):
    point: dict[str, Any] = {"step": step, "published": value}
    for name, metric in metrics.items():
      found = measured.values(line.arm, metric, step)
      ours = estimate(list(found.numbers.values()))
      point[name] = ours.mean
      if name == "ours":
        point |= {"std": ours.std, "seeds": ours.n, "finite": ours.finite}
    points.append(point)
  return {
    "arm": line.arm,
    "metric": line.metric,
    "source": line.source,
    "dataset": line.dataset,
    "points": points,
  }


def _layers(measured: Measured) -> list[dict[str, Any]]:
  tables = []
  for name, wanted in measured.rules.tables.items():
    found = profiles(measured, wanted)
    layers = list(dict.fromkeys(layer for p in found for layer in p.layers))
    arms = {}
    for profile in found:
      numbers = dict(zip(profile.layers, profile.mean.tolist(), strict=True))
      arms[profile.arm] = [_finite(numbers.get(layer)) for layer in layers]
    table = {
      "name": name,
      "title": wanted.title,
      "probe": wanted.probe,
      "step": max((profile.step for profile in found), default=None),
      "geometric": wanted.log_y,
      "layers": layers,
      "arms": arms,
      "seeds": max((profile.seeds for profile in found), default=0),
    }
    tables.append(table)
  return tables


def _finite(value: float | None) -> float | None:
  return value if value is not None and math.isfinite(value) else None


def _one_sided(interval: Interval | None, values: Values) -> list[Any] | None:
  """An interval without the end that values known to a bound do not give."""
  signs = {*values.bounds.values()} - {0}
  if interval is None or values.shared or len(signs) > 1:
    return None
  low = None if -1 in signs else interval[0]
  return [low, None if 1 in signs else interval[1]]


def _listed(interval: Interval | None) -> list[float | None] | None:
  """An interval, an end that is infinite as None; None without any end."""
  if interval is None:
    return None
  ends = [float(end) if math.isfinite(end) else None for end in interval]
  return None if ends == [None, None] else ends
