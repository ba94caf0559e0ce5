"""Reads event files with TensorBoard's own reader and checks what the Rust test wrote.

    pip install tensorboard
    SLOWBURN_EVENTS=/tmp/events cargo test --workspace --locked --test integration adds_a_file
    python crates/train/tests/tensorboard/read_back.py /tmp/events/tensorboard/moco

The run was killed at step 40 and went on behind its checkpoint of step 25: no step may come twice.
"""

import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

STEPS = {
    "step/loss": [10, 20, 25, 30, 40, 50],
    "step/images per second": [10, 20, 25, 30, 40, 50],
    "step/waiting for images": [10, 20, 25, 30, 40, 50],
    "epoch/kNN": [25, 50],
}
VALUES = {
    "step/loss": lambda step: 1 / (step + 0.25),
    "step/images per second": lambda step: 32,
    "step/waiting for images": lambda step: 0.125,
    "epoch/kNN": lambda step: 0.5 + step / 1000,
}


def main(folder):
    run = EventAccumulator(folder).Reload()
    assert run.file_version == 2.0, run.file_version
    tags = run.Tags()["scalars"]
    assert sorted(tags) == sorted(STEPS), tags
    for tag in tags:
        events = run.Scalars(tag)
        print(f"{tag}: " + ", ".join(f"{event.step}: {event.value:.6f}" for event in events))
        assert [event.step for event in events] == STEPS[tag], tag
        assert all(abs(event.value - VALUES[tag](event.step)) < 1e-6 for event in events), tag
        assert all(event.wall_time > 1.7e9 for event in events), tag
    print("as written")


if __name__ == "__main__":
    main(sys.argv[1])
