import wandb

wandb.init(project="fit")
