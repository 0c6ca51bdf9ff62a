"""Which networks are trained, and which of them by one program."""

import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.experiment import plan

ARM = {
  "l2": 0.0,
  "model": {"name": "mlp", "init_scale": 1.0, "dropout_rate": 0.0, "width": 8},
  "norm": {"name": "batch_norm", "decay": 0.9},
  "optimizer": {"name": "sgd", "learning_rate": 0.1},
  "seed": 3,
  "seeds": 2,
}


def _arm(**groups):
  return ARM | {name: ARM[name] | group for name, group in groups.items()}


def test_every_arm_at_every_point_for_every_seed():
  grid = {"optimizer": {"learning_rate": (0.1, 1)}, "l2": (0.0, 0.5, 1.0)}
  found = plan.networks({"a": ARM, "b": ARM}, grid)
  assert len(found) == 2 * 2 * 3 * 2
  first, last = found[0], found[-1]
  assert (first.arm, first.seed) == ("a", 3)
  assert first.point == {"optimizer.learning_rate": 0.1, "l2": 0.0}
  assert (last.arm, last.seed) == ("b", 4)
  assert last.point == {"optimizer.learning_rate": 1, "l2": 1.0}
  assert last.spec["optimizer"] == {"name": "sgd", "learning_rate": 1.0}
  assert ARM["optimizer"]["learning_rate"] == 0.1


def test_without_a_grid_there_is_one_point():
  found = plan.networks({"a": ARM}, {})
  assert [(n.seed, n.point, n.spec) for n in found] == [
    (3, {}, ARM),
    (4, {}, ARM),
  ]


@pytest.mark.parametrize(
  ("grid", "message"),
  [
    ({"l2": ()}, r"grid\.l2: the axis is empty"),
    ({"l2": 0.5}, r"grid\.l2: 0\.5 is not a list"),
    ({"model": {"widht": (1,)}}, r"grid\.model\.widht.*'width'"),
    ({"optimizer": {"momentum": (0.9,)}}, r"grid\.optimizer\.momentum"),
    ({"model": {"width": (8, 0.5)}}, r"grid\.model\.width: 0\.5 is of type"),
    ({"l2": {"a": (1,)}}, r"grid\.l2"),
  ],
)
def test_what_is_wrong_with_a_grid_is_told_in_a_line(grid, message):
  with pytest.raises(UserError, match=message) as error:
    plan.networks({"a": ARM}, grid)
  assert "\n" not in str(error.value)


def test_networks_that_differ_in_numbers_alone_share_a_program():
  arms = {
    "a": ARM,
    "rate": _arm(optimizer={"learning_rate": 1.0}),
    "scale": _arm(model={"init_scale": 2.0}),
    "decay": _arm(norm={"decay": 0.5}),
    "wide": _arm(model={"width": 16}),
    "dropout": _arm(model={"dropout_rate": 0.5}),
    "more dropout": _arm(model={"dropout_rate": 0.75}),
  }
  groups = plan.groups(plan.networks(arms, {}))
  assert [list(dict.fromkeys(n.arm for n in g.networks)) for g in groups] == [
    ["a", "rate", "scale", "decay"],
    ["wide"],
    ["dropout", "more dropout"],
  ]
  first, wide, dropout = groups
  assert first.hyper == {
    "model.init_scale": (1.0, 1.0, 1.0, 1.0, 2.0, 2.0, 1.0, 1.0),
    "norm.decay": (0.9,) * 6 + (0.5,) * 2,
    "optimizer.learning_rate": (0.1, 0.1, 1.0, 1.0, 0.1, 0.1, 0.1, 0.1),
  }
  assert wide.hyper == {}
  assert dropout.hyper == {"model.dropout_rate": (0.5, 0.5, 0.75, 0.75)}


def test_a_group_is_split_into_equal_parts_where_it_can_be():
  arms = {"a": ARM | {"seeds": 12}, "b": _arm(norm={"decay": 0.5})}
  (group,) = plan.groups(plan.networks({"a": arms["a"]}, {}))
  assert [len(p.networks) for p in group.split(5)] == [4, 4, 4]
  assert [len(p.networks) for p in group.split(100)] == [12]
  (group,) = plan.groups(plan.networks({"a": ARM | {"seeds": 7}}, {}))
  assert [len(p.networks) for p in group.split(5)] == [4, 3]
  (group,) = plan.groups(plan.networks({"a": ARM, "b": arms["b"]}, {}))
  parts = group.split(1)
  assert [p.hyper["norm.decay"] for p in parts] == [
    (0.9,),
    (0.9,),
    (0.5,),
    (0.5,),
  ]
  assert [p.networks[0].seed for p in parts] == [3, 4, 3, 4]
