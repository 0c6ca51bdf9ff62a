"""Sweeps in this process: records, what is missing, failures, interruptions."""

import json

import numpy as np
import pytest
from rich.console import Console

from bnjax.lab import experiment, report, results
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import locks, params, plan
from bnjax.lab.launch.board import Board, best_table, describe, failures
from bnjax.lab.launch.planned import planned
from bnjax.lab.launch.run import run

RATES = [{"optimizer.learning_rate": r} for r in (0.1, 1.0)]
WIDTHS = [{"model.width": w} for w in (4, 5)]


def _given(points):
  return [(point, seed) for point in points for seed in (0, 1)]


def _metrics(workdir):
  return results.read_rows(workdir / "metrics.jsonl").rows


def _numbers(rows):
  """What does not depend on the clock."""
  times = lambda name: name.endswith("seconds")
  return [{k: v for k, v in row.items() if not times(k)} for row in rows]


def test_a_sweep_leaves_what_a_run_of_its_grid_does(config, here, tmp_path):
  config |= {"save_params": True, "probe_every": 4, "predictions": True}
  config["probes"] = {"mean": {"measure": "mean", "layers": ("activation_0",)}}
  sweep = planned(config, RATES)
  launcher = here()
  told = ["tensorboard"]
  outcome = run(sweep, tmp_path / "sweep", launcher, writers=told)
  assert launcher.given == [_given(RATES)]
  assert (outcome.failed, outcome.missing) == ([], 0)
  whole = {**sweep, "predictions": False}
  experiment.run(whole, tmp_path / "alone", writers=told)
  for name in ("metrics.jsonl", "probes.jsonl"):
    ours, theirs = (
      results.read_rows(tmp_path / folder / name).rows
      for folder in ("sweep", "alone")
    )
    assert _numbers(ours) == _numbers(theirs)
    assert len(ours) == (12 if name == "metrics.jsonl" else 8)
  point = RATES[1]
  kernels = [
    params.load(tmp_path / name, "batch_norm", 1, point)["params"]
    for name in ("sweep", "alone")
  ]
  for ours, theirs in zip(*map(_leaves, kernels), strict=True):
    np.testing.assert_array_equal(ours, theirs)
  ours, theirs = (
    {path.parent.relative_to(folder): path.stat().st_size
     for path in folder.rglob("events.*")}
    for folder in (tmp_path / "sweep", tmp_path / "alone")
  )  # fmt: skip
  assert ours.keys() == theirs.keys()
  assert len(ours) == 4
  assert min(ours.values()) > 0.9 * max(theirs.values())
  names = {path.name for path in (tmp_path / "sweep").iterdir()}
  assert names == {path.name for path in (tmp_path / "alone").iterdir()}
  environment = results.read_json(tmp_path / "sweep" / "environment.json")
  assert [d["name"] for d in environment["datasets"]] == ["mnist5k"]
  done = report.write_report(tmp_path / "sweep")
  assert [path.name for path in done.figures] == ["grid.png"]
  assert done.notices == report.write_report(tmp_path / "alone").notices


def _leaves(tree):
  return [x for v in tree.values() for x in _leaves(v)] if isinstance(
    tree, dict
  ) else [tree]  # fmt: skip


def test_points_are_a_run_s_too(config, tmp_path):
  config |= {"seeds": 1, "points": ({"l2": 0.5}, {"model.width": 5, "seed": 7})}
  experiment.run(config, tmp_path)
  last = [row for row in _metrics(tmp_path) if row["step"] == 4]
  assert [(row["seed"], row["point"]) for row in last] == [
    (0, {"l2": 0.5}),
    (7, {"model.width": 5}),
  ]
  assert len(plan.groups(plan.networks(config))) == 2
  other = {**config, "points": ({"l2": 0.25},)}
  with pytest.raises(UserError, match="holds an experiment with another"):
    experiment.run(other, tmp_path)


def test_only_what_is_missing_is_run(config, here, tmp_path):
  first = planned(config, RATES[:1])
  run(first, tmp_path, here())
  again = here()
  assert run(first, tmp_path, again).missing == 0
  assert again.given == []
  more = planned(config, [*RATES, {"model.width": 5}])
  launcher = here()
  outcome = run(more, tmp_path, launcher)
  assert launcher.given == [_given(RATES[1:]), _given([{"model.width": 5}])]
  assert [(row["point"], row["seed"]) for row in outcome.rows] == _given(
    [*RATES, {"model.width": 5}]
  )
  assert len(_metrics(tmp_path)) == 3 * 6
  shown = report.write_report(tmp_path).figures
  assert {path.name for path in shown} == {"learning_rate.png", "width.png"}


def test_an_interrupted_sweep_goes_on(config, here, tmp_path):
  sweep = planned(config, WIDTHS)

  def interrupt(part):
    if next(iter(part.networks.values())).point == WIDTHS[1]:
      raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    run(sweep, tmp_path, here(interrupt))
  assert {row["point"]["model.width"] for row in _metrics(tmp_path)} == {4}
  launcher = here()
  assert len(run(sweep, tmp_path, launcher).rows) == 4
  assert launcher.given == [_given(WIDTHS[1:])]
  assert not (tmp_path / "parts").exists()


def _lose(record, *fields):
  """What an earlier version wrote, which had no such fields."""
  for own in (record["config"], *record.get("arms", {}).values()):
    for field in fields:
      del own[field]


@pytest.mark.parametrize("earlier", [False, True])
def test_a_part_goes_on_from_its_checkpoint(
  config, here, tmp_path, monkeypatch, earlier
):
  """Two networks are done when a process is stopped in the middle of a part."""
  config["machine"] = {**config["machine"], "max_networks": 2}
  sweep = planned(config, RATES)
  begun = experiment.run

  def stopped(*arguments, **settings):
    seen = []

    def stop(progress):
      seen.append(progress)
      if progress.part == 1 and progress.step == 2:
        raise KeyboardInterrupt

    begun(
      *arguments,
      **settings | {"report_progress": stop, "checkpoint_seconds": 1e-9},
    )

  monkeypatch.setattr(experiment, "run", stopped)
  with pytest.raises(KeyboardInterrupt):
    run(sweep, tmp_path, here())
  monkeypatch.undo()
  done = {(str(row["point"]), row["seed"]) for row in _metrics(tmp_path)}
  assert done == {(str(RATES[0]), 0), (str(RATES[0]), 1)}
  for path in tmp_path.rglob("*.json"):
    if earlier and path.name in ("config.json", "part.json"):
      record = results.read_json(path)
      _lose(record, "probe_split", "trained")
      results.write_json(path, record)
  launcher = here()
  outcome = run(sweep, tmp_path, launcher)
  assert launcher.given == [_given(RATES[1:])]
  assert len(outcome.rows) == 4
  keys = [(r["seed"], str(r["point"]), r["step"]) for r in _metrics(tmp_path)]
  assert len(keys) == len(set(keys)) == 12
  experiment.run(sweep, tmp_path / "alone")
  order = lambda row: (str(row["point"]), row["step"], row["seed"])
  ours, theirs = (
    sorted(_numbers(_metrics(folder)), key=order)
    for folder in (tmp_path, tmp_path / "alone")
  )
  assert ours == theirs


def test_records_that_nobody_gathered_are(config, here, tmp_path, monkeypatch):
  sweep = planned(config, RATES)
  monkeypatch.setattr("bnjax.lab.launch.gather.remove", lambda part: None)
  whole = run(sweep, tmp_path, here()).rows
  monkeypatch.undo()
  lines = (tmp_path / "metrics.jsonl").read_text().splitlines(keepends=True)
  # Killed in the middle of its last rows, before it was done.
  (tmp_path / results.SUMS).unlink()
  (tmp_path / "metrics.jsonl").write_text("".join(lines[:9]) + lines[9][:20])
  launcher = here()
  assert run(sweep, tmp_path, launcher).rows == whole
  assert launcher.given == []
  assert not (tmp_path / "parts").exists()
  frame = results.frame(tmp_path)
  assert len(frame) == 12
  assert frame.loss.notna().sum() == 8


def test_a_failure_does_not_stop_the_others(config, here, tmp_path, capsys):
  points = [*WIDTHS, {"batch_size": 10**6}]
  sweep = planned(config, points)

  def damage(part):
    if next(iter(part.networks.values())).point == points[0]:
      text = (part.folder / "part.json").read_text()
      (part.folder / "part.json").write_text(text.replace("mnist5k", "mist"))

  outcome = run(sweep, tmp_path, here(damage))
  assert [row["point"] for row in outcome.rows] == [points[1]] * 2
  errors = [row["error"] for row in outcome.failed]
  assert errors[0].startswith("batch_size: 1000000 is more than the")
  assert errors[2].startswith("dataset.name: 'mist' is not known")
  listed = results.read_json(tmp_path / "failed.json")["failed"]
  assert [row["error"] for row in listed] == errors
  said = [
    line for line in capsys.readouterr().err.splitlines() if "fail" in line
  ]
  assert "batch_size 1000000, seed 0 and 1 more: batch_size" in said[0]
  assert any(
    "width 4, seed 0 and 1 more: dataset.name: 'mist'" in s for s in said
  )
  notices = report.write_report(tmp_path).notices
  assert any(line.startswith("4 networks failed") for line in notices)
  # What failed is missing, and is tried again.
  for path in (tmp_path / "parts").glob("*/part.json"):
    path.write_text(path.read_text().replace("mist", "mnist5k"))
  outcome = run(sweep, tmp_path, here())
  assert len(outcome.rows) == 4
  assert len(outcome.failed) == 2
  run(planned(config, WIDTHS), tmp_path, here())
  assert not (tmp_path / "failed.json").exists()


def test_an_exception_is_told_by_its_first_line(
  config, here, tmp_path, monkeypatch, capsys
):
  def fail(*args, **settings):
    raise RuntimeError("out of memory\nand more")

  monkeypatch.setattr(experiment, "run", fail)
  outcome = run(planned(config, RATES), tmp_path, here())
  assert {row["error"] for row in outcome.failed} == {
    "RuntimeError: out of memory"
  }
  assert "Traceback" in capsys.readouterr().err  # for the log


def test_a_directory_of_something_else_is_refused(
  config, here, tmp_path, monkeypatch
):
  sweep = planned(config, RATES)
  monkeypatch.setattr(experiment, "run", lambda *args, **settings: None)
  run(sweep, tmp_path / "a", here())
  other = planned({**config, "steps": 5}, RATES)
  with pytest.raises(UserError, match="steps: 4 there, 5 here"):
    run(other, tmp_path / "a", here())
  with (
    locks.hold(tmp_path / "b"),
    pytest.raises(UserError, match="is in use by process"),
  ):
    run(sweep, tmp_path / "b", here())
  (tmp_path / "a" / "metrics.jsonl").write_text("no json\n{}\n")
  with pytest.raises(UserError, match="line 1 is not a JSON object; mend it"):
    run(sweep, tmp_path / "a", here())


def test_the_board_shows_the_best(config, here, tmp_path, capsys):
  sweep = planned(config, RATES)
  outcome = run(sweep, tmp_path, here(), board=Board("validation_accuracy"))
  last = capsys.readouterr().err.splitlines()[-1]
  assert "4 of 4 networks, best validation_accuracy " in last
  assert "(batch_norm, learning_rate " in last
  console = Console(force_terminal=True, width=100, record=True)
  config["steps"] = 2
  run(planned(config, WIDTHS), tmp_path / "b", here(),
      board=Board("loss", console))  # fmt: skip
  text = console.export_text()
  assert "Best settings: least loss" in text
  assert "4 of 4 networks" in text
  row = {**outcome.rows[0], "seed": 0, "point": RATES[0]}
  assert describe(row) == "batch_norm, learning_rate 0.1, seed 0"
  rows = [
    row | {"seed": seed, "error": "a" * (1 + seed % 2)} for seed in (0, 1, 2)
  ]
  assert failures(rows) == [
    "batch_norm, learning_rate 0.1, seed 0 and 1 more: a",
    "batch_norm, learning_rate 0.1, seed 1: aa",
  ]


def test_best_settings_by_mean_with_those_that_diverged_last():
  row = lambda arm, l2, seed, loss: {
    "arm": arm, "seed": seed, "step": 1, "point": {"model.l2": l2},
    "loss": loss, "diverged_step": None if loss else 3,
  }  # fmt: skip
  rows = [
    row("a", 0.1, 0, 2.0), row("a", 0.1, 1, 4.0), row("a", 0.2, 0, 1.0),
    row("a", 0.2, 1, None), row("b", 0.1, 0, 3.5),
  ]  # fmt: skip
  table = best_table(rows, "loss")
  assert table.columns == ("arm", "l2", "loss", "seeds", "diverged")
  assert [r[:2] for r in table.rows] == [
    ("a", "0.1"), ("b", "0.1"), ("a", "0.2"),
  ]  # fmt: skip
  assert table.rows[0][2:] == ("3 ± 1", "2", "0")
  assert table.rows[2][3:] == ("2", "1")
  assert best_table(rows, "accuracy") is None


def test_nothing_but_json_is_kept(config, here, tmp_path):
  run(planned(config, RATES), tmp_path, here())
  files = [path for path in tmp_path.rglob("*") if path.is_file()]
  names = {path.suffix or path.name for path in files}
  assert names == {".json", ".jsonl", results.SUMS}
  for path in files:
    for line in path.read_text().splitlines() if "l" in path.suffix else []:
      json.loads(line)
