"""What probes cost is measured of any config that has them."""

from benchmarks import probes


def test_steps_and_looks_are_told_apart():
  case = probes.Case("covariate_shift:smoke", "none", 0.1)
  (row,) = probes.rows(1, (case,))
  assert row["arm"] == "covariate_shift:smoke none"
  assert 0 < row["looks"] <= row["steps"]
  assert row["steps, s"] > 0
  ratio = 1 + row["looks, s"] / row["steps, s"]
  assert row["with probes over without"] == ratio
