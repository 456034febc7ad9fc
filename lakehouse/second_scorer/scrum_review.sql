-- A file review: on which attempt the file was accepted, if ever.
select *, marked(markers, 'accepted_on_attempt_') as attempts,
    metadata -> '$.attempts_made' as attempts_made,
    worst(list_concat(
        case
            when len(attempts) > 0 then list_transform(attempts, lambda attempt: case digits(attempt)
                when 1 then 'accepted'
                when 2 then 'partially_accepted'
                when 3 then 'partially_accepted'
                else 'needs_human_review'
            end)
            when unless_count(attempts_made) is null and number(attempts_made) >= 3 then ['rejected']
            else ['needs_human_review']
        end,
        [unless_count(attempts_made), unless_between(observer_confidence, 0, 1)])) as verdict
from evidence
