"""What the trials say about Daytona, in words that can be sent to its support as they are."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import httpx

from launcher.doctor.trial import Trial
from launcher.settings import DAYTONA

_TRACES: Final = ("x-request-id", "x-correlation-id", "cf-ray", "x-amzn-trace-id", "traceparent")
"""By one of these a support finds a request again."""
_VERSION: Final = "x-daytona-api-version"


class ResponseHook:
    """Remembers how the API answered its creates; never what was sent."""

    def __init__(self) -> None:
        self.answers: list[str] = []

    async def __call__(self, response: httpx.Response) -> None:
        """For the hook of a client."""
        if response.request.method == "POST" and response.request.url.path.endswith("/sandbox"):
            self.answers.append(_described(response))


def verdict(trials: Sequence[Trial], answers: Sequence[str], url: str, realm: str) -> str:
    """The whole text."""
    tried = [trial for trial in trials if trial.provider in DAYTONA]
    if not tried:
        return ""
    lines = [
        _finding({trial.provider: trial for trial in tried}, url),
        "",
        f"API {url}, organisation {realm}",
        *(line for trial in tried for line in _evidence(trial)),
        *(f"POST /sandbox was answered: {answer}" for answer in answers),
    ]
    return "\n".join(lines)


def _finding(tried: Mapping[str, Trial], url: str) -> str:
    by_api, by_cli = tried.get("daytona-api"), tried.get("daytona-cli")
    if by_api is not None and _is_ignored(by_api):
        finding = (
            f"POST {url}/sandbox ignored `snapshot`: asked for {by_api.asked}, the sandbox came up "
            f"from {by_api.got or 'none'}."
        )
        if by_cli is not None and by_cli.got == by_cli.asked:
            finding += " The CLI, with the same key, got what it asked for."
        return finding
    if by_cli is not None and _is_ignored(by_cli):
        return (
            f"`daytona sandbox create --snapshot {by_cli.asked}` came up from "
            f"{by_cli.got or 'none'} instead."
        )
    troubles = [trial for trial in tried.values() if not trial.all_ok]
    if troubles:
        return "; ".join(f"{trial.provider}: {_trouble(trial)}" for trial in troubles)
    return "Every sandbox came up from the snapshot that was asked for: there is nothing to report."


def _is_ignored(trial: Trial) -> bool:
    return trial.sandbox_id is not None and trial.asked is not None and trial.got != trial.asked


def _trouble(trial: Trial) -> str:
    if trial.error:
        return trial.error
    if not trial.is_deleted:
        return f"the sandbox {trial.sandbox_id} could not be deleted"
    return f"the entrypoint of {trial.asked} printed nothing"


def _evidence(trial: Trial) -> Iterator[str]:
    yield f"{trial.at}  {trial.provider}, sandbox {trial.name}, id {trial.sandbox_id or 'none'}"
    yield f"  snapshot asked: {trial.asked or 'none'}   got: {trial.got or 'none'}"
    if trial.error:
        yield f"  error: {trial.error}"


def _described(response: httpx.Response) -> str:
    headers = response.headers
    traces = [f"{name} {headers[name]}" for name in _TRACES if name in headers]
    version = [f"API {headers[_VERSION]}"] if _VERSION in headers else []
    date = [headers["date"]] if "date" in headers else []
    return ", ".join((f"HTTP {response.status_code}", *date, *version, *traces))
