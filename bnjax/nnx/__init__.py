"""Batch norms as Flax NNX modules, in place of Flax's own and besides."""

from bnjax.nnx.batch_norm import BatchNorm
from bnjax.nnx.batch_renorm import BatchRenorm
from bnjax.nnx.ghost_batch_norm import GhostBatchNorm
from bnjax.nnx.l1_batch_norm import L1BatchNorm

__all__ = ["BatchNorm", "BatchRenorm", "GhostBatchNorm", "L1BatchNorm"]
