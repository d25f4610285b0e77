"""YAML that somebody else wrote, read into plain values."""

from typing import Final

import yaml  # type: ignore[import-untyped]  # its types are a package of their own, for one call

LARGEST_CHARACTERS: Final = 64 * 1024
"""The parser is slow, and builds no aliases out: more is nobody's configuration."""


class NotYaml(ValueError):
    """The text is none; the message says where."""


def parse(text: str) -> object:
    """Raises `NotYaml`."""
    if len(text) > LARGEST_CHARACTERS:
        raise NotYaml(f"it is longer than {LARGEST_CHARACTERS} characters")
    try:
        loader = yaml.SafeLoader(text)
        # A mapping that is merged twice in the next one, again and again, would grow without end.
        loader.flatten_mapping = lambda _: None
        return loader.get_single_data()
    except yaml.MarkedYAMLError as exc:
        line = f"line {exc.problem_mark.line + 1}: " if exc.problem_mark else ""
        raise NotYaml(f"it is no YAML: {line}{exc.problem}") from exc
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as exc:
        raise NotYaml("it is no YAML that can be read") from exc
