"""The default recipe of `train --method mean-teacher --arch small`, and its baseline, in PyTorch, written from arXiv 1703.01780 and
the recipe's summary: the same labelled images, distributions of views, network, costs, schedules and number of steps.

    python mean_teacher.py RUN OUT.jsonl [--seed 0] [--supervised]

RUN is a folder of ours, whose labels.txt says which images have a label.
"""

import argparse
import math

import numpy
import torch
import torch.nn.functional as F
import torchvision.transforms as T
from common import MEAN, STD, Rows, Small, Split, apart, follow, images, passed, started, whole
from PIL import Image

EPOCHS, BATCH, LABELED, GROUP = 10, 64, 16, 16
WEIGHT, RISE, DECAY, RATE = 10.0, 6, 0.99, 0.003
VIEW = T.Compose([T.RandomCrop(28, padding=2, padding_mode="reflect"), T.RandomHorizontalFlip(), T.ToTensor(),
                  T.Normalize([MEAN], [STD])])


def in_groups(images, network):
    return torch.cat([network(part) for part in images.split(GROUP)])


def labeled_by(run):
    """The images that `labels.txt` names, one a line: number and class."""
    return [int(line.split()[0]) for line in open(f"{run}/labels.txt")]


def endless(items, count, random):
    """`count` items, each as often as any other."""
    out = []
    while len(out) < count:
        out.extend(random.permutation(items))
    return out[:count]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("run")
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--supervised", action="store_true")
    given = parser.parse_args()
    torch.manual_seed(given.seed)
    random = numpy.random.default_rng(given.seed)
    pixels, known = images("train")
    test, truth = images("t10k")
    test = whole(test)
    labeled = labeled_by(given.run)
    others = sorted(set(range(len(pixels))) - set(labeled))
    steps = len(others) // (BATCH - LABELED)
    total = EPOCHS * steps

    student = Split(started(Small(10)), in_groups)
    teacher = apart(student)
    optimizer = torch.optim.Adam(student.parameters(), RATE)
    rows = Rows(given.out)

    def views(chosen):
        return torch.stack([VIEW(Image.fromarray(pixels[image])) for image in chosen])

    def accuracy(network):
        return (passed(network, test).argmax(1) == truth).double().mean().item()

    step = 0
    for epoch in range(1, EPOCHS + 1):
        seen = endless(labeled, steps * LABELED, random)
        rest = random.permutation(others)
        loss_sum = 0.0
        for index in range(steps):
            chosen = seen[index * LABELED:][:LABELED]
            targets = known[chosen]
            if not given.supervised:
                share = BATCH - LABELED
                chosen = chosen + list(rest[index * share:][:share])
            logits = student(views(chosen))
            # Both costs are divided by the whole batch.
            loss = F.cross_entropy(logits[:LABELED], targets, reduction="sum") / len(chosen)
            if not given.supervised:
                with torch.no_grad():
                    wanted = teacher(views(chosen)).softmax(1)
                rise = math.exp(-5 * (1 - min(step / (RISE * steps), 1)) ** 2)
                loss = loss + rise * WEIGHT * F.mse_loss(logits.softmax(1), wanted)
            for group in optimizer.param_groups:
                group["lr"] = RATE * (math.cos(math.pi * step / (1.1 * total)) + 1) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
            if not given.supervised:
                follow(teacher, student, min(1 - 1 / (step + 1), DECAY))
            loss_sum += loss.item()

        def look():
            looked = {"student_accuracy": accuracy(student)}
            return looked if given.supervised else looked | {"teacher_accuracy": accuracy(teacher)}

        rows.write(look, epoch=epoch, loss=loss_sum / steps)


if __name__ == "__main__":
    main()
