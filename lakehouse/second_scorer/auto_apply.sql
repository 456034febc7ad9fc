-- A patch tried automatically: what was done with it, and whether the build was red.
select *, worst(list_transform(
        list_filter(markers, lambda marker: marker not in ('build_green', 'build_red')),
        lambda action: case
            when action = 'committed' then case when red then 'rejected' else 'accepted' end
            when ends_with(action, '_reverted') then 'rejected'
            when action in ('dry_run', 'partial') then 'partially_accepted'
            else 'needs_human_review'
        end)) as verdict
from (select *, list_contains(markers, 'build_red') as red from evidence)
