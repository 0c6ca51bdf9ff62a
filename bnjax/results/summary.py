"""The summary of a run: what `summary.json` holds.

    {"title", "datasets", "seconds", "notes", "notices",
     "entries": [{"arm", "metric", "step", "dataset", "mean", "std",
                  "sample_std", "interval", "seeds", "finite", "diverged",
                  "published", "difference", "difference_interval",
                  "verdict", "reason"}],
     "claims": [{"name", "text", ..., "difference", "interval", "seeds",
                 "verdict", "reason"}],
     "curves": [{"arm", "metric", "source", "dataset", "measured_on",
                 "points": [{"step", "published", "ours", ...}]}]}

`std` is divided by n, as the published code divides; `sample_std` by n - 1,
which is what the intervals rest on. `diverged` counts runs of the arm and
names their seeds and steps; their metrics are among the values all the same.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bnjax.results import aggregate, parse, rules, verdicts
from bnjax.results.aggregate import Curve
from bnjax.results.intervals import estimate
from bnjax.results.settings import arm_names, missing_rows, setting

Curves = Mapping[tuple[str, str], Curve]


def summarize(
  config: Mapping[str, Any],
  environment: Mapping[str, Any],
  rows: Iterable[Mapping[str, Any]],
) -> dict[str, Any]:
  """Summarizes the rows of a run and judges its published numbers and claims.

  Args:
    config: the resolved config as a nested dictionary.
    environment: holds `datasets`, a list of what describes each.
    rows: the rows of `metrics.jsonl`, of a finished run or of a part of one.

  Returns:
    The dictionary described above, strict JSON.

  Raises:
    ValueError: a rule of the config, or a row, is not as it should be.
  """
  rows = list(rows)
  curves = aggregate.curves(rows)
  diverged = aggregate.diverged_steps(rows)
  numbers, lines = parse.published(config)
  wanted = {(rule.arm, rule.metric): rule for rule in numbers}
  arms = arm_names(config, rows)
  steps = {arm: setting(config, arm, "steps") or 0 for arm in arms}
  ordered = sorted(curves, key=lambda key: arms.index(key[0]))
  return {
    "title": str(config.get("title") or "Results"),
    "datasets": list(environment.get("datasets") or []),
    "seconds": aggregate.total_seconds(rows),
    "notes": [str(note) for note in config.get("notes") or []],
    "notices": missing_rows(config, arms, curves, steps),
    "entries": [
      _entry(
        curves[key],
        diverged.get(key[0], {}),
        wanted.get(key),
        setting(config, key[0], "dataset", "name"),
      )
      for key in ordered
    ],
    "claims": [
      _claim(claim, verdicts.judge_claim(claim, curves, steps=steps))
      for claim in parse.claims(config)
    ],
    "curves": [
      _points(line, curves)
      | {"measured_on": setting(config, line.arm, "dataset", "name")}
      for line in lines
    ],
  }


def _entry(
  curve: Curve,
  runs: Mapping[int, int],
  rule: rules.PublishedNumber | None,
  dataset: str | None,
) -> dict[str, Any]:
  step = curve.last_step
  ours = estimate(list(curve.at(step).values()))
  entry = {
    "arm": curve.arm,
    "metric": curve.metric,
    "step": step,
    "dataset": dataset,
    "mean": ours.mean,
    "std": ours.std,
    "sample_std": ours.sample_std,
    "interval": _listed(ours.interval),
    "seeds": ours.n,
    "finite": ours.finite,
    "diverged": {
      "count": len(runs),
      "runs": [{"seed": seed, "step": at} for seed, at in runs.items()],
    },
    "published": None,
    "difference": None,
    "difference_interval": None,
    "verdict": None,
    "reason": "",
  }
  if rule is not None:
    judged = verdicts.judge_published(ours, rule, dataset=dataset, step=step)
    published = dataclasses.asdict(rule)
    entry |= {
      "published": {
        key: value
        for key, value in published.items()
        if key not in ("arm", "metric")
      },
      "difference": judged.difference,
      "difference_interval": _listed(judged.interval),
      "verdict": judged.verdict,
      "reason": judged.reason,
    }
  return entry


def _claim(claim: rules.Claim, judged: verdicts.Verdict) -> dict[str, Any]:
  return dataclasses.asdict(claim) | {
    "difference": judged.difference,
    "interval": _listed(judged.interval),
    "seeds": judged.seeds,
    "verdict": judged.verdict,
    "reason": judged.reason,
  }


def _points(line: rules.PublishedCurve, curves: Curves) -> dict[str, Any]:
  """A published curve, and ours at its steps; a loss also in its parts."""
  metrics = {"ours": line.metric}
  if line.metric == "loss":
    metrics |= {"data_loss": "data_loss", "l2_loss": "l2_loss"}
  points = []
  for step, value in zip(line.steps, line.values, strict=True):
    point: dict[str, Any] = {"step": step, "published": value}
    for name, metric in metrics.items():
      curve = curves.get((line.arm, metric))
      values = list(curve.at(step).values()) if curve else []
      ours = estimate(values)
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


def _listed(interval: Sequence[float] | None) -> list[float] | None:
  if interval is None or not all(map(math.isfinite, interval)):
    return None
  return [float(bound) for bound in interval]
