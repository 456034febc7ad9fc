"""Where the workers of a made roster live, and the clients that ask for them.

Here: names. The places are real, the clients are invented; no company is meant.
"""

from __future__ import annotations

from typing import Final

CITIES: Final = (
    ("Milwaukee", "WI", ("the south side", "West Allis", "the Menomonee Valley", "Oak Creek")),
    ("Madison", "WI", ("the east side", "Sun Prairie", "Fitchburg")),
    ("Green Bay", "WI", ("the port", "Ashwaubenon", "De Pere")),
    ("Chicago", "IL", ("Pilsen", "the Calumet area", "Bedford Park", "the west side")),
    ("Aurora", "IL", ("the far west side", "North Aurora", "Montgomery")),
    ("Springfield", "IL", ("the north end", "Chatham", "Riverton")),
    ("Champaign", "IL", ("Urbana", "Savoy", "the north side")),
    ("Rockford", "IL", ("Loves Park", "the airport", "Machesney Park")),
    ("Indianapolis", "IN", ("Plainfield", "the airport corridor", "Beech Grove", "the near east side")),
    ("Fort Wayne", "IN", ("New Haven", "the north side", "Waynedale")),
    ("South Bend", "IN", ("Mishawaka", "the west side", "Granger")),
    ("Detroit", "MI", ("Southwest", "Hamtramck", "Dearborn", "Warren")),
    ("Grand Rapids", "MI", ("Wyoming", "Kentwood", "Walker")),
    ("Flint", "MI", ("Burton", "Grand Blanc", "the east side")),
    ("Cleveland", "OH", ("Slavic Village", "Brook Park", "Euclid")),
    ("Columbus", "OH", ("Groveport", "Obetz", "the Rickenbacker area")),
    ("Toledo", "OH", ("Oregon", "Rossford", "the south end")),
    ("Dayton", "OH", ("Vandalia", "Kettering", "Moraine")),
    ("Minneapolis", "MN", ("Northeast", "Fridley", "Brooklyn Park")),
    ("Des Moines", "IA", ("Ankeny", "Altoona", "the south side")),
    ("Louisville", "KY", ("Okolona", "Shively", "Jeffersontown")),
    ("St. Louis", "MO", ("Hazelwood", "Earth City", "the Hill")),
)
"""City, state, and parts or neighbours of it that people name."""

CLIENTS: Final = (
    "Alder Creek Foods",
    "Beacon Freight",
    "Bluestem Packaging",
    "Cedarline Cold Storage",
    "Copper Kettle Bakery",
    "Eastgate Distribution",
    "Fairlane Castings",
    "Granite Ridge Builders",
    "Harborview Logistics",
    "Ironwood Stamping",
    "Juniper Home Goods",
    "Keystone Pallet",
    "Larkspur Plastics",
    "Northfield Parts",
    "Pinewater Dental",
    "Quarry Road Concrete",
    "Redwing Fulfilment",
    "Summit Lane Furniture",
    "Tallgrass Beverages",
    "Wexford Machine Works",
)

SHIFTS: Final = ("first", "second", "third", "weekend", "any")
STARTS: Final = ("05:00", "06:00", "06:30", "07:00", "08:00", "14:00", "14:30", "15:00", "22:00", "23:00")
