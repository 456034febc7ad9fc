-- A run: the share of its events that went well, its reward, whether it passed, a verdict in words.
select *,
    metadata -> '$.reward' as reward, metadata -> '$.passed' as passed, metadata -> '$.verdict' as word,
    list_transform(
        list_transform(marked(markers, 'events_ok:'), lambda counts: {
            ok: digits(regexp_extract(counts, '^(.*?)/(.*)$', 1)), total: digits(regexp_extract(counts, '^(.*?)/(.*)$', 2))}),
        lambda events: case
            when not coalesce(events.total > 0 and events.ok <= events.total, false) then 'needs_human_review'
            when events.ok = events.total then 'accepted'
            when 2 * events.ok >= events.total then 'partially_accepted'
            else 'rejected'
        end) as by_events,
    case
        when unless_between(reward, 0, 1) is not null then 'needs_human_review'
        when number(reward) = 1 then 'accepted'
        when number(reward) >= 0.5 then 'partially_accepted'
        when number(reward) < 0.5 then 'rejected'
    end as by_reward,
    case
        when json_type(passed) = 'BOOLEAN' then case when passed::BOOLEAN then 'accepted' else 'rejected' end
        when present(passed) then 'needs_human_review'
    end as by_passing,
    case
        when json_type(word) = 'VARCHAR' then review_word(word ->> '$')
        when present(word) then 'needs_human_review'
    end as by_word,
    list_transform(said, lambda one: review_word(one)) as by_observer,
    worst(list_concat(by_events, [by_reward, by_passing, by_word], by_observer)) as verdict
from evidence
