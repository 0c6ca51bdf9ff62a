"""What is known of a run's metrics before it is trained."""

import pytest

from bnjax.lab import experiment
from bnjax.lab.config import base, resolve_arms
from bnjax.lab.errors import UserError
from bnjax.lab.experiment.recorder import recorded
from bnjax.lab.results import Rules, greater


def test_algorithm_2_is_recorded_where_it_is_asked_for():
  config = base().to_dict()
  assert "population_test_accuracy" not in recorded(
    resolve_arms(config).values()
  )
  config["arms"]["batch_norm"] = {"population_batches": 2}
  assert "population_test_accuracy" in recorded(resolve_arms(config).values())


def test_a_claim_on_what_will_not_be_recorded_is_refused():
  config = base().to_dict()
  config["dataset"]["name"] = "mnist5k"
  arms = ("batch_norm", "no_batch_norm")
  rules = Rules(claims={"c": greater("", *arms, "test_acuracy")})
  with pytest.raises(UserError, match=r"claims.c.metric: no run has 'test_ac"):
    experiment.prepare(config, rules)
