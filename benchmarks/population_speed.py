"""32 networks at once against one network by the tutorial's own kind of loop.

Both train the people network (6-10-10-3, tanh, SGD 0.01, batches of 10) on the same
200 rows. The plain loop is how tutorials write it: a Dataset that returns one item, a
DataLoader that collates batches, a Module, NLLLoss. They run in turn, several
times, and the ratio is that of the medians.

    python benchmarks/population_speed.py [--epochs 1000] [--runs 3]
"""

import argparse
import statistics
import time

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

import assay
from assay.datasets import make_people
from assay.recipes import load_recipe

N_MEMBERS = 32
CLASSES = ("conservative", "moderate", "liberal")
STATES = ("michigan", "nebraska", "oklahoma")


class PeopleDataset(Dataset):
    def __init__(self, frame):
        rows = [
            [
                -1.0 if sex == "M" else 1.0,
                age / 100,
                *(float(state == name) for name in STATES),
                income / 100_000,
            ]
            for sex, age, state, income, _ in frame.iter_rows()
        ]
        self.x = torch.tensor(rows, dtype=torch.float32)
        self.y = torch.tensor([CLASSES.index(name) for name in frame["politics"]])

    def __len__(self):
        return len(self.x)

    def __getitem__(self, idx):
        return {"predictors": self.x[idx], "targets": self.y[idx]}


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.hid1 = torch.nn.Linear(6, 10)
        self.hid2 = torch.nn.Linear(10, 10)
        self.oupt = torch.nn.Linear(10, 3)
        for layer in (self.hid1, self.hid2, self.oupt):
            torch.nn.init.xavier_uniform_(layer.weight)
            torch.nn.init.zeros_(layer.bias)

    def forward(self, x):
        z = torch.tanh(self.hid1(x))
        z = torch.tanh(self.hid2(z))
        return torch.log_softmax(self.oupt(z), dim=1)


def plain_loop(frame, n_epochs: int) -> tuple[float, float]:
    """Return seconds and training accuracy of one network."""
    torch.manual_seed(1)
    dataset = PeopleDataset(frame)
    started = time.perf_counter()
    loader = DataLoader(dataset, batch_size=10, shuffle=True)
    net = Net()
    loss_function = torch.nn.NLLLoss()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
    net.train()
    for _ in range(n_epochs):
        epoch_loss = 0.0
        for batch in loader:
            optimizer.zero_grad()
            loss = loss_function(net(batch["predictors"]), batch["targets"])
            epoch_loss += loss.item()
            loss.backward()
            optimizer.step()
    seconds = time.perf_counter() - started
    net.eval()
    with torch.no_grad():
        accuracy = (net(dataset.x).argmax(1) == dataset.y).float().mean().item()
    return seconds, accuracy


class Clock:
    """Takes the time of the stage called training."""

    def on_stage(self, name: str) -> None:
        now = time.perf_counter()
        if name == "training":
            self.started = now
        if name == "evaluating":
            self.seconds = now - self.started

    def on_epoch(self, epoch, n_epochs, *, log_loss, is_validation) -> None:
        pass


def population(frame, n_epochs: int) -> tuple[float, float]:
    """Return seconds and mean training accuracy of 32 networks."""
    clock = Clock()
    recipe = load_recipe("people").with_options({"train.epochs": n_epochs})
    model = assay.train(frame, recipe=recipe, observer=clock)
    return clock.seconds, model.evaluation["train"]["members"]["accuracy"]["mean"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    train, _ = make_people()
    population(train, 10), plain_loop(train, 10)  # warm up
    runs = [
        (population(train, options.epochs), plain_loop(train, options.epochs))
        for _ in range(options.runs)
    ]
    ours = statistics.median(run[0][0] for run in runs)
    plain = statistics.median(run[1][0] for run in runs)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {options.epochs} epochs")
    print(f"assay, {N_MEMBERS} networks: {ours:.2f} s, mean accuracy {runs[0][0][1]:.3f}")
    print(f"plain loop, 1 network:  {plain:.2f} s, accuracy {np.mean([r[1][1] for r in runs]):.3f}")
    print(f"ratio {ours / plain:.2f}; per network {plain * N_MEMBERS / ours:.0f} times faster")


if __name__ == "__main__":
    main()
