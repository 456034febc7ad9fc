-- What several rules share: the order of the verdicts, what reviewers' words mean, numbers, blank text.
-- Each signal of a record votes for a verdict; a null is no vote.

create or replace temp macro worst(votes VARCHAR[]) as case
    when list_contains(votes, 'rejected') then 'rejected'
    when list_contains(votes, 'needs_human_review') then 'needs_human_review'
    when list_contains(votes, 'partially_accepted') then 'partially_accepted'
    when list_contains(votes, 'accepted') then 'accepted'
    else 'needs_human_review'
end;

create or replace temp macro review_word(word VARCHAR) as case
    when word in ('accept', 'approve', 'pass') then 'accepted'
    when word in ('cycle', 'revise') then 'partially_accepted'
    when word in ('reject', 'fail') then 'rejected'
    when word is not null then 'needs_human_review'
end;

create or replace temp macro present(field JSON) as coalesce(json_type(field), 'NULL') <> 'NULL';

-- A JSON value as a number; null where it is none.
create or replace temp macro number(field JSON) as case
    when json_type(field) in ('UBIGINT', 'BIGINT', 'DOUBLE') then field::DOUBLE
end;

-- The vote of a field that is there and is no number between two others. Counts and times go up to 15 digits.
create or replace temp macro unless_between(field JSON, low DOUBLE, high DOUBLE) as case
    when present(field) and not coalesce(number(field) between low and high, false) then 'needs_human_review'
end;
create or replace temp macro unless_count(field JSON) as unless_between(field, 0, 999999999999999);

-- The digits of a marker as a number; null where they are none.
create or replace temp macro digits(written VARCHAR) as case
    when regexp_full_match(written, '[0-9]{1,15}') then written::BIGINT
end;

-- What follows a prefix in those markers that have it.
create or replace temp macro marked(markers VARCHAR[], prefix VARCHAR) as list_transform(
    list_filter(markers, lambda marker: starts_with(marker, prefix)),
    lambda marker: substr(marker, length(prefix) + 1));

-- White space is what Unicode says it is; RE2's \s knows only ASCII's, without the vertical tab.
create or replace temp macro blank(body VARCHAR) as not regexp_matches(
    coalesce(body, ''), '[^\s\x{0b}\x{1c}-\x{1f}\x{85}\p{Z}]');

-- A review by its words; one whose reviewer is not sure counts less.
create or replace temp macro reviewed(said VARCHAR[], confidence JSON) as worst([
    worst(list_transform(said, lambda word: review_word(word))),
    unless_between(confidence, 0, 1),
    case when number(confidence) < 0.5 then 'partially_accepted' end]);
