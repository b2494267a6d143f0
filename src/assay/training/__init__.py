"""Training populations: batches, losses, optimizers and the loop."""
