"""Phase 2: the Proposal Evaluation Subnet learns the tIoU of candidates; extractor and ASS are frozen."""

from __future__ import annotations

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler

from cmsn_training.config import TrainingConfig
from cmsn_training.data.evaluator_windows import EvaluatorBatch
from cmsn_training.models.cmsn import CMSN, freeze
from cmsn_training.phases.optimising import optimiser_of


class EvaluatorPhase(pl.LightningModule):
    """The loss of the PES's head (Smooth L1 or VMCL) between the predicted and the true tIoU."""

    def __init__(self, model: CMSN, config: TrainingConfig) -> None:
        super().__init__()
        self.evaluator = model.evaluator
        self.config = config
        freeze(model.extractor)
        freeze(model.stages)
        self.evaluator.train()  # the rest stays in evaluation mode, without dropout
        for parameter in self.evaluator.parameters():
            parameter.requires_grad_(True)

    def training_step(self, batch: EvaluatorBatch, index: int) -> torch.Tensor | None:
        """Loss of one window's sample; None where the window held no Big proposal."""
        if len(batch.tiou) == 0:
            # In one process such a window can be skipped; with several, all must take part in every step.
            several = self.trainer.world_size > 1
            return torch.stack([p.sum() for p in self.evaluator.parameters()]).sum() * 0 if several else None
        loss = self.evaluator.loss(batch.features, batch.left, batch.right, batch.tiou)
        self.log("evaluator/loss", loss, prog_bar=True, batch_size=1)
        return loss

    def validation_step(self, batch: EvaluatorBatch, index: int) -> None:
        """Mean absolute error of the predicted tIoU on held-out videos."""
        if len(batch.tiou):
            predicted = self.evaluator(batch.features, batch.left, batch.right)
            error = (predicted - batch.tiou).abs().mean()
            self.log("evaluator/validation_error", error, prog_bar=True, batch_size=len(batch.tiou))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Adam over the PES."""
        updates = int(self.trainer.estimated_stepping_batches)
        return optimiser_of(self.evaluator.parameters(), self.config.evaluator, updates=updates)
