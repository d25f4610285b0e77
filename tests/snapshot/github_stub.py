"""The few routes of GitHub's REST API that a pull request needs."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from tests.snapshot.http_stub import HttpStub, Request, Response


@dataclass
class GitHubStub:
    """Keeps pull requests of any repository; one open per head."""

    pulls: list[dict[str, object]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    documents: dict[str, object] = field(default_factory=dict)
    """Path within the repository → what is read there."""
    comments: list[tuple[str, str]] = field(default_factory=list)
    """Path of the thread → text."""
    lost_answers: int = 0
    """Comments that are taken and whose answers get lost."""
    offers_drafts: bool = True
    token: str = "ghp_sandbox_token"

    def __post_init__(self) -> None:
        self.http = HttpStub(self._answer)

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        target = urlsplit(request.target)
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return Response(status=401, content={"message": "Bad credentials"})
        if target.path != "/repos/acme/widgets/pulls":
            return self._other(request, target.path.removeprefix("/repos/acme/widgets/"))
        if request.method == "GET":
            head = parse_qs(target.query)["head"][0].removeprefix("acme:")
            return Response(content=[pull for pull in self.pulls if pull["head"] == head])
        return self._create(request.json())

    def _other(self, request: Request, path: str) -> Response:
        if request.method == "POST" and path.endswith("/comments"):
            self.comments.append((path, str(request.json()["body"])))
            if len(self.comments) <= self.lost_answers:
                return Response(status=502)
            return Response(status=201, content={"id": len(self.comments)})
        if request.method == "GET" and path.endswith("/comments") and path.startswith("issues/"):
            return Response(content=[{"body": text} for at, text in self.comments if at == path])
        if request.method == "GET" and path in self.documents:
            return Response(content=self.documents[path])
        return Response(status=404, content={"message": "Not Found"})

    def _create(self, wanted: dict[str, object]) -> Response:
        if wanted["draft"] and not self.offers_drafts:
            message = "Draft pull requests are not supported in this repository."
            return Response(status=422, content={"message": message})
        if any(pull["head"] == wanted["head"] for pull in self.pulls):
            message = "Validation Failed: A pull request already exists for acme:branch."
            return Response(status=422, content={"message": message})
        number = len(self.pulls) + 1
        pull = {**wanted, "html_url": f"https://github.test/acme/widgets/pull/{number}"}
        self.pulls.append(pull)
        return Response(status=201, content=pull)
