"""Settings for every test: several CPU devices, strict promotion rules."""

import jax

# Before any device is used: collectives are tested on real (CPU) devices.
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")
