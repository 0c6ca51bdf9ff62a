"""MLflow: a run a network, its specification as parameters.

`MLFLOW_TRACKING_URI` says where, as it does for any program; otherwise it is a
file store in WORKDIR/mlflow, which `mlflow ui --backend-store-uri` shows. The
scalars are written; MLflow has no histograms.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bnjax.lab.writers.writer import About, Histogram

_LONGEST = 500  # characters of a parameter
_AT_ONCE = 100  # parameters


class MlflowRun:
  """One run.

  Args:
    workdir: where the file store is, without `MLFLOW_TRACKING_URI`.
    about: the network. If its first step is above 0, it goes on in the latest
      run of its name.
  """

  def __init__(self, workdir: Path, about: About):
    from mlflow import MlflowClient
    from mlflow.entities import Param

    self._client: Any = MlflowClient(_place(workdir))
    experiment = self._experiment(about.experiment)
    earlier = self._earlier(experiment, about) if about.first_step else None
    self._id: str = earlier or self._new(experiment, about)
    if earlier:
      self._client.update_run(earlier, status="RUNNING")
      return
    params = [
      Param(name, str(value)[:_LONGEST]) for name, value in about.spec.items()
    ]
    for start in range(0, len(params), _AT_ONCE):
      some = params[start : start + _AT_ONCE]
      self._client.log_batch(self._id, params=some)

  def _experiment(self, name: str) -> str:
    found = self._client.get_experiment_by_name(name)
    if found is not None:
      return str(found.experiment_id)
    return str(self._client.create_experiment(name))

  def _earlier(self, experiment: str, about: About) -> str | None:
    same = f"tags.mlflow.runName = '{about.name}'"
    found = self._client.search_runs([experiment], same, max_results=1)
    return str(found[0].info.run_id) if found else None

  def _new(self, experiment: str, about: About) -> str:
    run = self._client.create_run(
      experiment, tags={"arm": about.arm}, run_name=about.name
    )
    return str(run.info.run_id)

  def write(
    self,
    step: int,
    scalars: Mapping[str, float],
    histograms: Mapping[str, Histogram],
  ) -> None:
    """See `Run.write`."""
    from mlflow.entities import Metric

    del histograms
    now = int(1000 * time.time())
    told = [Metric(_name(n), v, now, step) for n, v in scalars.items()]
    self._client.log_batch(self._id, metrics=told)

  def close(self) -> None:
    """See `Run.close`."""
    self._client.set_terminated(self._id)


def _place(workdir: Path) -> str:
  """Where the runs go: `MLFLOW_TRACKING_URI`, or a file store."""
  if uri := os.environ.get("MLFLOW_TRACKING_URI"):
    return uri
  # MLflow 3 wants to be told that a file store is meant.
  os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
  return (workdir / "mlflow").absolute().as_uri()


def _name(name: str) -> str:
  """A metric's name, of the characters that MLflow takes."""
  return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in name)
