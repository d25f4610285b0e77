"""The columns in which secrets are sealed, and how each is read and sealed anew."""

from collections.abc import Callable
from typing import Final

from gateway.domain.kernel.sealing import (
    callback_secret_context,
    callback_url_context,
    endpoint_headers_context,
    endpoint_url_context,
    env_context,
    signing_secret_context,
)
from gateway.domain.tasks.task import Frozen

ONE_ENV: Final = """
SELECT task_id, env FROM task_secrets
WHERE env IS NOT NULL AND key_id = :key_id LIMIT 1"""

OLD_ENV: Final = """
SELECT task_id, key_id, env FROM task_secrets
WHERE env IS NOT NULL AND key_id <> :current AND task_id > :after
ORDER BY task_id LIMIT :limit"""

RESEAL_ENV: Final = """
UPDATE task_secrets SET env = :box, key_id = :key_id WHERE task_id = :owner AND env = :before"""

ONE_CALLBACK_URL: Final = """
SELECT task_id, callback_url FROM task_secrets
WHERE callback_url IS NOT NULL AND callback_key_id = :key_id LIMIT 1"""

OLD_CALLBACK_URL: Final = """
SELECT task_id, callback_key_id, callback_url FROM task_secrets
WHERE callback_url IS NOT NULL AND callback_key_id <> :current AND task_id > :after
ORDER BY task_id LIMIT :limit"""

RESEAL_CALLBACK_URL: Final = """
UPDATE task_secrets SET callback_url = :box, callback_key_id = :key_id
WHERE task_id = :owner AND callback_url = :before"""

ONE_PROJECTS: Final = """
SELECT name, callback_secret FROM projects
WHERE key_id = :key_id AND length(callback_secret) > 0 LIMIT 1"""

OLD_PROJECTS: Final = """
SELECT name, key_id, callback_secret FROM projects
WHERE key_id <> :current AND length(callback_secret) > 0 AND name > :after
ORDER BY name LIMIT :limit"""

RESEAL_PROJECT: Final = """
UPDATE projects SET callback_secret = :box, key_id = :key_id
WHERE name = :owner AND callback_secret = :before"""

ONE_SIGNING_SECRETS: Final = """
SELECT id, secret FROM signing_secrets
WHERE key_id = :key_id LIMIT 1"""

OLD_SIGNING_SECRETS: Final = """
SELECT id, key_id, secret FROM signing_secrets
WHERE key_id <> :current AND id > :after ORDER BY id LIMIT :limit"""

RESEAL_SIGNING_SECRETS: Final = """
UPDATE signing_secrets SET secret = :box, key_id = :key_id
WHERE id = :owner AND secret = :before"""

ONE_ENDPOINT_URL: Final = """
SELECT id, url FROM endpoints
WHERE url IS NOT NULL AND url_key_id = :key_id LIMIT 1"""

OLD_ENDPOINT_URL: Final = """
SELECT id, url_key_id, url FROM endpoints
WHERE url IS NOT NULL AND url_key_id <> :current AND id > :after ORDER BY id LIMIT :limit"""

RESEAL_ENDPOINT_URL: Final = """
UPDATE endpoints SET url = :box, url_key_id = :key_id WHERE id = :owner AND url = :before"""

ONE_ENDPOINT_HEADERS: Final = """
SELECT id, headers FROM endpoints
WHERE headers IS NOT NULL AND headers_key_id = :key_id LIMIT 1"""

OLD_ENDPOINT_HEADERS: Final = """
SELECT id, headers_key_id, headers FROM endpoints
WHERE headers IS NOT NULL AND headers_key_id <> :current AND id > :after
ORDER BY id LIMIT :limit"""

RESEAL_ENDPOINT_HEADERS: Final = """
UPDATE endpoints SET headers = :box, headers_key_id = :key_id
WHERE id = :owner AND headers = :before"""


class Kind(Frozen, frozen=True, kw_only=True):
    """A column of sealed values."""

    name: str
    context: Callable[[str], str]
    sample: str
    """A value that is sealed with a key."""
    old: str
    """The values behind an owner that are not sealed with the current key."""
    replace: str
    """Replaces a value that has not changed meanwhile."""


KINDS: Final = (
    Kind(name="env", context=env_context, sample=ONE_ENV, old=OLD_ENV, replace=RESEAL_ENV),
    Kind(
        name="callback addresses",
        context=callback_url_context,
        sample=ONE_CALLBACK_URL,
        old=OLD_CALLBACK_URL,
        replace=RESEAL_CALLBACK_URL,
    ),
    Kind(
        name="callback secrets",
        context=callback_secret_context,
        sample=ONE_PROJECTS,
        old=OLD_PROJECTS,
        replace=RESEAL_PROJECT,
    ),
    Kind(
        name="signing secrets",
        context=signing_secret_context,
        sample=ONE_SIGNING_SECRETS,
        old=OLD_SIGNING_SECRETS,
        replace=RESEAL_SIGNING_SECRETS,
    ),
    Kind(
        name="endpoint addresses",
        context=endpoint_url_context,
        sample=ONE_ENDPOINT_URL,
        old=OLD_ENDPOINT_URL,
        replace=RESEAL_ENDPOINT_URL,
    ),
    Kind(
        name="endpoint headers",
        context=endpoint_headers_context,
        sample=ONE_ENDPOINT_HEADERS,
        old=OLD_ENDPOINT_HEADERS,
        replace=RESEAL_ENDPOINT_HEADERS,
    ),
)
