"""Which reports there are: their tables, and what is said of them. What they compute is in ``sql/reports``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Facts = Sequence[tuple[str, str]]

_OCCUPANCY: Facts = (
    ("Occupancy", "(handling + wrap-up) / (handling + wrap-up + available); not-ready is outside. Ratios of sums."),
    (
        "Occupancy, at least and at most",
        (
            "What the evidence allows: unobserved time may have been all waiting, or all work, and boundaries may lie "
            "elsewhere within their uncertainty."
        ),
    ),
    ("Occupancy of staffed", "(handling + wrap-up) / staffed; not-ready is in the denominator."),
    ("Staffed", "available + handling + wrap-up + not ready."),
    ("Unobserved", "Nobody was looking; never counted as any other state."),
)
_TRANSFERS: Facts = (
    ("Transfers", "On the day they were initiated, each once."),
    ("Returns", "Transfers to an agent who had the interaction before, within 7 days."),
)


@dataclass(frozen=True, slots=True)
class ReportKind:
    """A built-in report.

    Attributes:
        title: For people.
        description: What it is for, in a sentence or two.
        tables: Its tables in order; the first is the one to look at first.
        definitions: What its figures mean, as (name, meaning).
        picture: Whether the day's timeline is drawn, where the format can.
    """

    title: str
    description: str
    tables: Sequence[str]
    definitions: Facts
    picture: bool = False


REPORTS: Mapping[str, ReportKind] = {
    "daily_operations": ReportKind(
        "Daily operations",
        "Occupancy with its bounds, staffed, available, handling, wrap-up, not-ready by reason and transfers of a day, "
        "per team and agent.",
        ("teams", "agents", "not_ready", "intervals"),
        (*_OCCUPANCY, *_TRANSFERS),
        picture=True,
    ),
    "interval": ReportKind(
        "Intervals",
        "Seconds in each state per team and agent and interval of local time, in the form that planning tools load.",
        ("teams", "agents"),
        (
            *_OCCUPANCY,
            *_TRANSFERS,
            ("Rows", "An agent has rows on UTC days on which a record touches them or that they begin signed in."),
        ),
    ),
    "transfers": ReportKind(
        "Transfers",
        "Who handed over to whom, chains of transfers, returns, and the two rates in use.",
        ("pairs", "agents", "chains", "transfers"),
        (
            *_TRANSFERS,
            ("Transfer rate", "Interactions transferred at least once / interactions the agent took part in."),
            ("Per interaction", "Transfers / interactions the agent took part in."),
        ),
    ),
    "agent_timeline": ReportKind(
        "Agent timeline",
        "Every state of an agent's day with its evidence, and the sign-ins.",
        ("states", "sessions"),
        (
            (
                "Evidence",
                (
                    "reported; derived: a boundary or the state was inferred; carried: began before the UTC day; none: "
                    "unobserved."
                ),
            ),
            ("Uncertainty", "How far the reported start may be from the true one."),
            ("Unobserved", "Nobody was looking; never counted as any other state."),
        ),
        picture=True,
    ),
    "feed_quality": ReportKind(
        "Feed quality",
        "What was seen of each feed and how soon: coverage, gaps, lag, rejects, failures, and what is lost.",
        ("feeds", "gaps", "failures", "rejects", "broken_chains"),
        (
            ("Missing time", "Not observed, and still to be had from the vendor."),
            ("Lost time", "Not observed, and forgotten by the vendor."),
            ("Lag", "From the end of a window to when it was first got."),
            ("Rejects", "Records that could not be read; kept as delivered in ops.rejects."),
        ),
    ),
}
