from bnjax.lab.experiment.plan import Network
from bnjax.lab.experiment.progress import of_training

NETWORKS = [
  Network(arm, {}, seed, {"steps": 50}) for arm in "ab" for seed in (0, 1)
]


def _rows(metric, *values, **fields):
  return [
    {"arm": n.arm, "seed": n.seed, "step": 5, metric: value, **fields}
    for n, value in zip(NETWORKS, values, strict=False)
  ]


def _tell(rows, networks=NETWORKS):
  return of_training(networks, 5, rows, part=1, parts=3)


def test_accuracies_are_told_arm_by_arm():
  told = _tell(_rows("validation_accuracy", 0.5, 0.7, 0.1, 0.3))
  assert told.message == "validation accuracy a 0.600, b 0.200"
  assert told[:3] == ("a, b", 5, 50)
  assert (told.networks, told.part, told.parts) == (4, 1, 3)


def test_of_one_arm_its_number_is_enough():
  told = _tell(_rows("validation_accuracy", 0.5, 0.7), NETWORKS[:2])
  assert told.message == "validation accuracy 0.600"
  assert told.arm == "a"


def test_of_a_grid_the_best_point_is_told():
  rows = _rows("validation_accuracy", 0.5, 0.7)
  rows[0]["point"], rows[1]["point"] = {"l2": 0}, {"l2": 1}
  told = _tell(rows, NETWORKS[:2])
  assert told.message == "best validation accuracy 0.700"


def test_without_accuracies_the_loss_is_told_and_divergence_always():
  told = _tell(_rows("loss", 2.0, 1.0, diverged_step=7), NETWORKS[:2])
  assert told.message == "loss 1.500; 2 diverged"
  assert _tell([]).message == ""


def test_many_arms_are_not_all_named():
  many = [Network(arm, {}, 0, {"steps": 50}) for arm in "abcde"]
  assert _tell([], many).arm == "a, b, c, ..."
