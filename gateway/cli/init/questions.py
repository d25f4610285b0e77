"""The questions of `slipgate init`: the variables that each provider and each task needs."""

from typing import Final, NamedTuple


class Question(NamedTuple):
    """A variable of the launcher's file."""

    name: str
    text: str
    """The prompt; it says where the value comes from."""
    is_secret: bool = True
    is_required: bool = True


class Provider(NamedTuple):
    """A way to get sandboxes."""

    meaning: str
    setting: str
    """The value of `SLIPGATE_PROVIDERS`."""
    questions: tuple[Question, ...] = ()
    snapshot: str = ""
    """The command of `slipgate snapshot` that builds what its sandboxes are made of."""
    build_text: str = ""
    """The question before that."""


_DAYTONA_KEY: Final = Question(
    "DAYTONA_API_KEY",
    "Daytona's API key (dashboard → Keys: write:sandboxes, delete:sandboxes, write:snapshots)",
)
PROVIDERS: Final = {
    "local": Provider("agents on this host, under your user: no sandbox", "local"),
    "docker": Provider(
        "containers of this host's docker",
        "docker",
        snapshot="image",
        build_text="Have docker build the image of sandboxes now, if it is not there?",
    ),
    "daytona": Provider(
        "sandboxes of Daytona",
        "daytona-api",
        (_DAYTONA_KEY,),
        snapshot="build",
        build_text="Have Daytona build the snapshot now, if it is not there?",
    ),
    "kubernetes": Provider(
        "jobs of a Kubernetes cluster",
        "kubernetes",
        (
            Question(
                "SLIPGATE_KUBERNETES_CONTEXT",
                "Context of your kubeconfig (empty: the current one, or the cluster this runs in)",
                is_secret=False,
                is_required=False,
            ),
            Question(
                "SLIPGATE_KUBERNETES_IMAGES",
                "Image in your registry (slipgate-agent-1=registry.example.com/slipgate-agent:1)",
                is_secret=False,
            ),
        ),
    ),
    "github-actions": Provider(
        "sandboxes of Daytona, made by a workflow of GitHub",
        "github-actions",
        (
            Question(
                "SLIPGATE_GITHUB_ACTIONS_REPO",
                "Repository with the workflow slipgate.yml (owner/name)",
                is_secret=False,
            ),
            Question(
                "SLIPGATE_GITHUB_ACTIONS_TOKEN",
                "Token that may start that workflow (fine-grained, Actions: read and write)",
            ),
            Question(
                "SLIPGATE_REALM", "SLIPGATE_REALM of the workflow's launcher", is_secret=False
            ),
        ),
    ),
}
MODELS: Final = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "google": "GEMINI_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
}
"""The variable with the key of each model provider."""
GITHUB_TOKEN: Final = Question(
    "GITHUB_TOKEN",
    "GitHub token (Contents and Pull requests: read and write; empty: no pull requests)",
    is_required=False,
)


def model_key(provider: str) -> Question:
    """The question for the key of a model provider."""
    text = f"API key of {provider} (empty: each task brings its own)"
    return Question(MODELS[provider], text, is_required=False)
