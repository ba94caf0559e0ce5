"""The default recipe of `pretrain --method moco` in PyTorch, written from arXiv 1911.05722 and 2003.04297 and the recipe's summary:
the same images, distributions of views, network, head, queue and schedules.

    python moco.py OUT.jsonl [--seed 0]
"""

import argparse
import math

import numpy
import torch
import torch.nn.functional as F
import torchvision.transforms as T
from common import MEAN, STD, Rows, Small, Split, apart, follow, images, passed, started, whole
from PIL import Image
from torch import nn

EPOCHS, BATCH, SPLITS, QUEUE, DIM = 20, 128, 8, 4096, 64
TEMPERATURE, DECAY, RATE, WEIGHT_DECAY = 0.2, 0.99, 0.06, 5e-4
NEIGHBOURS, SHARPNESS = 200, 0.1
VIEW = T.Compose([T.RandomResizedCrop(28, scale=(0.2, 1.0)), T.RandomHorizontalFlip(),
                  T.RandomApply([T.ColorJitter(0.4, 0.4)], p=0.8), T.ToTensor(), T.Normalize([MEAN], [STD])])


def in_splits(images, network):
    """Every eighth image shares batch statistics."""
    out = [network(images[split::SPLITS]) for split in range(SPLITS)]
    return torch.stack(out, 1).flatten(0, 1)


def neighbours(bank, classes, queries, truth):
    """Weighted nearest neighbours on features of unit length (Wu et al., arXiv 1805.01978)."""
    similar, nearest = (F.normalize(queries) @ F.normalize(bank).T).topk(NEIGHBOURS)
    votes = torch.zeros(len(queries), 10).scatter_add_(1, classes[nearest], (similar / SHARPNESS).exp())
    return (votes.argmax(1) == truth).double().mean().item()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    random = numpy.random.default_rng(given.seed)
    pixels, classes = images("train")
    test, truth = images("t10k")
    all_images, test = whole(pixels), whole(test)
    encoder = started(Small(0))
    query = nn.Sequential(Split(encoder, in_splits), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, DIM))
    key = apart(query)
    queue = F.normalize(torch.randn(QUEUE, DIM))
    optimizer = torch.optim.SGD(query.parameters(), RATE, momentum=0.9, weight_decay=WEIGHT_DECAY)
    rows = Rows(given.out)
    steps = len(pixels) // BATCH
    held_out = torch.arange(len(pixels)) % 5 == 0
    step = 0
    for epoch in range(1, EPOCHS + 1):
        order = random.permutation(len(pixels))
        loss_sum = right = 0.0
        for index in range(steps):
            chosen = [Image.fromarray(pixels[image]) for image in order[index * BATCH:][:BATCH]]
            first, second = (torch.stack([VIEW(image) for image in chosen]) for _ in range(2))
            follow(key, query, DECAY)
            with torch.no_grad():
                # Keys pass in another order, so that a query and its key share no batch statistics.
                shuffled = torch.randperm(BATCH)
                keys = torch.empty(BATCH, DIM)
                keys[shuffled] = F.normalize(key(second[shuffled]))
            queries = F.normalize(query(first))
            logits = torch.cat([(queries * keys).sum(1, keepdim=True), queries @ queue.T], 1) / TEMPERATURE
            loss = F.cross_entropy(logits, torch.zeros(BATCH, dtype=torch.long))
            for group in optimizer.param_groups:
                group["lr"] = RATE * (math.cos(math.pi * step / (EPOCHS * steps)) + 1) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            queue = torch.cat([queue[BATCH:], keys])
            step += 1
            loss_sum += loss.item()
            right += (logits.argmax(1) == 0).double().mean().item()

        def look():
            features = passed(encoder, all_images)
            bank, asked = features[~held_out], features[held_out]
            looked = {"knn_accuracy": neighbours(bank, classes[~held_out], asked, classes[held_out])}
            if epoch == EPOCHS:
                looked["test_knn_accuracy"] = neighbours(features, classes, passed(encoder, test), truth)
            return looked

        rows.write(look, epoch=epoch, loss=loss_sum / steps, contrast_accuracy=right / steps)


if __name__ == "__main__":
    main()
