"""The trades of light-industrial staffing: what people in them hold, can do, and did.

Here: one entry per role; a new one is one more `Trade`. Not here: how a resume is told (`resumes.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Trade:
    """A role: how common it is, certificates that fit, skills, other words for it, and work in the -ing form."""

    role: str
    share: int
    certs: tuple[str, ...]
    skills: tuple[str, ...]
    also: tuple[str, ...]
    tasks: tuple[str, ...]


def _trade(role: str, share: int, certs: str, skills: str, also: str, tasks: str) -> Trade:
    return Trade(role, share, *(tuple(map(str.strip, text.split(";"))) for text in (certs, skills, also, tasks)))


TRADES: Final = (
    _trade(
        "Forklift Operator",
        9,
        "Forklift Licence; OSHA-10; OSHA-30; Reach Truck Certification",
        "sit-down forklift; reach truck; stand-up counterbalance; pallet staging; dock loading; RF scanner; racking; yard moves",
        "forklift driver; lift driver; certified forklift operator",
        "staging outbound pallets by lane; running a reach truck in narrow aisles; unloading containers at the dock;"
        " putting freight away five racks high; feeding the line with raw material; checking the truck before every shift;"
        " rotating stock so the oldest went first",
    ),
    _trade(
        "Warehouse Worker",
        10,
        "OSHA-10; First Aid/CPR; Pallet Jack Certification",
        "general labor; pallet jack; stacking; shrink wrapping; labeling; RF scanner; cycle counts; housekeeping",
        "warehouse associate; general warehouse hand; warehouse labourer",
        "breaking down mixed pallets; moving freight with a pallet jack; wrapping and labeling loads; helping on whichever"
        " dock was behind; counting bins at month end; keeping aisles swept and clear; sorting returns by supplier",
    ),
    _trade(
        "Picker",
        8,
        "OSHA-10; Pallet Jack Certification; Order Picker Licence",
        "order picking; voice picking; RF scanner; cherry picker; batch picking; pick-to-light; fast pace",
        "order picker; order selector; warehouse picker",
        "pulling orders by voice headset; picking 140 lines an hour; working a pick-to-light wall; building store orders on"
        " a double pallet jack; flagging short bins before they held a wave; picking small parts with a scanner",
    ),
    _trade(
        "Packer",
        7,
        "OSHA-10; ServSafe Food Handler; GMP Training",
        "hand packing; box making; taping; labeling; quality checks; fast hands; packing slips; void fill",
        "hand packer; pack-out worker; packing line worker",
        "packing fragile goods with the right void fill; checking each box against its slip; building cartons at the end"
        " of the line; packing bakery trays in a cold room; taping and labeling for parcel carriers; keeping my station"
        " stocked through the rush",
    ),
    _trade(
        "Loader",
        6,
        "OSHA-10; Forklift Licence; Dock Safety Training",
        "trailer loading; unloading; lifting 50 lb; load bars; pallet jack; freight sorting; dock plates",
        "dock loader; truck loader; freight handler",
        "loading trailers floor to ceiling; throwing freight on the night sort; securing loads with straps and bars;"
        " unloading forty-foot containers by hand; loading route trucks in stop order; checking seals at the gate",
    ),
    _trade(
        "CNC Operator",
        5,
        "NIMS Level I; OSHA-10; Haas Operator Certificate",
        "CNC lathe; CNC mill; G-code; Fanuc controls; Haas; blueprint reading; micrometers; tool changes; deburring",
        "CNC machinist; CNC lathe operator; CNC mill operator",
        "running two Haas mills side by side; touching off tools and setting offsets; reading prints to a thousandth;"
        " checking first parts with micrometers; editing simple G-code at the control; deburring and logging every lot",
    ),
    _trade(
        "Machine Operator",
        8,
        "OSHA-10; Lockout/Tagout; GMP Training",
        "press operation; injection molding; changeovers; troubleshooting jams; lockout/tagout; production counts; visual checks",
        "press operator; production machine operator; molding operator",
        "running a 200-ton stamping press; clearing jams after locking out; changing dies between jobs; tending four"
        " molding machines; writing counts and scrap each hour; catching bad parts before they reached a tote",
    ),
    _trade(
        "Production Worker",
        7,
        "OSHA-10; GMP Training; ServSafe Food Handler",
        "line work; repetitive tasks; hand tools; sanitation; teamwork; standing 10 hours; quality checks",
        "line worker; production associate; production line operator",
        "keeping up with a fast bottling line; rotating through six stations; feeding blanks and stacking finished goods;"
        " cleaning down between runs; training new hires on the line; covering breaks for the whole crew",
    ),
    _trade(
        "Assembler",
        6,
        "IPC-A-610; OSHA-10; Soldering Certificate",
        "mechanical assembly; torque wrench; pneumatic tools; soldering; wire harness; work instructions; small parts",
        "assembly technician; bench assembler; electromechanical assembler",
        "building gearboxes from a kit; torquing to spec and signing the sheet; soldering boards under a scope; crimping wire"
        " harnesses; following drawings step by step; reworking units that failed test",
    ),
    _trade(
        "Welder",
        5,
        "AWS D1.1; AWS D1.3; OSHA-10; 6G Pipe",
        "MIG; TIG; stick; flux core; blueprint reading; grinding; fit-up; overhead welding",
        "MIG welder; structural welder; production welder",
        "welding structural frames to print; running TIG on thin stainless; grinding and fitting before the weld; passing"
        " bend tests in all positions; welding trailers on a line; tacking up fixtures for the robot",
    ),
    _trade(
        "Shipping Clerk",
        5,
        "OSHA-10; Hazmat Shipping; Forklift Licence",
        "bills of lading; carrier booking; UPS WorldShip; Excel; freight classes; data entry; dock scheduling",
        "shipping coordinator; shipping and receiving clerk; dispatch clerk",
        "cutting bills of lading for thirty loads a day; booking carriers and chasing late ones; scheduling dock doors;"
        " entering shipments in SAP; printing labels and customs papers; reconciling what left with what was ordered",
    ),
    _trade(
        "Receiving Clerk",
        4,
        "OSHA-10; Hazmat Shipping; Pallet Jack Certification",
        "purchase orders; inspection; data entry; RF scanner; discrepancy reports; put-away; Excel",
        "receiver; inbound clerk; goods-in clerk",
        "checking inbound freight against purchase orders; writing up damage with photos; entering receipts the same hour;"
        " tagging parts for inspection; calling suppliers about shorts; directing put-away",
    ),
    _trade(
        "Material Handler",
        6,
        "Forklift Licence; OSHA-10; Tugger Certification",
        "tugger; kanban; line feeding; inventory moves; pallet jack; cycle counts; kitting",
        "stock handler; line feeder; parts handler",
        "feeding assembly lines on a kanban loop; driving a tugger route; kitting parts for the next build; moving work in"
        " process between cells; returning empties; counting what the system said was missing",
    ),
    _trade(
        "Inventory Clerk",
        4,
        "APICS Fundamentals; OSHA-10; Order Picker Licence",
        "cycle counts; Excel; WMS; variance reports; data entry; audits; barcode labels",
        "inventory control clerk; stock control clerk; cycle counter",
        "counting two hundred locations a night; tracing variances back to the pick; fixing bin labels; adjusting stock"
        " with a supervisor's sign-off; building pivot tables for the monthly audit; cleaning up item masters",
    ),
    _trade(
        "Quality Inspector",
        4,
        "ASQ CQI; OSHA-10; IPC-A-610",
        "calipers; gauges; blueprint reading; first article inspection; ISO 9001; nonconformance reports; sampling",
        "quality control inspector; QC inspector; QA inspector",
        "measuring first articles with calipers and height gauges; writing nonconformance reports; sampling lots by plan;"
        " holding bad material and saying why; calibrating gauges; walking the line every two hours",
    ),
    _trade(
        "Maintenance Technician",
        3,
        "OSHA-30; Lockout/Tagout; EPA 608; NFPA 70E",
        "preventive maintenance; hydraulics; pneumatics; PLC basics; conveyor repair; troubleshooting; welding basics",
        "maintenance mechanic; industrial mechanic; plant mechanic",
        "keeping conveyors and palletizers running; rebuilding pumps and cylinders; doing preventive rounds every week;"
        " tracing faults with a meter; changing bearings and belts; answering calls from the floor all night",
    ),
    _trade(
        "Industrial Electrician",
        2,
        "Journeyman Electrician Licence; NFPA 70E; OSHA-30; Arc Flash Training",
        "480V three-phase; motor controls; VFDs; PLC troubleshooting; conduit bending; panel wiring; schematics",
        "plant electrician; journeyman electrician; industrial wireman",
        "wiring motor control centers; bending and running rigid conduit; finding faults on 480 volt drives; reading ladder"
        " logic to trace a stop; replacing panels over a shutdown weekend; commissioning new lines",
    ),
    _trade(
        "Heavy Equipment Operator",
        4,
        "NCCER Heavy Equipment; OSHA-10; OSHA-30; MSHA Part 48",
        "excavator; bulldozer; skid steer; grading; trenching; loader; GPS grade control; spotting",
        "equipment operator; excavator operator; dozer operator",
        "digging footings with an excavator; grading pads to a laser; trenching for water and sewer; running a skid steer on"
        " tight sites; loading trucks in the pit; greasing and checking the machine each morning",
    ),
    _trade(
        "Bilingual Safety Coordinator",
        2,
        "OSHA-30; OSHA-500; First Aid/CPR; CHST",
        "Spanish; safety training; incident investigation; toolbox talks; job hazard analysis; OSHA logs; site audits",
        "bilingual safety officer; English-Spanish safety coordinator; bilingual EHS coordinator",
        "giving toolbox talks in English and Spanish; walking the site with a checklist; investigating near misses;"
        " keeping the OSHA 300 log; translating procedures for the crew; running new-hire safety orientation",
    ),
    _trade(
        "Drone Surveyor",
        2,
        "FAA Part 107; OSHA-10; Survey Technician Level I",
        "drone piloting; photogrammetry; RTK GPS; Pix4D; point clouds; AutoCAD; ground control; volume reports",
        "drone pilot and surveyor; UAV survey technician; aerial surveyor",
        "flying mapping missions over earthworks; setting ground control with RTK; turning photos into point clouds;"
        " measuring stockpiles every month; drawing surfaces in AutoCAD; filing flight plans near airports",
    ),
    _trade(
        "Admin Assistant",
        5,
        "Microsoft Office Specialist; Notary Public; First Aid/CPR",
        "Excel; Outlook; scheduling; data entry; phones; filing; timesheets; purchase orders",
        "administrative assistant; office assistant; office administrator",
        "answering a six-line phone; keeping timesheets for eighty people; booking travel and meetings; filing permits and"
        " submittals; ordering supplies; typing minutes and chasing signatures",
    ),
    _trade(
        "Truck Driver",
        5,
        "CDL Class A; CDL Class B; Hazmat Endorsement; DOT Medical Card",
        "CDL driving; pre-trip inspection; ELD logs; backing; liftgate; route delivery; tarping",
        "CDL driver; delivery driver; route driver",
        "driving a tractor-trailer on regional routes; doing pre-trip checks in the dark; backing into tight city docks;"
        " delivering with a liftgate; keeping clean electronic logs; tarping flatbeds in winter",
    ),
    _trade(
        "Sanitation Worker",
        3,
        "GMP Training; Lockout/Tagout; HACCP; ServSafe Food Handler",
        "foaming; pressure washing; chemical handling; CIP; swab tests; confined spaces; allergen changeovers",
        "sanitation technician; plant cleaner; sanitor",
        "tearing down slicers and foaming them; mixing chemicals to the chart; cleaning in place on a dairy line; passing"
        " swab tests before start-up; washing down between allergens; working third shift in wet gear",
    ),
    _trade(
        "Dental Assistant",
        2,
        "CDA; Dental Radiography; First Aid/CPR",
        "chairside assisting; x-rays; sterilization; impressions; scheduling; Dentrix; infection control",
        "chairside assistant; certified dental assistant; orthodontic assistant",
        "setting up trays and assisting chairside; taking x-rays and impressions; sterilizing instruments; calming nervous"
        " children; keeping charts in Dentrix; ordering supplies for three rooms",
    ),
    _trade(
        "Landscape Laborer",
        3,
        "Pesticide Applicator; OSHA-10; Chainsaw Safety",
        "mowing; planting; irrigation; mulching; zero-turn; hedge trimming; hardscape; snow removal",
        "landscaper; grounds worker; landscaping crew member",
        "mowing forty properties a week; planting trees and laying sod; building paver walls; fixing irrigation heads;"
        " plowing and salting in winter; trimming hedges without butchering them",
    ),
)
