"""What a network costs, counted by shapes; and that the suite runs."""

import functools
import math

import pytest

from benchmarks import models
from bnjax.lab.models import small_inception
from bnjax.lab.models.inception_blocks import FIGURE_5

TINY = models.Setting(
  functools.partial(small_inception, width_factor=1 / 32, blocks=("3c", "5b")),
  side=8,
  batch_size=4,
  num_classes=3,
  torch={
    "width_factor": 1 / 32,
    "small_images": True,
    "rows": (FIGURE_5[2], FIGURE_5[9]),
  },
)
SMALL = models.setting()._replace(
  model=small_inception,
  side=32,
  num_classes=10,
  torch={"width_factor": 1 / 8, "small_images": True},
)


def test_the_work_of_an_image_by_hand():
  one = TINY._replace(
    model=functools.partial(
      small_inception, width_factor=1 / 64, blocks=("3a",)
    )
  )
  # Features 1, 1, 3 in the stem; 1 everywhere in the block but 2 in the double
  # branch, 96 / 64 = 1.5 rounded; places 8x8, then 4x4.
  stem = 64 * 9 * 3 * 1 + 16 * 1 * 1 + 16 * 9 * 1 * 3
  ends = 16 * 3 * 1 + 16 * 9 * 1 * 1 + 16 * 9 * 2 * 2 + 16 * 3 * 0
  reduce = 16 * 3 * 1 + 16 * 3 * 1 + 16 * 9 * 1 * 2
  found = models.cost(one)
  projection = round(32 / 64)  # half is rounded to even: 0, so at least 1
  ends += 16 * 3 * max(1, projection)
  classifier = (1 + 1 + 2 + 1) * 3
  assert found.products == 2 * (stem + ends + reduce + classifier)
  stem_values = 64 + 16 + 48
  assert found.normalized == stem_values + 16 * (1 + 1 + 1 + 1 + 2 + 2 + 1)


def test_pytorch_counts_the_same():
  torch = pytest.importorskip("torch")
  flops = pytest.importorskip("torch.utils.flop_counter")
  from benchmarks.torch_inception import Inception

  theirs = Inception(num_classes=10, norm=True, **SMALL.torch)
  assert sum(p.numel() for p in theirs.parameters()) == 162_442
  counter = flops.FlopCounterMode(display=False)
  with counter, torch.no_grad():
    theirs.eval()(torch.zeros(1, 3, 32, 32))
  # On the padded border both count the whole kernel.
  assert counter.get_total_flops() == models.cost(SMALL).products


def test_pytorch_has_the_papers_network():
  pytest.importorskip("torch")
  from benchmarks.torch_inception import Inception

  sizes = lambda **how: sum(
    p.numel() for p in Inception(num_classes=1000, **how).parameters()
  )
  assert sizes(norm=True) == 11_188_288
  assert sizes(norm=False) == 10_143_384 + 9_952 + 1_025_000


def test_every_candidate_is_timed():
  found, facts = models.rows(TINY, "float32", 1)
  names = [row["what"] for row in found]
  assert names[:2] == ["train, batch norm", "train, no norm"]
  assert {"infer, batch norm", "infer, folded", "infer, no norm"} <= {*names}
  for row in found:
    assert row["images/s"] == pytest.approx(4 / (row["ms"] / 1e3))
    assert 0 < row["MFU"] < 1
  assert all(math.isfinite(value) for value in facts.values())
