"""The example of docs/how_to/experiment.md: all of it is outside of bnjax."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from bnjax.lab import report

ROOT = pathlib.Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "how_to" / "experiment.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  """A folder, and in another one the file."""
  there = tmp_path_factory.mktemp("outside")
  (text,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
  (there / "mine").mkdir()
  (there / "mine" / "mylab.py").write_text(text)
  return there


def _start(folder, script, *arguments):
  return subprocess.Popen(
    [
      sys.executable,
      ROOT / "scripts" / script,
      "--config=mine/mylab.py",
      *arguments,
    ],
    cwd=folder,
    env=os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"},
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  )


def _rows(path):
  return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def run(folder):
  """Trained, stopped on the way, and gone on with."""
  command = ("train.py", "--workdir=run", "--writers=", "--config.steps=600")
  metrics = folder / "run" / "metrics.jsonl"
  first = _start(folder, *command)
  while first.poll() is None:
    if metrics.exists() and '"step": 20' in metrics.read_text():
      first.send_signal(signal.SIGTERM)
      break
    time.sleep(0.1)
  said, _ = first.communicate(timeout=300)
  assert first.returncode == 75, said
  stopped = max(row["step"] for row in _rows(metrics))
  second = _start(folder, *command)
  said, _ = second.communicate(timeout=300)
  assert second.returncode == 0, said
  assert "going on from step" in said
  return folder / "run", stopped


def test_it_trains_stops_and_goes_on(run):
  workdir, stopped = run
  assert stopped < 600
  rows = _rows(workdir / "metrics.jsonl")
  keys = [(r["arm"], r["seed"], str(r["point"]), r["step"]) for r in rows]
  assert len(set(keys)) == len(keys) == 2 * 2 * 2 * (600 // 20 + 1)
  last = [row for row in rows if row["step"] == 600]
  for row in last:
    assert row["test_accuracy"] > 0.6
    same = row["population_test_loss"] == row["test_loss"]
    assert same == (row["arm"] == "plain")  # which has no statistics
  recorded = json.loads((workdir / "config.json").read_text())
  assert recorded["arms"]["power_norm"]["norm"] == {
    "name": "mylab:PowerNorm",
    "decay": 0.9,
    "epsilon": 1e-5,
  }
  model = {"name": "mylab:Net", "blocks": 3, "slope": 0.1}
  assert recorded["arms"]["plain"]["model"] == model
  environment = json.loads((workdir / "environment.json").read_text())
  (dataset,) = environment["datasets"]
  assert (dataset["name"], dataset["train"]) == ("mylab:clouds", 600)


def test_its_report_runs_none_of_its_code(run, folder):
  workdir, _ = run
  before = set(sys.modules)
  (folder / "mine" / "mylab.py").rename(folder / "mine" / "kept.py")
  (folder / "mine" / "mylab.py").write_text("raise SystemExit('it ran')")
  try:
    done = report.write_report(workdir)
  finally:
    (folder / "mine" / "kept.py").replace(folder / "mine" / "mylab.py")
  assert "The norm helps" in done.page.read_text()
  assert "mylab" not in set(sys.modules) - before
  assert done.notices == [
    "figure 'ranked' is left out: 'mylab:ranked' is code from outside, which "
    "only runs for who names the config: give --config=FILE"
  ]
  assert [path.stem for path in done.figures] == ["grid"]


def test_a_figure_of_its_own_is_drawn_for_who_names_the_config(run, folder):
  workdir, _ = run
  png = workdir / "report" / "ranked.png"
  assert png.exists()  # train.py's own report
  png.unlink()
  again = _start(folder, "report.py", "--workdir=run")
  said, _ = again.communicate(timeout=300)
  assert again.returncode == 0, said
  assert png.exists()
  page = (workdir / "report" / "index.html").read_text()
  assert ">Every network</h" in page
  figure = json.loads((workdir / "rules.json").read_text())["rules"]["figures"]
  assert figure["ranked"]["function"] == "mylab:ranked"


def test_workers_of_a_sweep_find_it(folder):
  sweep = _start(
    folder,
    "sweep.py",
    "--workdir=sweep",
    "--workers=2",
    "--grid=config.model.blocks=1,2",
    "--arms=power_norm",
    "--config.norm.decay=0.5",
  )
  said, _ = sweep.communicate(timeout=300)
  assert sweep.returncode == 0, said
  rows = _rows(folder / "sweep" / "metrics.jsonl")
  last = [row for row in rows if row["step"] == max(r["step"] for r in rows)]
  points = [tuple(row["point"].values()) for row in last]
  wanted = {(blocks, slope) for blocks in (1, 2) for slope in (0.1, 0.2)}
  assert set(points) == wanted
  assert len(points) == 8
  assert np.isfinite([row["population_test_loss"] for row in last]).all()
  assert len(list((folder / "sweep" / "logs").iterdir())) == 2
  assert (folder / "sweep" / "report" / "index.html").exists()
  assert not (folder / "sweep" / "parts").exists()
  recorded = json.loads((folder / "sweep" / "config.json").read_text())
  assert recorded["config"]["grid"]["model"]["blocks"] == [1, 2]
  assert recorded["arms"]["power_norm"]["norm"]["decay"] == 0.5
