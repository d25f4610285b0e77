"""Reserved names in a task's `env`, by their effect.

A sandbox may hold keys that are not the caller's. No variable of a task may load code into the
programs that hold them, redirect their connections, or choose where keys are sent. Variables that
only package managers or the task's own programs read are allowed.
"""

import re
from collections.abc import Mapping
from typing import Final

from gateway.domain.kernel.errors import ApiError
from gateway.wire.problem import FieldError
from gateway.wire.service_address import keys_of, service_of

COMPUTED: Final = frozenset(
    {
        "TARGET_REPO",
        "BASE_BRANCH",
        "BRANCH_NAME",
        "TASK_ID",
        "AGENT_PROMPT",
        "MODEL_PROVIDER",
        "MODEL",
        "WEBHOOK_URL",
        "KEEP_ALIVE",
        "WORKSPACE_ID",
    }
)
"""Variables that the gateway sets itself."""
_OURS: Final = re.compile(r"SLIPGATE_.*")
# Sources: ld.so(8) and glibc's unsecvars.h, the list of sudo(8), the manuals of bash, Node.js, git,
# curl, OpenSSL, Python's ssl, and of the agents that an engine may be.
_LOADING: Final = re.compile(
    r"PATH|HOME|SHELL|LD_.*|DYLD_.*|_RLD.*|GCONV_PATH|GETCONF_DIR|GLIBC_TUNABLES|LOCPATH|NLSPATH"
    r"|MALLOC_TRACE|NIS_PATH|TZDIR|TERMINFO|TERMINFO_DIRS|TERMPATH|TERMCAP"
    r"|ENV|BASH_ENV|BASHOPTS|SHELLOPTS|BASH_FUNC_.*|BASH_LOADABLES_PATH|PS4|PROMPT_COMMAND|IFS"
    r"|CDPATH|GLOBIGNORE|FPATH|NULLCMD|READNULLCMD|ZDOTDIR|TMPPREFIX"
    r"|PYTHON.*|NODE_OPTIONS|NODE_PATH|NODE_REPL_.*|NODE_ICU_DATA|NODE_PRESERVE_SYMLINKS.*"
    r"|BUN_OPTIONS|BUN_CONFIG_.*|PERL5.*|PERLLIB|PERLIO.*|PERL_.*|RUBYOPT|RUBYLIB|RUBYSHELL"
    r"|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|DOTNET_STARTUP_HOOKS|CORECLR_.*|LUA_INIT.*"
    r"|PHPRC|PHP_INI_SCAN_DIR|OPENSSL_.*|GIT_.*|SSH_.*|SUDO_ASKPASS|PAGER|EDITOR|VISUAL"
    r"|LESSOPEN|LESSCLOSE|GH_PAGER|GH_EDITOR|GH_BROWSER|GH_CONFIG_DIR|XDG_CONFIG_.*|XDG_DATA_.*"
    r"|CLAUDE_CONFIG_DIR|CODEX_HOME|OPENCODE_CONFIG.*|AWS_CONFIG_FILE|AWS_SHARED_CREDENTIALS_FILE"
)
_REDIRECTING: Final = re.compile(
    r".*_PROXY|SSL_CERT_FILE|SSL_CERT_DIR|SSLKEYLOGFILE|.*_CA_BUNDLE|.*_CA_CERTS?|.*_SSL_NO_VERIFY"
    r"|SSL_VERIFY|SSL_CERTIFICATE|NODE_TLS_REJECT_UNAUTHORIZED|NODE_USE_.*|DENO_CERT"
    r"|DENO_TLS_CA_STORE|GRPC_DEFAULT_SSL_ROOTS_FILE_PATH|HOSTALIASES|LOCALDOMAIN|RES_OPTIONS"
    r"|RESOLV_.*|CURL_HOME|WGETRC|NETRC|AWS_CONTAINER_CREDENTIALS_.*"
)


def check_env(env: Mapping[str, str]) -> None:
    """Checks the environment of a task.

    Raises:
        ApiError: `reserved_env`, naming every variable and the reason.
    """
    own = frozenset(name for name, value in env.items() if value.strip())
    errors = [
        FieldError(path=f"$.env.{name}", message=reason)
        for name in env
        if (reason := _objection(name, own))
    ]
    if errors:
        raise ApiError(
            "reserved_env",
            f"{errors[0].path}: {errors[0].message}.",
            hint="Leave these variables out, or give the service's own key with its address.",
            errors=tuple(errors),
        )


def _objection(name: str, own: frozenset[str]) -> str | None:
    # Some programs read these names in any case.
    upper = name.upper()
    if name in COMPUTED or _OURS.fullmatch(upper):
        return "the gateway sets this variable itself"
    if _LOADING.fullmatch(upper):
        return "this variable would change how programs in the sandbox run"
    if _REDIRECTING.fullmatch(upper):
        return "this variable would lead connections of programs in the sandbox elsewhere"
    service = service_of(upper)
    missing = [key for key in keys_of(service) if key not in own] if service else []
    if missing:
        needed = " and ".join(missing)
        return f"nobody's key is sent to an address somebody else chose: give {needed} too"
    return None
