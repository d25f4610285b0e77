"""The progress of a build is read from the output of docker, old and new."""

import pytest

from launcher.snapshots.progress import Steps

BUILDKIT = """#1 [internal] load build definition from Dockerfile
#7 [slim 1/3] FROM docker.io/library/python
#8 [slim 2/3] RUN yarn install
#8 0.512 [4/4] Building fresh packages...
#9 [full 1/2] RUN rustup
#10 [slim 3/3] RUN test
#9 [full 1/2] RUN rustup
"""
CLASSIC = "Step 1/2 : FROM python\n ---> 1a\nStep 2/2 : RUN test\n"


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (BUILDKIT, [(0, 3), (1, 3), (1, 5), (2, 5), (2, 5)]),
        (CLASSIC, [(0, 2), (1, 2)]),
        ("mine-2 is building\n", []),
    ],
    ids=["BuildKit", "before BuildKit", "no steps"],
)
def test_the_steps_of_a_build_are_its_progress(output: str, told: list[tuple[int, int]]) -> None:
    seen: list[tuple[int, int]] = []
    steps = Steps(lambda done, total: seen.append((done, total)))
    for at in range(0, len(output), 7):  # pieces end anywhere
        steps.read(output[at : at + 7].encode())
    assert seen == told
