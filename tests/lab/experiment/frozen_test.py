"""Batch norm by statistics of the population before training."""

import numpy as np
import pytest

from bnjax.lab import data, experiment
from bnjax.lab.config import base
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import params

pytest.importorskip("sklearn", reason="the digits come with scikit-learn")


def _config(**fields):
  config = base(norm="frozen_batch_norm")
  config.dataset.name = "digits"
  config.model.update(width=8, depth=1)
  config.update(steps=3, eval_every=3, seeds=1, save_params=True, **fields)
  config.arms = {"begun": {"steps": 0}, "trained": {}}
  return config.to_dict()


def test_statistics_are_the_populations_and_stay(tmp_path):
  train = data.load("digits").train
  config = _config(population_batches=1, batch_size=len(train))
  experiment.run(config, tmp_path)
  begun, trained = (params.load(tmp_path, a) for a in ("begun", "trained"))
  # One batch of all examples, so nothing depends on what was drawn.
  pixels = train.images.reshape(len(train), -1).astype(np.float64) / 255
  kernel = begun["params"]["dense_0"]["kernel"].astype(np.float64)
  x = (pixels - pixels.mean()) @ kernel
  (name,) = begun["batch_stats"]
  for variables in (begun, trained):
    stats = variables["batch_stats"][name]
    np.testing.assert_allclose(stats["mean"], x.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(stats["var"], x.var(0, ddof=1), rtol=1e-4)
  assert np.any(trained["params"]["dense_0"]["kernel"] != kernel)


def test_no_population_to_take_them_of_is_refused(tmp_path):
  with pytest.raises(UserError, match=r"population_batches: .*set it to 100"):
    experiment.run(_config(), tmp_path)
  assert not list(tmp_path.iterdir())
