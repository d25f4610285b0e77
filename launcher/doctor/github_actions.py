"""Checks GitHub Actions: if the token may start the workflow, and if it is this release's."""

import base64
import binascii
import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import httpx
import msgspec

from launcher.doctor.report import Check, failed, ok, warning
from launcher.egress import DIRECT, Egress
from launcher.github import classic_scopes, open_github
from launcher.settings import GitHubActionsSettings
from launcher.snapshots.scripts import FOLDER

SECONDS: Final = 10.0
SHIPPED: Final = FOLDER / "github-workflow.yml"
NO_BRANCH: Final = "slipgate doctor: no branch has this name"
"""No valid name of a branch: the response to a dispatch of it shows if the token may start the
workflow, and no run is started."""
_TOKEN: Final = "Actions token"  # noqa: S105 - the name of a check
_GRANT: Final = (
    "Make a fine-grained token for that repository alone, with Actions: read and write, and set "
    "SLIPGATE_GITHUB_ACTIONS_TOKEN."
)
_NOT_SHOWN: Final = (httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND)

Document = TypeVar("Document", bound=msgspec.Struct)


class _Repository(msgspec.Struct, frozen=True, kw_only=True):
    default_branch: str
    archived: bool = False


class _Workflow(msgspec.Struct, frozen=True, kw_only=True):
    state: str


class _Permissions(msgspec.Struct, frozen=True, kw_only=True):
    enabled: bool


class _File(msgspec.Struct, frozen=True, kw_only=True):
    content: str


async def check_github_actions(
    settings: GitHubActionsSettings, shipped: Path = SHIPPED, *, egress: Egress = DIRECT
) -> list[Check]:
    async with open_github(settings.api_url, settings.token, egress=egress) as http:
        return await _Checks(http, settings, shipped).run()


@dataclass(frozen=True, slots=True)
class _Checks:
    """Checks of one repository and its workflow."""

    http: httpx.AsyncClient
    settings: GitHubActionsSettings
    shipped: Path

    async def run(self) -> list[Check]:
        try:
            answer = await self._get("")
            found, checks = self._repository(answer)
            if found is None:
                return checks
            checks += [await self._permissions(), await self._workflow(found.default_branch)]
            return [*checks, *await self._texts(found.default_branch), await self._may_start()]
        except httpx.HTTPError as error:
            message = f"nobody answers at {self.settings.api_url} ({type(error).__name__})"
            advice = "Look at SLIPGATE_GITHUB_ACTIONS_API_URL, and the network's way out."
            return [failed("repository", message, advice)]

    def _repository(self, answer: httpx.Response) -> tuple[_Repository | None, list[Check]]:
        name, repository = "repository", self.settings.repository
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            return None, [failed(_TOKEN, "GitHub takes it for none, or for an expired one", _GRANT)]
        found = _read(answer, _Repository)
        if answer.status_code in _NOT_SHOWN or found is None:
            advice = f"Look at SLIPGATE_GITHUB_ACTIONS_REPO. {_GRANT}"
            message = f"the token sees no {repository} (HTTP {answer.status_code})"
            return None, [failed(name, message, advice)]
        if found.archived:
            advice = "Unarchive it, or set SLIPGATE_GITHUB_ACTIONS_REPO to another copy."
            return None, [failed(name, f"{repository} is archived: nothing runs there", advice)]
        return found, [ok(name, repository), *_classic(answer)]

    async def _permissions(self) -> Check:
        """Only an administrator's token can read them."""
        name = "Actions"
        found = _read(await self._get("/actions/permissions"), _Permissions)
        if found is None:
            return ok(name, "this token cannot read if they are enabled")
        if not found.enabled:
            advice = "Settings → Actions → General: allow actions."
            return failed(name, f"they are disabled for {self.settings.repository}", advice)
        return ok(name, f"enabled for {self.settings.repository}")

    async def _workflow(self, default: str) -> Check:
        name, file = "workflow", self.settings.workflow
        answer = await self._get(f"/actions/workflows/{file}")
        found = _read(answer, _Workflow)
        if found is None:
            message = f"GitHub knows no workflow {file} there (HTTP {answer.status_code})"
            advice = (
                f"Copy snapshot/github-workflow.yml to .github/workflows/{file} of the branch "
                f"{default}, or look at SLIPGATE_GITHUB_ACTIONS_WORKFLOW."
            )
            return failed(name, message, advice)
        if found.state != "active":
            advice = f"`gh workflow enable {file} --repo {self.settings.repository}`."
            return failed(name, f"{file} is {found.state.replace('_', ' ')}", advice)
        return ok(name, f"{file} is active")

    async def _texts(self, default: str) -> list[Check]:
        """GitHub finds a workflow on the default branch, and runs the one of the named branch."""
        name, path = "workflow text", f".github/workflows/{self.settings.workflow}"
        checks: list[Check] = []
        is_shown = False
        for branch in dict.fromkeys((default, self.settings.ref)):
            file = _read(await self._get(f"/contents/{path}", ref=branch), _File)
            if file is not None:
                checks.append(self._compare(f"{path} of {branch}", file))
            elif is_shown:
                advice = f"Copy it there, or set SLIPGATE_GITHUB_ACTIONS_REF to {default}."
                checks.append(failed(name, f"there is no {path} of {branch}", advice))
            else:
                message = f"{path} of {branch} is not shown to this token"
                advice = "Contents: read would show it; the launcher itself does not need it."
                checks.append(warning(name, message, advice))
            is_shown = is_shown or file is not None
        return checks

    def _compare(self, place: str, file: _File) -> Check:
        name = "workflow text"
        ours = _digest(self.shipped.read_bytes())
        content = b""
        with contextlib.suppress(binascii.Error):
            content = base64.b64decode(file.content)
        theirs = _digest(content)
        if theirs != ours:
            message = f"{place} is another ({theirs[:12]}) than that of here ({ours[:12]})"
            advice = "If you did not change it on purpose, copy snapshot/github-workflow.yml there."
            return warning(name, message, advice)
        return ok(name, f"{place} is that of here ({ours[:12]})")

    async def _may_start(self) -> Check:
        body = {"ref": NO_BRANCH, "inputs": {"job": "job_doctor"}}
        path = f"{self._path}/actions/workflows/{self.settings.workflow}/dispatches"
        content = msgspec.json.encode(body)
        answer = await self.http.post(path, content=content, timeout=SECONDS)
        match answer.status_code:
            case httpx.codes.UNPROCESSABLE_ENTITY:
                return ok(_TOKEN, "it may start the workflow")
            case httpx.codes.FORBIDDEN:
                return failed(_TOKEN, "it may read the workflow, and not start it", _GRANT)
            case status:
                message = f"whether it may start the workflow is not told (HTTP {status})"
                return warning(_TOKEN, message, _GRANT)

    @property
    def _path(self) -> str:
        return f"/repos/{self.settings.repository}"

    async def _get(self, path: str, **query: str) -> httpx.Response:
        return await self.http.get(f"{self._path}{path}", params=query, timeout=SECONDS)


def _classic(answer: httpx.Response) -> list[Check]:
    """A classic token always has more scopes than needed."""
    scopes = classic_scopes(answer)
    if not scopes:
        return []
    message = f"a classic one, for every repository, with {', '.join(sorted(scopes))}"
    return [warning(_TOKEN, message, _GRANT)]


def _read(answer: httpx.Response, kind: type[Document]) -> Document | None:
    if not answer.is_success:
        return None
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except msgspec.MsgspecError:
        return None


def _digest(text: bytes) -> str:
    """Ignores line ends, which depend on the checkout."""
    return hashlib.sha256(text.replace(b"\r\n", b"\n")).hexdigest()
