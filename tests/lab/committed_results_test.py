"""Every committed result is what present configs and code make of its records.

A folder of docs/results is named EXPERIMENT-ARGUMENT. Its metrics have six
digits, so that numbers agree to about as many; verdicts are the same.
"""

import fnmatch
import math
import pathlib
import re

import pytest

from bnjax.lab import config_file, results
from bnjax.lab.config import complete, resolve_arms
from bnjax.lab.experiment.compared import compared
from bnjax.lab.results.workdir import METRICS

ROOT = pathlib.Path(__file__).parents[2]
RUNS = sorted(
  p.parent for p in (ROOT / "docs" / "results").glob("*/config.json")
)
# Numbers that were not kept when these runs were exported: METRIC at STEP. A
# run that is exported anew keeps whatever its rules look at; take it out then.
NOT_KEPT: dict[str, str] = {}
# What is trained now and was not then (patterns): rules that ask for it wait.
TO_BE_RUN_ANEW: dict[str, list[str]] = {}

pytestmark = pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)


def _file(run):
  return ROOT / "configs" / f"{run.name.rpartition('-')[0]}.py"


def test_config_is_that_of_the_config_file(run):
  argument = run.name.rpartition("-")[2]
  config = complete(config_file.load(_file(run)).get_config(argument))
  there = results.read_json(run / "config.json")
  here = {"config": config, "arms": resolve_arms(config)}
  differences = compared(there, here)
  names = {d.partition(":")[0] for d in differences}
  waiting = {
    pattern: set(fnmatch.filter(names, pattern))
    for pattern in TO_BE_RUN_ANEW.get(run.name, [])
  }
  assert names == set().union(*waiting.values())
  assert all(waiting.values())
  command = results.read_json(run / "environment.json")["command"]
  assert f"--config=configs/{_file(run).name}:{argument}" in command
  assert set(re.findall(r"--config\.(\w+)", command)) <= {"across", "machine"}


def test_rules_are_those_of_the_config_file(run):
  kept = results.read_workdir(run)
  rules = config_file.read_rules(str(_file(run)), kept.config)
  if run.name in TO_BE_RUN_ANEW:
    rules = results.fitting_rules(rules, kept.config)
  assert kept.recorded.rules == rules
  assert not kept.notices
  results.check_rules(kept.rules, kept.config)


def test_summary_is_what_the_records_say(run):
  there = results.read_json(run / "summary.json")
  here = results.read_workdir(run).summarize()
  assert there.keys() == here.keys()
  for name in ("title", "notes", "notices", "datasets"):
    assert there[name] == here[name]
  for name in ("curves", "grids"):
    assert_close(there[name], here[name], name)
  ours = {_key(entry): entry for entry in here["entries"]}
  lost = {_key(entry) for entry in there["entries"]} - ours.keys()
  for entry in there["entries"]:
    if _key(entry) in ours:
      assert_close(entry, ours[_key(entry)], _key(entry))
  lost = {f"{metric} at {step}" for _, metric, step, _ in lost}
  for before, now in zip(there["claims"], here["claims"], strict=True):
    if run.name in NOT_KEPT:  # of all p-values, some of which were not kept
      before = before | {"p_holm": now["p_holm"]}
    if " has no " in now["reason"]:
      lost.add(f"{now['metric']} at {now['step']}")
      before = {k: v for k, v in before.items() if k not in _JUDGED}
      now = {k: v for k, v in now.items() if k not in _JUDGED}
    assert_close(before, now, before["name"])
  pattern = NOT_KEPT.get(run.name, "^$")
  assert bool(lost) == (run.name in NOT_KEPT)
  assert all(re.search(pattern, name) for name in lost)
  if not re.search(pattern, "probe/"):
    assert_close(there["layers"], here["layers"], "layers")


_JUDGED = {"difference", "interval", "ratio", "ratio_interval", "bound",
           "seeds", "verdict", "needed", "p", "reason"}  # fmt: skip


def _key(entry):
  published = entry["published"] and entry["published"]["source"]
  return entry["arm"], entry["metric"], entry["step"], published


def assert_close(there, here, path, size=1.0):
  """Equal, but for the digits that were not kept of numbers of some size.

  A spread is as exact as the mean beside it.
  """
  if isinstance(there, dict):
    keys = [key for key in there if not key.endswith("_seconds")]
    assert keys == [key for key in here if not key.endswith("_seconds")], path
    means = there.get("mean", there.get("ours"))
    means = means if isinstance(means, list) else [means]
    size = max((abs(mean) for mean in means if mean is not None), default=size)
    for key in keys:
      assert_close(there[key], here[key], (path, key), size)
  elif isinstance(there, list):
    assert len(there) == len(here), path
    for one, other in zip(there, here, strict=True):
      assert_close(one, other, path, size)
  elif isinstance(there, float) and isinstance(here, float | int):
    room = 1e-5 * max(size, 1e-3)
    assert math.isclose(there, here, rel_tol=1e-4, abs_tol=room), path
  else:
    assert there == here, path


def test_metrics_are_kept(run):
  assert (run / METRICS).stat().st_size < 1_000_000
  assert len(results.frame(run)) > 0
