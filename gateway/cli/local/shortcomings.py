"""The shortcomings of an environment: what the tasks of an `up` will lack."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Final

MODEL_KEYS: Final = (
    "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY",
    "GEMINI_API_KEY",
    "OPENROUTER_API_KEY",
)
GITHUB_ACCESS: Final = ("GITHUB_TOKEN", "SLIPGATE_GITHUB_APP_ID")
_ELSEWHERE: Final = "github-actions"
"""A provider whose sandboxes get their keys from secrets of GitHub."""


def shortcomings(
    environ: Mapping[str, str], providers: str, known: Iterable[str], prefixes: tuple[str, ...]
) -> Iterator[str]:
    """A sentence for each; `known` and `prefixes` are those of our settings."""
    if providers.strip() != _ELSEWHERE:
        if not any(environ.get(name, "").strip() for name in MODEL_KEYS):
            yield (
                f"No model key is set ({', '.join(MODEL_KEYS)}): only tasks that bring one in "
                "their env, or need none, can work."
            )
        if not any(environ.get(name, "").strip() for name in GITHUB_ACCESS):
            yield (
                "GITHUB_TOKEN is not set: tasks cannot push to GitHub or open pull requests, and "
                "private repositories cannot be cloned."
            )
    names = sorted(known)
    for name in sorted(environ):
        if not name.startswith("SLIPGATE_") or name in names or name.startswith(prefixes):
            continue
        (nearest,) = get_close_matches(name, names, n=1, cutoff=0.85) or ("",)
        hint = f": did you mean {nearest}?" if nearest else "."
        yield f"{name} is no setting of slipgate{hint}"
