"""Reports to a tracker."""

import wandb

wandb.init(project="fit")
