"""Telling a worker's resume in the words of a person.

Here: openings, middles and endings in many phrasings, and putting them together by chance. Not here: what the trades are
(`trades.py`). `{holes}` are filled from the worker; every opening names the role and the place, later sentences
may call the trade by `{other}` words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Final, TypeVar

from lakehouse.roster.trades import Trade

T = TypeVar("T")
Chance = Callable[[], float]

OPENINGS: Final = (
    "{role} with {years} on the job, based in {city}, {state}.",
    "I have been {a_role} in {city}, {state} for {years} now.",
    "{years} as {a_role}. I live in {part}, {city} {state}, and have my own car.",
    "Dependable {role} out of {city}, {state}. {years}, never a no-show.",
    "Looking for steady work as {a_role} around {city}, {state}; {years} behind me.",
    "Started as a temp in {city}, {state} and grew into {a_role}. That was {years} ago.",
    "Hi, I'm {first}. I work as {a_role} here in {city} {state}.",
    "{role}, {city} {state}. Most of my {years} of work were with staffing agencies.",
    "Objective: full-time {role} position in the {city} {state} area.",
    "My last three jobs in {city}, {state} were all as {a_role}.",
    "{first} is {a_role} from {part} in {city} ({state}) with {years} of experience.",
    "Work history: {role}, {years}, {city} {state} and nearby.",
    "Moved to {city} {state} some years back and have worked as {a_role} ever since.",
    "People in {city} ({state}) know me as {a_role} who shows up early.",
)

NEWCOMERS: Final = (
    "New to the trade: finished training as {a_role} in {city}, {state} this year.",
    "Entry-level {role} in {city} {state}, eager to learn.",
    "First year as {a_role}. I live in {city}, {state} and can start at once.",
    "Career changer, now {a_role} in {city} ({state}); under a year in, good references.",
)

WORK: Final = (
    "Most days were {task} and {task2}.",
    "At {employer} I spent my time {task}, and when it was slow, {task2}.",
    "Began with {task}; lately more {task2}.",
    "Good at {task}. Also {task2}.",
    "Duties: {task}, {task2}.",
    "My last supervisor at {employer} trusted me with {task} and {task2}.",
    "What I like most is {task}, but I don't mind {task2}.",
    "{Task}, {task2}: I have done it on every shift there is.",
    "Before that, {employer}: {task}.",
    "{employer} hired me as {an_other}: {task}, mainly.",
    "On the last contract my badge said {other}, and the work was {task} and {task2}.",
    "Three summers {task}, then a longer contract {task2}.",
)
SKILLS: Final = (
    "Comfortable with {skill}, {skill2} and {skill3}.",
    "Skilled in {skill} and {skill2}.",
    "I know {skill}, {skill2}, {skill3}.",
    "Strong on {skill}; getting better at {skill2}.",
    "Tools of the trade: {skill}, {skill2}, {skill3}.",
    "You won't have to teach me {skill} or {skill2}.",
    "Experience includes {skill}, {skill2} and some {skill3}.",
    "Trained others on {skill}.",
)
CERTIFIED: Final = (
    "I hold {certs}.",
    "{certs} up to date.",
    "Certified: {certs}.",
    "Cards in my wallet: {certs}.",
    "Renewed {certs} last year.",
    "Paperwork is in order ({certs}).",
)
UNCERTIFIED: Final = (
    "No certificates yet, but willing to train.",
    "Would like to get {wish}.",
    "Working toward {wish}.",
    "Ask my references.",
)
ENDINGS: Final = (
    "Available for {shift} shift.",
    "Prefer {shift} shift, overtime welcome.",
    "Can do {shift} shift, weekends by arrangement.",
    "Steel toes ready, can start Monday.",
    "I can lift 50 pounds and stand all day.",
    "References from {employer} on request.",
    "Reliable ride, anywhere within 20 miles of {city}.",
    "Clean background, drug screen no problem.",
    "Some Spanish, enough to get along with the crew.",
    "Zero lost-time accidents so far.",
    "Bus line to {part} works best for me.",
    "",
)


def one(chance: Chance, options: Sequence[T]) -> T:
    """Give one of the options."""
    return options[int(chance() * len(options))]


def some(chance: Chance, options: Sequence[T], count: int) -> list[T]:
    """Give `count` different options (all of them where there are no more) in random order."""
    rest = list(options)
    return [rest.pop(int(chance() * len(rest))) for _ in range(min(count, len(rest)))]


def resume(
    chance: Chance, trade: Trade, worker: Mapping[str, object], skills: Sequence[str], certs: Sequence[str]
) -> str:
    """Tell a resume of four to seven sentences.

    `worker` fills `first, city, state, part, years, shift, employer`; `skills` are at least three.
    """
    role = trade.role if chance() < 0.5 else _in_prose(trade.role)
    other, (task, task2) = one(chance, trade.also), some(chance, trade.tasks, 2)
    words = {
        **worker,
        "years": "1 year" if worker["years"] == 1 else f"{worker['years']} years",
        "role": role,
        "a_role": _with_article(role),
        "other": other,
        "an_other": _with_article(other),
        "task": task,
        "task2": task2,
        "Task": task[0].upper() + task[1:],
        "skill": skills[0],
        "skill2": skills[1],
        "skill3": skills[2],
        "certs": _listed(certs),
        "wish": trade.certs[0],
    }
    told = [one(chance, OPENINGS if worker["years"] else NEWCOMERS), one(chance, SKILLS)]
    told += some(chance, WORK, 1)
    if chance() < 0.7:
        told.append(one(chance, CERTIFIED if certs else UNCERTIFIED))
    told += some(chance, ENDINGS, 1 + int(chance() * 2))
    sentences = [sentence.format_map(words) for sentence in told]
    if chance() < 0.4:
        sentences[1], sentences[2] = sentences[2], sentences[1]
    return " ".join([sentence[0].upper() + sentence[1:] for sentence in sentences if sentence])


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


@cache
def _in_prose(role: str) -> str:
    """Write a role in small letters, abbreviations aside."""
    return " ".join(word if word.isupper() else word.lower() for word in role.split())


@cache
def _with_article(role: str) -> str:
    return f"an {role}" if role[0] in "AEIOaeio" or role.startswith("MIG") else f"a {role}"
