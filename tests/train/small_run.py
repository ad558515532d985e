"""A training of seconds on real crops: a configuration of `train fit`."""

SMALL_CONFIG = """
model: {model: wnet_unet, loss: bce, augmentation: none, schedule: constant, optimiser: adam}
data: {dataset: drive, batch_size: 2, validation: 17, crops: {size_px: 64, count: 16}}
trainer: {max_epochs: 1, enable_progress_bar: false, log_every_n_steps: 1}
"""
