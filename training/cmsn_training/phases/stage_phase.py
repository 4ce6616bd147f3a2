"""Phase 1: the extractor and the Action Stage Subnet learn the stage of every feature step."""

from __future__ import annotations

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRScheduler

from cmsn_training.config import TrainingConfig
from cmsn_training.data.windows import Window
from cmsn_training.losses.building import build_loss
from cmsn_training.models.cmsn import CMSN, freeze
from cmsn_training.models.convolution import convolutions
from cmsn_training.phases.optimising import optimiser_of


class StagePhase(pl.LightningModule):
    """One window per step, as in the paper: VMCL (or another loss) between the cosines and the stage labels."""

    def __init__(self, model: CMSN, config: TrainingConfig) -> None:
        super().__init__()
        self.model = model
        self.config = config
        loss = config.loss
        self.loss = build_loss(loss.kind, m=loss.m, n=loss.n, scale=loss.scale, form=loss.form)
        for name in config.stages.frozen:
            freeze(model.extractor.get_submodule(f"c3d.{name}"))
        freeze(model.evaluator)
        if config.stages.norm_epochs:
            for convolution in convolutions(model):
                convolution.add_norm()

    def on_train_epoch_start(self) -> None:
        """Late epochs train with the running statistics, which are folded in at the end."""
        settled = self.current_epoch >= self.config.stages.norm_epochs
        for convolution in convolutions(self.model):
            if convolution.norm is not None:
                convolution.norm.train(not settled)

    def training_step(self, window: Window, index: int) -> torch.Tensor:
        """Loss of one window."""
        loss, accuracy = self._assess(window)
        self.log_dict({"stages/loss": loss, "stages/accuracy": accuracy}, prog_bar=True, batch_size=1)
        return loss

    def validation_step(self, window: Window, index: int) -> None:
        """Loss and accuracy of one held-out window."""
        loss, accuracy = self._assess(window)
        values = {"stages/validation_loss": loss, "stages/validation_accuracy": accuracy}
        self.log_dict(values, prog_bar=True, batch_size=1)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """Adam over everything except the PES and the frozen layers."""
        updates = int(self.trainer.estimated_stepping_batches)
        return optimiser_of(self.parameters(), self.config.stages, updates=updates)

    def _assess(self, window: Window) -> tuple[torch.Tensor, torch.Tensor]:
        steps = window.labels.shape[1]
        features = self.model.extractor.whole(window.frames)[:, window.first : window.first + steps]
        cosines = self.model.stages(features)
        loss: torch.Tensor = self.loss(cosines, window.labels)
        return loss, (cosines.argmax(-1) == window.labels).float().mean()
