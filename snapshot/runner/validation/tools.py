"""Names of test tools, wrappers and programs in the commands of a repository."""

import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Final

COMMAND_CHARACTERS: Final = 500
"""Of a simple command, which are enough to know it."""
_RUNNER: Final = (
    r"(?:(?:poetry|pdm|hatch|uv|pipenv|rye|pixi) run (?:--?[\w=-]+ )*|bundle exec "
    r"|npx (?:--?[\w=-]+ )*|(?:pnpm|yarn|bun) (?:exec |x )?|bunx |python3? -m "
    r"|coverage run (?:--?[\w=.-]+ )*(?:-m )?"
    r"|(?:\./)?(?:node_modules/\.bin|vendor/bin|bin)/)*"
)
_DIRECT: Final = (
    r"(?:pytest|py\.test|unittest|nose2|vitest|jest|mocha|ava|jasmine|rspec|phpunit|pest|ctest"
    r"|gotestsum|go test|cargo (?:\+\S+ )?(?:test|nextest run)|node --test|bun test|deno test"
    r"|dotnet test|mix test|swift test|dart test|flutter test|prove|rails test|minitest"
    r"|bats|busted|meson test"
    r"|(?:python3? )?(?:\S*/)?manage\.py test)\b"
)
_END: Final = r"(?!\w|[:-](?:lint|types?|typecheck|format|fmt|style|docs?|build|perf|bench\w*)\b)"
"""The end of a name that is not for style, types or pages alone."""
_SCRIPT: Final = rf"tests?{_END}"
_OTHER_ENVIRONMENT: Final = r"(?!['\"]?(?:py\d|py\b|pypy|\d|tests?(?!-?lint)|unit))"
_CHOICE: Final = r"(?:(?! -- ).)* "
"""The words before an option of tox or nox itself."""
_WRAPPED: Final = (
    rf"(?:(?:npm|pnpm|yarn|bun)(?: --?[\w=/.-]+)* (?:run )?(?:t\b|{_SCRIPT})"
    rf"|tox\b(?!{_CHOICE}(?:-[efm][= ]?+|--(?:env|label)s?[= ]){_OTHER_ENVIRONMENT})"
    rf"|nox\b(?!{_CHOICE}(?:-[estm][= ]?+|--(?:session|tag)s?[= ]){_OTHER_ENVIRONMENT})"
    rf"|hatch test\b|hatch run (?:[\w.-]+:)?{_SCRIPT}(?!:)"
    r"|(?:\./mvnw|mvn)\b.* (?:test|verify|package|install)\b"
    r"|(?:\./gradlew|gradle)\b.* (?:test|check|build)\b"
    rf"|(?:rake|just|make) (?:tests?|check){_END}"
    rf"|composer (?:run )?{_SCRIPT}|sbt .*\btest\b|lein test\b)"
)
_SKIPPING: Final = re.compile(
    r"-D(?:skipTests|maven\.test\.skip)(?:=true)?(?![\w=.])"
    r"|(?:-x|--exclude-task)[ =]?:?(?:\w+:)*(?:test|check)\b"
    r"|(?:mvnw?|gradlew?)\b.* (?:site|deploy|publish)\b"
    r"|cargo (?:\+\S+ )?(?:test|nextest run) (?!-)|\bgo test\b.* -run\b"
)
"""Options with which maven and gradle run no tests, goals that are for more than tests, and names
of single tests."""
_ELSEWHERE: Final = re.compile(rf"\b(?:TOXENV|NOXSESSION)={_OTHER_ENVIRONMENT}")
"""The choice of an environment of tox or nox that is none for tests."""
_NEGATED: Final = re.compile(r"(?:^|[;&|\n])\s*!\s")
"""A command that has to fail."""
_TEST: Final = re.compile(rf"{_RUNNER}(?:{_DIRECT}|{_WRAPPED})")
_DIRECT_TEST: Final = re.compile(rf"{_RUNNER}{_DIRECT}")
_BUILDER: Final = re.compile(r"(?:(?:\./|sh )?(?:mvnw|gradlew)|mvn|gradle)\b")
_NAMED: Final = re.compile(r"(?:make|just|composer|npm|pnpm|yarn|bun)(?: run)? (?:t|tests?)\b")
_UNTESTED: Final = re.compile(
    rf"{_RUNNER}(?:go (?:build|vet|fmt|generate|mod|install|get)|gofmt|goimports|golangci-lint"
    r"|staticcheck|cargo (?:build|check|clippy|fmt|doc|fetch)|tsc|vue-tsc|eslint|prettier|standard"
    r"|(?:npm|pnpm|yarn|bun) (?:ci|i|install)|semistandard|xo|biome|rollup|webpack|vite build"
    r"|esbuild|tsup|babel|rimraf|ruff|black|isort|flake8|pylint|mypy|pyright|pip3? install|build"
    r"|compileall|gcc|cc|g\+\+|c\+\+|shellcheck|codespell|markdownlint\S*|rubocop|phpstan|psalm"
    r"|dotnet (?:build|restore|format)|php-cs-fixer|phpcs|composer (?:install|validate)"
    r"|mix (?:format|compile|deps\S*)|mvn .*\bcompile|git)(?![\w./-])"
)
"""Compilers, linters and installers."""
_PREFIX: Final = re.compile(
    r"[A-Za-z_]\w*=\S*[ \t]+|(?:do|then|else|if|elif|while|until|time|exec|env|command|nice)[ \t]+"
)
"""Variables, and keywords before a command."""
_SPLIT: Final = re.compile(r"&&|\|\||[;\n|]")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


TRIVIAL: Final = _names(
    "echo printf true : exit cd pushd popd sleep ls pwd date cat mkdir rm cp touch test [ [["
    " set unset export fi done for clear wait"
)
"""Commands that test nothing."""
KNOWN: Final = _names(
    "go cargo rustc npm npx node pnpm yarn bun bunx deno mvn gradle java javac bundle rake"
    " rspec ruby gem php composer phpunit dotnet mix elixir tox nox poetry pdm hatch uv uvx"
    " pipenv pytest just cmake ctest meson ninja docker docker-compose podman gotestsum"
    " golangci-lint pre-commit swift dart flutter coverage python python3 ruff mypy flake8 gcc"
    " g++ cc c++ clang clang++ sbt lein perl prove helm terraform protoc buf shellcheck zig ghc"
    " cabal stack julia Rscript cargo-nextest jq yq bats busted luacheck cpanm asciidoctor"
)
"""Programs that are not a part of every system."""


def is_test(line: str, environ: Iterable[tuple[str, str]] = ()) -> bool:
    """True if a simple command of the line runs a known test tool, perhaps by a wrapper."""
    commands = simple_commands(line)
    chosen = (line, *(f"{name}={value}" for name, value in environ))
    is_left_out = any(map(_ELSEWHERE.search, chosen)) or _NEGATED.search(line)
    return not is_left_out and any(
        _TEST.match(each) and not _SKIPPING.search(each) for each in commands
    )


def _is_direct_test(line: str) -> bool:
    """True if one of them is a test tool itself, which says how many tests ran."""
    return any(_DIRECT_TEST.match(each) for each in simple_commands(line))


def is_counted(line: str) -> bool:
    """True if one of them is a test tool, or a build tool that counts the tests it runs."""
    return _is_direct_test(line) or any(_BUILDER.match(each) for each in simple_commands(line))


def is_named_test(line: str) -> bool:
    """True if the line's own words say that it tests: by a test tool, or a script of that name."""
    return _is_direct_test(line) or any(_NAMED.match(each) for each in simple_commands(line))


def is_trivial(script: str) -> bool:
    """True if nothing in the script does any work."""
    return all(_first(each) in TRIVIAL for each in simple_commands(script))


def is_untested(script: str) -> bool:
    """True if the script only builds, checks its style, or does nothing."""
    commands = simple_commands(script)
    return all(_first(each) in TRIVIAL or _UNTESTED.match(each) for each in commands)


def programs(script: str) -> Iterator[str]:
    """Known programs that the script calls by name, in order."""
    for each in simple_commands(script):
        first = _first(each)
        if first in KNOWN:
            yield first


def simple_commands(script: str) -> Iterator[str]:
    """Commands without their variables; none for comments and for make's own lines."""
    joined = script.replace("\\\n", " ")
    for piece in _SPLIT.split(joined):
        each = piece.strip()[:COMMAND_CHARACTERS].lstrip("@-+({! \t")
        while found := _PREFIX.match(each):
            each = each[found.end() :]
        if each and not each.startswith(("#", "make:", "make[")):
            yield " ".join(each.split())


def _first(command: str) -> str:
    try:
        return next(iter(shlex.split(command, comments=True)), "")
    except ValueError:
        return command.split(maxsplit=1)[0]
