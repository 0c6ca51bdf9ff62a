"""Sweeps in this process: rows, what is missing, failures, interruptions."""

import json

import pytest

from bnjax.lab import experiment, results
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import locks
from bnjax.lab.launch.board import Board
from bnjax.lab.launch.run import describe, run
from bnjax.lab.launch.trials import make_trials

RATES = [{"optimizer.learning_rate": r} for r in (0.1, 1.0)]


def _rows(workdir):
  return results.read_rows(workdir / "trials.jsonl").rows


def test_a_row_for_each_trial_as_a_run_of_its_own_gives(config, here, tmp_path):
  trials = make_trials(config, RATES)
  launcher = here()
  outcome = run(config, trials, tmp_path / "sweep", launcher)
  assert launcher.given == [[trial.id for trial in trials]]
  assert (outcome.failed, outcome.missing) == ([], 0)
  assert _rows(tmp_path / "sweep") == outcome.rows
  alone = {**config, "optimizer": trials[2].spec["optimizer"], "seeds": 1}
  experiment.run(alone, tmp_path / "alone")
  (expected,) = [
    row
    for row in results.read_rows(tmp_path / "alone" / "metrics.jsonl").rows
    if row["step"] == 4
  ]
  (row,) = [row for row in outcome.rows if row["trial"] == trials[2].id]
  assert row["point"] == {"optimizer.learning_rate": 1.0}
  assert (row["arm"], row["seed"], row["step"]) == ("batch_norm", 0, 4)
  assert row["validation_accuracy"] == expected["validation_accuracy"]
  assert row["loss"] == pytest.approx(expected["loss"], rel=1e-5)


def test_only_what_is_missing_is_run(config, here, tmp_path):
  first = make_trials(config, RATES[:1])
  run(config, first, tmp_path, here())
  again = here()
  assert run(config, first, tmp_path, again).missing == 0
  assert again.given == []
  more = make_trials(config, [*RATES, {"model.width": 5}])
  launcher = here()
  outcome = run(config, more, tmp_path, launcher)
  assert launcher.given == [
    [t.id for t in more if t.point == RATES[1]],
    [t.id for t in more if t.point == {"model.width": 5}],
  ]
  assert [row["trial"] for row in outcome.rows] == [t.id for t in more]
  assert len(_rows(tmp_path)) == len(more)


def test_an_interrupted_sweep_goes_on(config, here, tmp_path):
  trials = make_trials(config, [{"model.width": w} for w in (4, 5)])

  def interrupt(unit):
    if unit.trials[0] is trials[2]:
      raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    run(config, trials, tmp_path, here(interrupt))
  assert {row["trial"] for row in _rows(tmp_path)} == {t.id for t in trials[:2]}
  launcher = here()
  assert len(run(config, trials, tmp_path, launcher).rows) == 4
  assert launcher.given == [[t.id for t in trials[2:]]]


def test_rows_that_nobody_collected_are(config, here, tmp_path):
  trials = make_trials(config, RATES)
  whole = run(config, trials, tmp_path, here()).rows
  lines = (tmp_path / "trials.jsonl").read_text().splitlines(keepends=True)
  (tmp_path / "trials.jsonl").write_text(lines[0] + lines[1][:20])  # torn
  launcher = here()
  assert run(config, trials, tmp_path, launcher).rows == whole
  assert launcher.given == []


def test_a_failure_does_not_stop_the_others(
  config, here, tmp_path, capsys, monkeypatch
):
  points = [{"model.width": 4}, {"model.width": 5}, {"batch_size": 10**6}]
  trials = make_trials(config, points)

  def damage(unit):
    if unit.trials[0].point == points[0]:
      text = (unit.folder / "unit.json").read_text()
      (unit.folder / "unit.json").write_text(text.replace("mnist5k", "mist"))

  outcome = run(config, trials, tmp_path, here(damage))
  assert [row["point"] for row in outcome.rows] == [points[1]] * 2
  errors = [row["error"] for row in outcome.failed]
  assert errors[0].startswith("dataset.name: 'mist' is not known")
  assert errors[2].startswith("batch_size: 1000000 is more than the")
  said = [
    line for line in capsys.readouterr().err.splitlines() if "fail" in line
  ]
  assert "batch_size 1000000, seed 0 and 1 more: batch_size" in said[0]
  assert "width 4, seed 0 and 1 more: dataset.name: 'mist'" in said[-2]
  # What failed is missing, and is tried again.
  for path in (tmp_path / "groups").glob("*/unit.json"):
    path.write_text(path.read_text().replace("mist", "mnist5k"))
  outcome = run(config, trials, tmp_path, here())
  assert len(outcome.rows) == 4
  assert len(outcome.failed) == 2


def test_an_exception_is_told_by_its_first_line(
  config, here, tmp_path, monkeypatch, capsys
):
  def fail(*args, **settings):
    raise RuntimeError("out of memory\nand more")

  monkeypatch.setattr(experiment, "run", fail)
  outcome = run(config, make_trials(config, RATES), tmp_path, here())
  assert {row["error"] for row in outcome.failed} == {
    "RuntimeError: out of memory"
  }
  assert "Traceback" in capsys.readouterr().err  # for the log


def test_a_directory_of_something_else_is_refused(config, here, tmp_path):
  trials = make_trials(config, RATES)
  run(config, trials[:0], tmp_path / "a", here())
  other = {**config, "steps": 5}
  with pytest.raises(UserError, match="steps: 4 there, 5 here"):
    run(other, make_trials(other, RATES), tmp_path / "a", here())
  with (
    locks.hold(tmp_path / "b"),
    pytest.raises(UserError, match="is in use by process"),
  ):
    run(config, trials, tmp_path / "b", here())
  (tmp_path / "a" / "trials.jsonl").write_text("no json\n{}\n")
  with pytest.raises(UserError, match="line 1 is not a JSON object; mend it"):
    run(config, trials, tmp_path / "a", here())


def test_plain_lines_tell_how_it_goes(config, here, tmp_path, capsys):
  trials = make_trials(config, RATES)
  run(config, trials, tmp_path, here(), board=Board())
  last = capsys.readouterr().err.splitlines()[-1]
  assert "4 of 4 trials, best validation_accuracy " in last
  assert describe(trials[0]) == "batch_norm, learning_rate 0.1, seed 0"


def test_nothing_but_json_is_kept(config, here, tmp_path):
  run(config, make_trials(config, RATES), tmp_path, here())
  files = [path for path in tmp_path.rglob("*") if path.is_file()]
  assert {path.suffix for path in files} == {".json", ".jsonl"}
  for path in files:
    for line in path.read_text().splitlines() if "l" in path.suffix else []:
      json.loads(line)
