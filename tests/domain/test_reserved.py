"""The environment of a task: what would reach somebody else's keys is refused, the rest passes."""

import pytest

from gateway.domain.kernel.errors import ApiError
from gateway.domain.tasks.reserved_env import check_env

LOADED = """
PATH HOME SHELL LD_PRELOAD LD_AUDIT DYLD_INSERT_LIBRARIES GCONV_PATH LOCPATH GLIBC_TUNABLES ENV
BASH_ENV BASHOPTS SHELLOPTS PS4 IFS PROMPT_COMMAND ZDOTDIR PYTHONPATH PYTHONSTARTUP PYTHONHOME
NODE_OPTIONS NODE_PATH BUN_OPTIONS PERL5OPT PERL5LIB PERL5DB RUBYOPT RUBYLIB JAVA_TOOL_OPTIONS
_JAVA_OPTIONS JDK_JAVA_OPTIONS OPENSSL_CONF OPENSSL_MODULES OPENSSL_ENGINES GIT_SSH_COMMAND
GIT_CONFIG_COUNT GIT_EXEC_PATH GIT_ASKPASS SSH_ASKPASS PAGER XDG_CONFIG_HOME CLAUDE_CONFIG_DIR
CODEX_HOME AWS_CONFIG_FILE SLIPGATE_WEBHOOK_SECRET BASH_FUNC_git
"""
LED_ELSEWHERE = """
HTTP_PROXY https_proxy ALL_PROXY no_proxy npm_config_https_proxy SSL_CERT_FILE SSL_CERT_DIR
REQUESTS_CA_BUNDLE CURL_CA_BUNDLE AWS_CA_BUNDLE NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED
SSLKEYLOGFILE SSL_VERIFY HOSTALIASES RES_OPTIONS LOCALDOMAIN CURL_HOME NETRC GIT_SSL_NO_VERIFY
GRPC_DEFAULT_SSL_ROOTS_FILE_PATH
"""
ADDRESSES = {
    "OPENAI_API_KEY": "OPENAI_BASE_URL OPENAI_API_BASE openai_base_url OPENAI_CUSTOM_HEADERS",
    "ANTHROPIC_API_KEY": "ANTHROPIC_BASE_URL ANTHROPIC_API_BASE ANTHROPIC_CUSTOM_HEADERS",
    "OPENROUTER_API_KEY": "OPENROUTER_BASE_URL OPENROUTER_API_BASE",
    "AZURE_OPENAI_API_KEY": "AZURE_OPENAI_ENDPOINT AZURE_OPENAI_BASE_URL",
    "AZURE_API_KEY": "AZURE_API_BASE AZURE_AUTHORITY_HOST",
    "MISTRAL_API_KEY": "MISTRAL_API_BASE MISTRAL_AUDIO_BASE_URL",
    "GROQ_API_KEY": "GROQ_BASE_URL GROQ_API_BASE",
    "CO_API_KEY": "CO_API_URL",
    "HF_TOKEN": "HF_ENDPOINT HF_INFERENCE_ENDPOINT HUGGINGFACE_API_BASE",
    "OLLAMA_API_KEY": "OLLAMA_HOST OLLAMA_API_BASE",
    "DEEPSEEK_API_KEY": "DEEPSEEK_API_BASE",
    "LITELLM_PROXY_API_KEY": "LITELLM_PROXY_API_BASE",
    "ANTHROPIC_FOUNDRY_API_KEY": "ANTHROPIC_FOUNDRY_BASE_URL ANTHROPIC_FOUNDRY_RESOURCE",
    "AWS_SECRET_ACCESS_KEY": "AWS_ENDPOINT_URL AWS_ENDPOINT_URL_BEDROCK_RUNTIME "
    "ANTHROPIC_BEDROCK_BASE_URL AWS_BEDROCK_RUNTIME_ENDPOINT BEDROCK_API_BASE",
    "GITHUB_TOKEN": "GITHUB_API_URL GITHUB_SERVER_URL GITHUB_GRAPHQL_URL GITHUB_HOST GH_HOST "
    "GH_REPO",
    "SOMEBODY_API_KEY": "SOMEBODY_BASE_URL SOMEBODY_API_BASE SOMEBODY_API_ENDPOINT",
}
FREE = """
FEATURE_X NODE_ENV DATABASE_URL REDIS_URL PORT HOST CI DEBUG TZ LANG LC_ALL TERM NO_COLOR USER
NEXT_PUBLIC_API_URL VITE_API_URL API_URL SENTRY_DSN OPENAI_API_KEY ANTHROPIC_API_KEY GITHUB_TOKEN
ANTHROPIC_AUTH_TOKEN OPENAI_ORG_ID OPENAI_MODEL AWS_REGION GOOGLE_CLOUD_PROJECT PIP_INDEX_URL
UV_INDEX_URL NPM_CONFIG_REGISTRY npm_config_registry CARGO_REGISTRIES_ACME_INDEX GOPROXY GOFLAGS
MAVEN_OPTS GRADLE_OPTS BUNDLE_PATH RAILS_ENV DJANGO_SETTINGS_MODULE VIRTUAL_ENV NPM_TOKEN
SUPABASE_URL STRIPE_SECRET_KEY SMTP_HOST DOCKER_HOST MALLOC_ARENA_MAX NODE_AUTH_TOKEN
"""


def refusal(env: dict[str, str]) -> dict[str, str]:
    """By variable, why it is refused."""
    with pytest.raises(ApiError) as raised:
        check_env(env)
    assert raised.value.code == "reserved_env"
    errors = raised.value.errors
    return {error.path.removeprefix("$.env."): error.message for error in errors}


@pytest.mark.parametrize("name", [*LOADED.split(), *map(str.lower, ("NODE_OPTIONS", "LD_PRELOAD"))])
def test_nothing_is_loaded_into_our_programs(name: str) -> None:
    assert list(refusal({name: "x", "OK": "1"})) == [name]


@pytest.mark.parametrize("name", LED_ELSEWHERE.split())
def test_nothing_leads_our_connections_elsewhere(name: str) -> None:
    assert list(refusal({name: "x"})) == [name]


@pytest.mark.parametrize(
    ("key", "name"), [(key, name) for key, names in ADDRESSES.items() for name in names.split()]
)
def test_an_address_comes_with_the_callers_own_key(key: str, name: str) -> None:
    assert f"give {key} too" in refusal({name: "https://x.example"})[name]
    assert name in refusal({name: "https://x.example", key: ""})
    assert name in refusal({name: "https://x.example", key: " "})
    assert name in refusal({name: "https://x.example", "ELSE_API_KEY": "sk"})
    check_env({name: "https://x.example", key: "sk-own"})


def test_all_keys_that_a_library_tries_must_be_the_callers() -> None:
    env = {"GOOGLE_GEMINI_BASE_URL": "https://x.example", "GEMINI_API_KEY": "own"}
    assert "give GOOGLE_API_KEY too" in refusal(env)["GOOGLE_GEMINI_BASE_URL"]
    check_env({**env, "GOOGLE_API_KEY": "own"})


@pytest.mark.parametrize("name", FREE.split())
def test_what_is_the_callers_own_business_passes(name: str) -> None:
    check_env({name: "x"})


def test_each_refused_name_is_told_with_its_reason() -> None:
    told = refusal(
        {"LD_PRELOAD": "x", "http_proxy": "x", "GH_HOST": "x", "TASK_ID": "x", "OK": "x"}
    )
    assert list(told) == ["LD_PRELOAD", "http_proxy", "GH_HOST", "TASK_ID"]
    assert len(set(told.values())) == 4
