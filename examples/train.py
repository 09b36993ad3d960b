"""Trains a classifier of handwritten digits; the five lines marked with + make each training a run in the registry.

git pacha init
git pacha recipe register examples/digits.toml
python examples/train.py --rate 0.01
git pacha run list
"""

import argparse
from collections.abc import Sequence

import numpy as np
from safetensors.numpy import save_file
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from pacha_git import Registry  # +


def main(words: Sequence[str] | None = None) -> str:
    """Train once; returns the id of the run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--penalty", default="l2", choices=["l1", "l2"])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", default="digits.safetensors")
    args = parser.parse_args(words)

    digits = load_digits()
    images, labels = digits.data / 16, digits.target
    x, x_val, y, y_val = train_test_split(images, labels, test_size=0.25, random_state=args.seed, stratify=labels)
    model = SGDClassifier(
        loss="log_loss", learning_rate="constant", eta0=args.rate, penalty=args.penalty, random_state=args.seed
    )

    registry = Registry.open()  # +
    with registry.run(recipe="digits-sgd@1.0.0", params=vars(args)) as run:  # +
        for epoch in range(args.epochs):
            model.partial_fit(x, y, classes=np.arange(10))
            loss, accuracy = log_loss(y_val, model.predict_proba(x_val)), model.score(x_val, y_val)
            run.log({"val/loss": loss, "val/accuracy": accuracy}, step=epoch)  # +
        save_file({"coefficients": model.coef_, "intercept": model.intercept_}, args.output)
        run.artifact(args.output)  # +
    return run.id


if __name__ == "__main__":
    main()
