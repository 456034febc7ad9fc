"""What a message must not hold: social security numbers, which no other number is, and places that nobody filled in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.secrets import find
from lakehouse.validators import text
from lakehouse.validators.text import has_ssn, placeholder

DASHES = "\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d"


@pytest.mark.parametrize(
    "text",
    [
        "123-45-6789",
        "078-05-1120",
        "001-01-0001",
        "899-99-9999",
        "123 45 6789",
        "123.45.6789",
        *(f"123{dash}45{dash}6789" for dash in DASHES),
        "My SSN is 123-45-6789.",
        "(123-45-6789)",
        "SSN: 123456789",
        "social security number 123456789",
        "Soc. Sec. No. 123456789",
        "12\u200b3-45-6789",
        "\uff11\uff12\uff13\uff0d\uff14\uff15\uff0d\uff16\uff17\uff18\uff19",
        "call 312-555-0143 or send 123-45-6789",
        "123 - 45 - 6789",
        "123- 45 -6789",
        "123-45-\n6789",
        "123-\r\n  45-6789",
        "123-45\n-6789",
        "123\u00a0\u2013\u00a045 \u2013\t6789",
        "SSN 123 -45- 6789, call 312 - 555 - 0143",
        "123 \u2011\u200b 45 \u2011 6789",
        "\uff11\uff12\uff13 \uff0d 45 - 6789",
        "my PO is 4411: 123 - 45 - 6789",
        "2026-05-11 - 123-45-6789 - 24/7",
        *(
            f"12{sign}3-{sign}45-67{sign}89"
            for sign in "\u200b\u00ad\u2066\u2069\u180e\u061c\u034f\ufe0f\ufeff\u0000\u001b\u3164"
        ),
    ],
)
def test_a_social_security_number_is_one(text: str) -> None:
    assert has_ssn(text)


@pytest.mark.parametrize(
    "text",
    [
        "312-555-0143",
        "(312) 555-0143",
        "+1 312 555 0143",
        "+1-312-555-0143",
        "312.555.0143",
        "3125550143",
        "tel:+13125550143;ext=12",
        "+44 20 7946 0958",
        "60601-1234",
        "Chicago, IL 60601-1234",
        "12-3456789",
        "EIN 12-3456789",
        "2026-05-11",
        "05-11-2026",
        "11.05.2026",
        "05/11/2026",
        "5 11 2026",
        "2026-131",
        "20260511",
        "2026-05-11T06:00:00.123456789Z",
        "ORDER-123456789",
        "order 123456789",
        "PO 123 45 67890",
        "PO-2026-123456789",
        "SKU 078-05-11200",
        "invoice 112-1234567-1234567",
        "tracking 1Z 999 AA1 01 2345 6784",
        "card 4111 1111 1111 1111",
        "192.168.45.6789",
        "v123.45.6789",
        "000-45-6789",
        "666-45-6789",
        "900-45-6789",
        "999-45-6789",
        "123-00-6789",
        "123-45-0000",
        "SSN 666456789",
        "123-456-789",
        "123-45-67890",
        "1123-45-6789",
        "123-45.6789",
        "312 - 555 - 0143",
        "+1 - 312 - 555 - 0143",
        "60601 - 1234",
        "60601-\n1234",
        "12 - 3456789",
        "2026 - 05 - 11",
        "05 - 11 - 2026",
        "PO-123 - 45 - 6789",
        "order #123 - 45 - 6789",
        "1-123 - 45 - 6789",
        "313 - 55 - 5015 - 2",
        "3 - 135 - 55 - 0152",
        "123 - 45 - 67890",
        "1123 - 45 - 6789",
        "666 - 45 - 6789",
        "pallets:\n- 123\n- 45\n- 6789",
        "123\n \u2013 45\n \u2013 6789",
        "123\n45\n6789",
        "123  45  6789",
        "123\t45\t6789",
        "123 -- 45 -- 6789",
    ],
)
def test_other_numbers_are_none(text: str) -> None:
    assert not has_ssn(text)


ORDERS_OF_NINE = [
    "ORD",
    "INV",
    "PO",
    "SKU",
    "REF",
    "WO",
    "ACME",
    "order",
    "Invoice",
    "ticket",
    "po",
    "SO-PO",
    "2026-PO",
]


@pytest.mark.parametrize("prefix", ORDERS_OF_NINE)
@pytest.mark.parametrize("number", ["123-45-6789", "123 45 6789", "123.45.6789"])
def test_a_number_that_a_code_and_a_hyphen_begin_is_that_of_an_order(prefix: str, number: str) -> None:
    assert not has_ssn(f"{prefix}-{number}")
    assert not has_ssn(f"we shipped ({prefix}\u2011{number}), thanks")


@pytest.mark.parametrize("text", ["Order #123-45-6789", "PO#123-45-6789", "our ref #123-45-6789"])
def test_nor_is_one_that_a_word_for_orders_and_a_number_sign_begin(text: str) -> None:
    assert not has_ssn(text)


@pytest.mark.parametrize(
    "text",
    [
        *(
            f"{word}-123-45-6789"
            for word in ("SSN", "ssn", "Ssn", "SS", "SOC", "TIN", "ITIN", "ID", "NO", "PII", "userSSN")
        ),
        "Soc-Sec-123-45-6789",
        "social-security-123-45-6789",
        "number-123-45-6789",
        "Lee-123-45-6789",
        "is-123-45-6789",
        "-123-45-6789",
        "#123-45-6789",
        "SSN #123-45-6789",
        "no #123-45-6789",
        "PO 123-45-6789",
        "PO--123-45-6789",
        "PO\u2014123-45-6789",
        "A-123-45-6789",
        "PERSONNEL-123-45-6789",
        "x9PO-123-45-6789",
        "my SSN: ORD-123-45-6789",
        "SSN PO-123-45-6789",
        "ORD-123-45-6789 and 123-45-6789",
        "SSN ORD-123456789",
    ],
)
def test_any_other_beginning_leaves_it_a_social_security_number(text: str) -> None:
    assert has_ssn(text)


WORDS = "ord inv po sku ref wo so rma order invoice ticket item part lot job quote reference tracking".split()
CODES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", max_size=8)


@given(prefix=CODES | CODES.map(str.lower) | CODES.map(str.title), lead=st.sampled_from(["", " ", "(", "see ", "-"]))
def test_a_prefix_hides_a_number_only_where_it_is_a_code_of_two_to_five_capitals_or_a_word_for_orders(
    prefix: str, lead: str
) -> None:
    code = prefix.isupper() and 2 <= len(prefix) <= 5 and prefix not in OF_PERSONS and prefix[:3] != "SSN"
    assert has_ssn(f"{lead}{prefix}-123-45-6789") == (not code and prefix.lower() not in WORDS)


OF_PERSONS = "SS SSA SOC SEC TIN ITIN TAX ID NO NR NUM PII DOB IS MY HIS HER".split()


@given(prefix=st.sampled_from(WORDS), upper=st.booleans(), sign=st.sampled_from(["-", "#", " #"]))
def test_a_word_for_orders_hides_a_number_however_it_is_written(prefix: str, upper: bool, sign: str) -> None:
    assert not has_ssn(f"your {prefix.upper() if upper else prefix}{sign}123-45-6789")


def test_the_firewall_of_the_exports_knows_no_orders() -> None:
    found = find("ORD-123-45-6789")
    assert found is not None
    assert found.reason_code == "pii_ssn"


def digits(low: int, high: int | None = None) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=low, max_size=low if high is None else high)


def formed(pattern: str) -> st.SearchStrategy[str]:
    """Draw a text from a pattern in which # is a digit and N one from 2 to 9."""
    signs = {"#": st.sampled_from("0123456789"), "N": st.sampled_from("23456789")}
    return st.tuples(*(signs.get(sign, st.just(sign)) for sign in pattern)).map("".join)


def any_of(*patterns: str) -> st.SearchStrategy[str]:
    return st.one_of(map(formed, patterns))


PHONES = any_of(
    "N##-N##-####", "(N##) N##-####", "+1 N## N## ####", "+1-N##-N##-####", "+1 (N##) N##-####", "N##.N##.####",
    "1.N##.N##.####", "N##N######", "+1N##N######", "N## N## ####", "1-N##-N##-#### x###", "tel:N##-N##-####",
    "N##/N##-####", "N##\u2011N##\u2011####", "N##\u00a0N##\u00a0####", "N##-####",
)  # fmt: skip
ZIPS = any_of("#####", "#####-####", "ZIP #####-####", "IL #####-####", "##### ####", "#####\u2013####")
EINS = any_of("##-#######", "EIN ##-#######", "EIN: ##-#######", "##\u2010#######")
ORDERS = any_of(
    "#########", "ORDER-#########", "order #########", "PO ##########", "PO ### ## #####", "SKU ###-##-#####", "#-###-##-####",
    "INV-####-#####", "###-#######-#######", "WO ########", "A#########", "#########Z", "###-##-####-##", "####-####-####",
)  # fmt: skip
DATES = st.dates().flatmap(
    lambda day: st.sampled_from(
        [
            "%Y-%m-%d",
            "%m-%d-%Y",
            "%d.%m.%Y",
            "%m/%d/%Y",
            "%d %m %Y",
            "%Y%m%d",
            "%Y.%m.%d",
            "%Y-%j",
            "%d-%b-%Y",
            "%m-%d-%y",
            "%Y %m %d",
        ]
    ).map(day.strftime)
)
STAMPS = st.datetimes().map(lambda at: at.isoformat() + "Z")


@given(
    number=st.one_of(PHONES, ZIPS, EINS, ORDERS, DATES, STAMPS),
    around=st.sampled_from(["{}", "Call {}.", "({})", "no: {}, thanks", "\n{}\n"]),
)
def test_no_phone_number_zip_ein_date_or_order_number_is_ever_one(number: str, around: str) -> None:
    assert not has_ssn(around.format(number))


@given(
    numbers=st.lists(st.one_of(PHONES, EINS, DATES), min_size=2, max_size=4),
    between=st.sampled_from([", ", "; ", " or ", "\n", " / ", " - ", "\n- "]),
)
def test_nor_are_several_of_them_together(numbers: list[str], between: str) -> None:
    assert not has_ssn(between.join(numbers))


WHITE = st.text(" \t\u00a0\u2003", max_size=2)


@given(
    number=st.one_of(PHONES, ZIPS, EINS, ORDERS, DATES, STAMPS),
    before=WHITE,
    after=WHITE | st.just("\n") | st.just("\r\n "),
)
def test_nor_is_one_with_white_space_beside_its_hyphens(number: str, before: str, after: str) -> None:
    assert not has_ssn(number.replace("-", f"{before}-{after}"))


AREAS = st.integers(1, 899).filter(lambda area: area != 666)


@given(area=AREAS, group=st.integers(1, 99), serial=st.integers(1, 9999), dash=st.sampled_from("- ." + DASHES))
def test_every_number_that_can_be_given_out_is_one(area: int, group: int, serial: int, dash: str) -> None:
    assert has_ssn(f"it is {area:03d}{dash}{group:02d}{dash}{serial:04d}, please")


@given(
    area=AREAS,
    dash=st.sampled_from("-\u00ad" + DASHES),
    before=st.text(" \t\u00a0\u2003", max_size=9),
    after=st.text(" \t\u00a0\u2003\n\r\u2028", max_size=9),
    unseen=st.text("\u200b\u2060\u2066\ufeff\ufe0f\u0000", max_size=2),
)
def test_no_white_space_beside_its_dashes_and_no_sign_that_nobody_sees_hides_it(
    area: int, dash: str, before: str, after: str, unseen: str
) -> None:
    between = f"{before}{dash}{after}"
    assert has_ssn(f"it is {area:03d}{between}45{between}6789, please")
    if dash != "\u00ad":
        assert has_ssn(f"it is {area:03d}{unseen}{between}4{unseen}5{between}{unseen}6789, please")


@pytest.mark.parametrize(
    "text",
    [
        "Hi [NAME],", "Dear [Your Name]:", "[ NAME ]", "[NAME]: please come", "[name]", "[First Name]", "[FIRST_NAME]",
        "[Client's Address]", "[company name]", "[Start Time]", "[date]", "[TBD]", "[insert]", "[insert date, time]",
        "[Hiring Manager]", "[Mr./Ms. Last Name]", "[Contact Info]", "[$AMOUNT]", "[$hourly_rate]", "[WORKER_NAME]",
        "[START_DATE]", "[JOB_SITE_2]", "[Supervisor's Name]", "[Company]", "[City, State]", "[Date & Time]",
        "[Date and Time]", "[Name of Company]", "[Name here]", "[ \"Name\" ]", "[*Name*]", "[Job Site]", "[worker]",
        "[insert details of the shift here]", "[Your Signature Block]", "<Hiring Manager>", "<$AMOUNT>",
        "[DIRECCIÓN]", "[nombre]", "[NAME](tbd)", "[[name]]", "\uff3bNAME\uff3d", "[NA\u00adME]", "[see [NAME]]",
        "{{first_name}}", "{{ date }}", "{{}}", "{{…}}", "{name}", "${rate}", "{% if x %}",
        "<insert time>", "<insert …>", "<NAME>", "<worker name>", "<your name>", "<DATE>", "<<name>>", "<see [NAME]>",
        "%NAME%", "%%FIRST_NAME%%", "*|FNAME|*", "__NAME__", "___", "______,", "$___/hr", "(___) ___-____", "Name:____",
        "\uff3f\uff3f\uff3f", "_\u200b__", "[NA\u0000ME]",
    ],
)  # fmt: skip
def test_a_place_that_nobody_filled_in_is_found(text: str) -> None:
    assert placeholder(text) is not None
    assert placeholder(f"Hello, {text} and welcome.\n") is not None


@pytest.mark.parametrize(
    "text",
    [
        "[text](https://a.example/b)", "[name](https://x.example)", "[your name](#form)", "[docs][ref]", "[text][NAME]",
        "[name]: https://x.example", "- [ ] steel toes", "- [x] badge", "[X]", "[1]", "[^1]", "see [2], [3]", "[...]", "[…]",
        "[STOP]", "[YES]", "[NO]", "[REDACTED]", "[REQUIRED]", "[CLOSED]", "[ALERT]", "[DO NOT REPLY]", "[Y/N]", "[END]",
        "[sent by my manager]", "[ask your supervisor]", "[same day]", "[the worker]", "[every shift]", "[1 day]", "[$25/hr]",
        "[shift 2]", "[8 hours]", "[please bring two forms of photo identification and your address]", "[site map]",
        "<meta name=city>", "<ADDRESS>", "<link>", "<Title>", "<STRONG>", "<KBD>",
        "[URGENT] shift", "[Action Required] sign", "[sic]", "[night shift]", "[up to date]", "[see attached]", "[B12]",
        "list[int]", "a[0]", "<b>bold</b>", "<br/>", "<BR>", "<address>", "<time>", "<title>", '<a href="https://x.example">',
        "<ann@staff.example>", "<https://x.example/your name>", "x < 3 and y > 2", "I <3 you", "50% off, 20% more", "100%",
        "a%20b%C3%A9%20", '{"a": 1}', "{color: red}", "{1,2}", "__init__", "__", "___bold___", "a___b", "é___", "$5", "\n__________\nFrom", "\n____________________ \r\n",
 "*bold* | cell",
    ],
)  # fmt: skip
def test_other_brackets_are_no_such_place(text: str) -> None:
    assert placeholder(text) is None
    assert placeholder(f"Hello, {text} and welcome.\n") is None


@pytest.mark.parametrize(
    ("text", "rule"),
    [("_" * 10, True), ("_" * 9, False), ("ok\n" + "_" * 32 + " \r\nBye", True), ("x: " + "_" * 32, False)],
)
def test_ten_and_more_underscores_in_a_line_of_their_own_are_a_rule_and_fewer_a_place(text: str, rule: bool) -> None:
    assert (placeholder(text) is None) == rule


def test_every_dash_of_the_firewall_may_have_white_space_beside_it() -> None:
    parting = [sign for sign in map(chr, range(0xD800)) if find(f"123{sign}45{sign}6789")]
    dashes = [sign for sign in parting if not sign.isspace() and sign != "."]
    assert len(dashes) > 8
    assert all(has_ssn(f"123 {sign} 45 {sign} 6789") for sign in dashes)


PAGE = (Path(__file__).parents[3] / "docs" / "validators.md").read_text()


@pytest.mark.parametrize(
    ("opening", "words"),
    [
        ("What is wanted is\nnamed by", text._NAMES),
        ("shift job work`, by", text._ALONE),
        ("and alone, or after", text._BEFORE),
        ("Small words are", text._SMALL),
        ("or one of", frozenset(text._ORDER_WORDS.split("|"))),
        ("No such code are", text._OF_PERSONS),
    ],
)
def test_the_page_lists_the_words_that_are_looked_for(opening: str, words: frozenset[str]) -> None:
    begins = [part.partition("`")[0] for part in PAGE.split(f"{opening} `")[1:]]
    assert words in [frozenset(one.split()) for one in begins]
