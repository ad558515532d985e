"""`python -m train fit`: Lightning's command line with the flags that the whole package shares."""

import warnings
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningCLI, SaveConfigCallback

from edge_vessel.atomic import DISK_FAULTS, write_file
from edge_vessel.errors import DeviceError, UsageError
from train.datamodule import FundusDataModule
from train.models.checkpoint import load_checkpoint
from train.module import SegmentationModule
from train.run_record import RunRecord

_SHORT = {
    "--data": "--data.root",
    "--seed": "--seed_everything",
    "--encoder-weights": "--model.encoder_weights",
}


class SaveConfig(SaveConfigCallback):
    """Writes the run's whole configuration, defaults included, as `config.yaml` beside its
    checkpoints rather than among the logger's files."""

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        if trainer.is_global_zero:
            Path(trainer.default_root_dir).mkdir(parents=True, exist_ok=True)
            content = self.parser.dump(self.config, skip_none=False)
            write_file(Path(trainer.default_root_dir) / "config.yaml", content.encode())


class _CLI(LightningCLI):
    """Continues from `resumed`. Given on the command line, Lightning's own `ckpt_path` would put
    the checkpoint's settings in place of the call's without a word; `SegmentationModule` refuses a
    call that differs."""

    def __init__(self, *, resumed: Path | None, **settings: Any) -> None:
        self._resumed = resumed
        super().__init__(SegmentationModule, FundusDataModule, **settings)

    def before_instantiate_classes(self) -> None:
        if self._resumed is not None:
            self.config["fit"]["ckpt_path"] = str(self._resumed)


def _parts(argument: str) -> list[str]:
    """One argument in Lightning's words; `--flag=value` of ours comes apart."""
    name, equals, value = argument.partition("=")
    if name in _SHORT or name in ("--config", "--output"):
        return [_SHORT.get(name, name), *([value] if equals else [])]
    return [argument]


def _value(arguments: list[str], name: str) -> str | None:
    """Takes `name VALUE` out of the arguments."""
    if name not in arguments:
        return None
    index = arguments.index(name)
    if index + 1 == len(arguments) or arguments[index + 1].startswith("--"):
        raise UsageError(f"{name} needs a value")
    del arguments[index]
    return arguments.pop(index)


def fit(arguments: list[str]) -> None:
    """Runs a training; a run folder that holds a checkpoint is continued only with --resume.

    Raises:
        UsageError: an option, a file or a data set is wrong.
        DeviceError: the disk; what was written before stays, for --resume.
    """
    rest = [part for argument in arguments for part in _parts(argument)]
    resume = "--resume" in rest  # each start writes curves of its own: curves/version_N
    if resume:
        rest.remove("--resume")
    config = _value(list(rest), "--config")
    output = Path(_value(rest, "--output") or f"runs/{Path(config).stem if config else 'run'}")
    last = output / "last.ckpt"
    if last.exists() and not resume:
        raise UsageError(f"{last} exists: continue it with --resume, or name another --output")
    if resume:
        if not last.exists():
            raise UsageError(f"{last}: nothing to resume: start without --resume")
        load_checkpoint(last)  # says what is wrong with it in one line
    # "last" first: a run is continued from it. "best" is by the validation photographs.
    last_one = ModelCheckpoint(
        dirpath=output, filename="last", enable_version_counter=False, save_on_train_epoch_end=True
    )
    best_one = ModelCheckpoint(
        dirpath=output,
        filename="best",
        monitor="val_dice",
        mode="max",
        enable_version_counter=False,
        save_on_train_epoch_end=False,
    )
    logger = {
        "class_path": "lightning.pytorch.loggers.CSVLogger",
        "init_args": {"save_dir": str(output), "name": "curves"},
    }
    # Its advice is for notebooks: the processes of several GPUs are started with our own argv.
    warnings.filterwarnings("ignore", message="LightningCLI's args parameter")
    torch.set_float32_matmul_precision("high")
    try:
        _CLI(
            resumed=last if resume else None,
            args=["fit", *rest],
            trainer_defaults={
                "callbacks": [last_one, best_one, RunRecord()],
                "logger": logger,
                "use_distributed_sampler": False,  # `train.sampler` shares the items out
                "default_root_dir": str(output),
            },
            save_config_callback=SaveConfig,
        )
    except OSError as error:
        if error.errno not in DISK_FAULTS:
            raise
        raise DeviceError(
            f"{output}: {error.strerror}: make room, then go on with --resume"
        ) from error
