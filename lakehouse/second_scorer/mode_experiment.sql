-- A mode of prompting: whether it worked, how long it took, whether it found anything in the corpora that it asked.
select *, retrieved_context.chunks_kept as chunks_kept, len(retrieved_context.corpora) as corpora,
    worst([
        case
            when list_contains(markers, 'not_ok') then 'rejected'
            when list_contains(markers, 'ok') then 'accepted'
            else 'needs_human_review'
        end,
        case when blank(text) then 'rejected' end,
        unless_count(latency_ms),
        unless_count(chunks_kept),
        case when number(latency_ms) > 60000 then 'partially_accepted' end,
        case when number(chunks_kept) = 0 and corpora > 0 then 'partially_accepted' end]) as verdict
from evidence
