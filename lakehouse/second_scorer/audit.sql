-- A phase audit: the legacy word, the severity, or both.
select *,
    worst(list_concat(
        list_transform(marked(markers, 'overall:'), lambda word: case word
            when 'approve' then 'accepted'
            when 'request_changes' then 'partially_accepted'
            when 'block' then 'rejected'
            else 'needs_human_review'
        end),
        list_transform(marked(markers, 'severity:'), lambda severity: case
            when severity in ('none', 'info', 'low') then 'accepted'
            when severity = 'medium' then 'partially_accepted'
            when severity in ('high', 'critical', 'blocker') then 'rejected'
            else 'needs_human_review'
        end))) as verdict
from evidence
