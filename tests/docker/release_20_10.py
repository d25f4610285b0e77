"""Errors as release 20.10 of docker's CLI words them (seen: 20.10.24), from those of release 28."""

import re
from collections.abc import Sequence

UNREACHABLE = (
    'template: :1:2: executing "" at <.ID>: reflect: indirection through nil pointer to embedded '
    "struct field Info"
)
TEXTS = {
    ("info",): ((r"Cannot connect to the Docker daemon .*", UNREACHABLE),),
    ("network", "inspect"): ((r".*: network (\S+) not found", r"Error: No such network: \1"),),
    ("image", "inspect"): ((r".*: No such image: ([^:\n]+).*", r"Error: No such image: \1"),),
    ("cp",): (
        (
            r".*: Could not find the file (\S+) in container (\S+)",
            r"Error: No such container:path: \2:\1",
        ),
    ),
}
BY_CLIENT = ("container", "cp", "rm", "logs", "exec")
"""Commands of which the client itself says that there is no such container."""


def reworded(arguments: Sequence[str], errors: str) -> str:
    rules = TEXTS.get(tuple(arguments[:1]), ()) + TEXTS.get(tuple(arguments[:2]), ())
    if arguments[:1] and arguments[0] in BY_CLIENT:
        rules += ((r"Error response from daemon: (No such container: )", r"Error: \1"),)
    for pattern, words in rules:
        errors = re.sub(pattern, words, errors)
    return errors
