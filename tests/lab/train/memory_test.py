"""How much memory a network needs: probes count, too."""

from bnjax.lab import experiment
from bnjax.lab.config import base, complete


def _need(**more):
  config = base()
  config.dataset.name = "mnist5k"
  config.model.update(width=32, depth=1)
  config.batch_size = 20
  config.arms = {"a": {}}
  return experiment.prepare(complete(config.to_dict() | more))[0]


def test_what_probes_look_at_is_in_the_budget():
  norm = {"p": {"measure": "norm", "layers": "activation_0"}}
  few, many = (
    _need(probes=norm, probe_examples=n).need.step for n in (20, 2000)
  )
  plain = _need().need.step
  # The images alone, as floats, of whom probes look at a hundred times as many.
  images = 2000 * 28 * 28 * 4
  assert plain <= few < 2 * plain
  assert many > images
  parts = lambda gb: len(
    _need(
      probes=norm, probe_examples=2000, machine={"memory_gb": gb}, seeds=4
    ).parts
  )
  whole = _need(probes=norm, probe_examples=2000).need.together(4, "vmap")
  assert (parts(1.01 * whole / 1e9), parts(0.6 * whole / 1e9)) == (1, 2)
