"""Claims in PostgreSQL's own words: it seeks in an index row by row only where a subquery is
LATERAL, and never for `IS NOT DISTINCT FROM`."""

# ruff: noqa: S608 - what is put into a statement here is a constant

from collections.abc import Mapping
from typing import Final

from gateway.store.sql import claims
from gateway.store.sql.rows import JOB

_WAITING: Final = """
waiting (project) AS (
    SELECT CASE WHEN :project <> '' THEN :project COLLATE "C" ELSE (
        SELECT project FROM tasks WHERE claimable_at IS NOT NULL ORDER BY project LIMIT 1) END
    UNION ALL
    SELECT (
        SELECT project FROM tasks
        WHERE claimable_at IS NOT NULL AND project > waiting.project ORDER BY project LIMIT 1)
    FROM waiting WHERE waiting.project IS NOT NULL AND :project = '')"""

_OFFERED: Final = """
jobs WHERE closed_at IS NULL AND leased_by IS NULL AND kind <> 'create'
  AND provider = {0}.provider AND realm = {0}.realm"""

_OFFERING: Final = f"""
served (provider, realm) AS (
    SELECT json_extract(value, '$[0]') COLLATE "C", json_extract(value, '$[1]') COLLATE "C"
    FROM json_each(:realms)),
offering (provider, realm, project) AS (
    SELECT provider, realm, CASE WHEN :project <> '' THEN :project COLLATE "C" ELSE (
        SELECT project FROM {_OFFERED.format("served")} ORDER BY project LIMIT 1) END
    FROM served
    UNION ALL
    SELECT provider, realm, (
        SELECT project FROM {_OFFERED.format("offering")} AND project > offering.project
        ORDER BY project LIMIT 1)
    FROM offering WHERE offering.project IS NOT NULL AND :project = '')"""

# The next one at a provider that is wanted, or the next that wants none.
_NEXT: Final = """(
        SELECT min(claimable_at) FROM tasks
        WHERE project = waiting.project AND {} AND is_behind = 0
          AND priority = level.priority AND claimable_at > :now)"""

_LEVELS: Final = "generate_series(0, 9) AS level (priority)"

# Of each priority as many as there may be; no place in the order of two is left to chance.
_CLAIMABLE: Final = f"""
        SELECT offered.project, offered.id, offered.priority, offered.claimable_at
        FROM tasks AS offered LEFT JOIN attempts AS attempt
            ON attempt.task_id = offered.id AND attempt.number = offered.attempt
        WHERE offered.project = waiting.value AND {{}} AND offered.is_behind = 0
          AND offered.priority = level.priority AND offered.claimable_at <= :now
          AND {claims.MAY_START}
        ORDER BY offered.claimable_at, offered.id LIMIT :each"""

_FIRST_OF_KEY: Final = """
        SELECT id FROM tasks
        WHERE project = :project AND concurrency_key = :key AND {}
          AND priority = level.priority AND claimable_at IS NOT NULL AND sandbox IS NULL
        ORDER BY claimable_at, id LIMIT :per_key"""

OWN: Final[Mapping[str, str]] = {
    claims.WAITING_PROJECTS: f"""WITH RECURSIVE {_WAITING}
SELECT waiting.project, coalesce(turn.served, 0), (SELECT max(served) FROM turns)
FROM waiting LEFT JOIN turns AS turn ON turn.project = waiting.project
WHERE waiting.project IS NOT NULL""",
    claims.JOBS_OFFERED: f"""WITH RECURSIVE {_OFFERING}
SELECT {JOB} FROM (
    SELECT oldest.*, row_number() OVER (
        PARTITION BY oldest.provider, oldest.realm, oldest.project
        ORDER BY oldest.not_before, oldest.id) AS place
    FROM offering CROSS JOIN LATERAL (
        SELECT * FROM {_OFFERED.format("offering")}
          AND project = offering.project AND not_before <= :now
        ORDER BY not_before, id LIMIT :limit) AS oldest) AS offered
ORDER BY place, not_before, id LIMIT :limit""",
    claims.CLAIMABLE: f"""
SELECT task.project, task.id, task.priority, task.claimable_at
FROM json_each(:projects) AS waiting CROSS JOIN json_each(:providers) AS wanted
CROSS JOIN LATERAL (
    SELECT first.* FROM {_LEVELS} CROSS JOIN LATERAL (
        ({_CLAIMABLE.format("offered.provider = wanted.value")})
        UNION ALL
        ({_CLAIMABLE.format("offered.provider IS NULL AND wanted.value IS NULL")})) AS first
    ORDER BY first.priority DESC, first.claimable_at, first.id LIMIT :each) AS task""",
    claims.NEXT_CLAIMABLE: f"""WITH RECURSIVE {_WAITING}, {_OFFERING}
SELECT min(at) FROM (
    SELECT least({_NEXT.format("provider = wanted.value")},
        {_NEXT.format("provider IS NULL AND wanted.value IS NULL")}) AS at
    FROM waiting CROSS JOIN json_each(:providers) AS wanted CROSS JOIN {_LEVELS}
    UNION ALL
    SELECT (
        SELECT min(not_before) FROM {_OFFERED.format("offering")}
          AND project = offering.project AND not_before > :now)
    FROM offering
    UNION ALL
    SELECT min(least(
        CASE WHEN until > :now THEN until END, CASE WHEN probe_at > :now THEN probe_at END))
    FROM pauses WHERE switch = 'launching' AND ended_at IS NULL) AS next""",
    claims.ADVANCE_KEYS: f"""
UPDATE tasks SET is_behind = 0
FROM {_LEVELS} CROSS JOIN LATERAL (
    ({_FIRST_OF_KEY.format("provider = :provider")})
    UNION ALL
    ({_FIRST_OF_KEY.format("provider IS NULL AND CAST(:provider AS TEXT) IS NULL")})) AS first
WHERE tasks.id = first.id AND tasks.is_behind = 1""",
}
