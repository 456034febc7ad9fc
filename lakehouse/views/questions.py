"""The views that answer questions people have, made of the views over files.

Here: their SQL, which names no file. Not here: the files (`logs.py`).
"""

from __future__ import annotations

from typing import Final

from lakehouse.views.view import View

_DAY: Final = "make_timestamp(epoch_us(try_cast(timestamp AS TIMESTAMPTZ)))::DATE"
_FIRST_SHOT: Final = "coalesce(verdict = 'accepted' AND len(attempts) = 1, false)"

_ATTEMPTS: Final = """
SELECT session_id, timestamp, daemon, kind, provider, model, verdict AS session_verdict,
    attempt.iteration, attempt.verdict, attempt.error, attempt.latency_ms, attempt.prompt_tokens, attempt.completion_tokens
FROM (SELECT *, unnest(attempts) AS attempt FROM sessions)
"""

_FIRST_SHOT_RATE: Final = f"""
SELECT provider, model, counted AS sessions, first_shot, round(first_shot / nullif(counted, 0), 4) AS rate, infra_errors
FROM (
    SELECT provider, model, count(*) FILTER (verdict <> 'infra_error') AS counted,
        count(*) FILTER ({_FIRST_SHOT}) AS first_shot,
        count(*) FILTER (verdict = 'infra_error') AS infra_errors
    FROM sessions GROUP BY provider, model
)
"""  # noqa: S608 - made of constants

_REJECTED: Final = """
SELECT * FROM (
    SELECT session_id, timestamp, kind, provider, model, verdict, iterations,
        list_max(list_transform(string_split(array_to_string(list_transform(attempts,
            lambda one: if(one.verdict IN ('no_json', 'validation_failed'), 'x', '-')), ''), '-'),
            lambda run: length(run))) AS rejected_running
    FROM sessions
) WHERE rejected_running >= 3
"""

_NOT_GROUNDED: Final = """
SELECT session_id, timestamp, daemon, provider, model, grounded_in_roster, artifact, file, entry
FROM sessions WHERE kind = 'fill' AND verdict = 'accepted' AND grounded_in_roster IS NOT true
"""

_BY_DAY: Final = f"""
SELECT {_DAY} AS day, count(*) AS sessions,
    count(*) FILTER (verdict = 'accepted') AS accepted,
    count(*) FILTER ({_FIRST_SHOT}) AS first_shot,
    count(*) FILTER (verdict = 'max_iter_exhausted') AS exhausted,
    count(*) FILTER (verdict = 'infra_error') AS infra_errors,
    sum(len(attempts))::BIGINT AS attempts
FROM sessions GROUP BY ALL
"""  # noqa: S608 - made of constants

# What was wrong is written as a list of tagged errors, as one of them, or in words; older ones say {"Kind", "Field", "Reason"}.
_ERRORS: Final = """
SELECT session_id, timestamp, kind, provider, model, iteration, tag, field, reason,
    regexp_replace(regexp_replace(reason, '''[^'']*''|"[^"]*"', '"…"', 'g'), '[0-9]+', '#', 'g') AS pattern
FROM (
    SELECT *, CASE WHEN verdict = 'no_json' THEN 'no_json'
            ELSE lower(coalesce(one->>'$.Kind', json_keys(one)[1], 'other')) END AS tag,
        coalesce(one->>'$.Field', json_extract(one, '$.*')[1]->>'$.field') AS field,
        coalesce(one->>'$.Reason', json_extract(one, '$.*')[1]->>'$.reason', error) AS reason
    FROM (
        SELECT *, unnest(CASE json_type(told) WHEN 'ARRAY' THEN json_extract(told, '$[*]') WHEN 'OBJECT' THEN [told]
            ELSE [NULL::JSON] END) AS one
        FROM (SELECT *, try_cast(error AS JSON) AS told FROM session_attempts
            WHERE verdict IN ('no_json', 'validation_failed'))
    )
)
"""

_AGREEMENT: Final = """
SELECT session_id, replay_runs.run_id, replay_runs.task, sessions.model AS session_model, sessions.verdict AS session_verdict,
    replay_runs.model AS replay_model, replay_runs.validation.ok AS replay_ok, replay_runs.escalated,
    (sessions.verdict = 'accepted') = replay_runs.validation.ok AS agree
FROM sessions JOIN replay_runs USING (session_id)
"""


def _constant(name: str, says: str, query: str) -> View:
    said = " ".join(line.strip() for line in query.strip().splitlines())
    return View(name, says, lambda _: said)


VIEWS: Final = (
    _constant("session_attempts", "The attempts of the sessions, one row each.", _ATTEMPTS),
    _constant(
        "first_shot_rate",
        "How often each model was accepted at its first attempt; sessions that ended in infra_error are not counted in.",
        _FIRST_SHOT_RATE,
    ),
    _constant(
        "rejected_three_times_running",
        "Sessions with three or more attempts in a row that were no JSON or not valid.",
        _REJECTED,
    ),
    _constant(
        "accepted_not_grounded",
        "Accepted fills that are not known to be grounded in the roster: must be empty.",
        _NOT_GROUNDED,
    ),
    _constant("sessions_by_day", "How the sessions of each day (UTC) ended.", _BY_DAY),
    _constant(
        "validation_errors",
        "What was wrong with the attempts, one row for each error; `pattern` is the reason without numbers and quotations.",
        _ERRORS,
    ),
    _constant("replay_agreement", "Sessions and the replays of the same session_id: did both end well?", _AGREEMENT),
)
