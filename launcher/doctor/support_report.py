"""Evidence of the trials in a text that can be sent to Daytona's support as it is."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import httpx

from launcher.doctor.trial import Trial
from launcher.settings import DAYTONA

_TRACES: Final = ("x-request-id", "x-correlation-id", "cf-ray", "x-amzn-trace-id", "traceparent")
"""Headers by which Daytona's support finds a request."""
_VERSION: Final = "x-daytona-api-version"


class CreateResponses:
    """Records how the API answered creates; never what was sent."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    async def add(self, response: httpx.Response) -> None:
        if response.request.method != "POST" or not response.request.url.path.endswith("/sandbox"):
            return
        headers = response.headers
        date = [headers["date"]] if "date" in headers else []
        version = [f"API {headers[_VERSION]}"] if _VERSION in headers else []
        traces = [f"{name} {headers[name]}" for name in _TRACES if name in headers]
        self.lines.append(", ".join((f"HTTP {response.status_code}", *date, *version, *traces)))


def support_report(trials: Sequence[Trial], responses: Sequence[str], url: str, realm: str) -> str:
    tried = {trial.provider: trial for trial in trials if trial.provider in DAYTONA}
    if not tried:
        return ""
    lines = [
        _finding(tried, url),
        "",
        f"API {url}, organisation {realm}",
        *(line for trial in tried.values() for line in _evidence(trial)),
        *(f"POST /sandbox was answered: {response}" for response in responses),
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
    failures = [f"{name}: {_failure(trial)}" for name, trial in tried.items() if not trial.is_ok]
    return "; ".join(failures) or (
        "Every sandbox came up from the snapshot that was asked for: there is nothing to report."
    )


def _is_ignored(trial: Trial) -> bool:
    return trial.sandbox_id is not None and trial.asked is not None and trial.got != trial.asked


def _failure(trial: Trial) -> str:
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
