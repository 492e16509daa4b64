"""Every metric of Kvar, with what it means and what an operator does about it.

The values of a label come from a set that the code or the settings fix. Where they come with a message, as an authority does
behind the door, their number is bounded: each value is a series that stays until the process ends.
"""

from __future__ import annotations

from typing import Self

from prometheus_client import Counter, Gauge, Histogram

MOST_VALUES = 500
"""Values of one label that a metric tells apart. Sweden has some 310 school authorities with upper-secondary schools."""
OTHER = "other"
"""All further values together."""
LONGEST_VALUE = 128


class BoundedCounter(Counter):
    """A counter of which each label takes `MOST_VALUES` values, and `OTHER`."""

    def labels(self, *values: object, **named: object) -> Self:
        """See `Counter`. The first values are told apart."""
        seen: list[set[str]] = self.__dict__.setdefault("_seen", [set() for _ in self._labelnames])
        given = values or tuple(named[name] for name in self._labelnames)
        return super().labels(*(_bounded(str(value), known) for value, known in zip(given, seen, strict=True)))


def _bounded(value: str, known: set[str]) -> str:
    if value not in known:
        if len(known) >= MOST_VALUES or len(value) > LONGEST_VALUE:
            return OTHER
        known.add(value)
    return value


SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)

EVENTS = BoundedCounter(
    "kvar_ingest_events_total",
    "Events at the door by outcome (accepted, duplicate, changed, rejected) and type. Many rejected: read /v1/rejected. "
    "Changed (a known id with other content): tell the publisher that a correction needs a new id and a higher revision.",
    ["authority", "type", "outcome"],
)
DROPPED_FIELDS = BoundedCounter(
    "kvar_ingest_dropped_fields_total",
    "Forbidden fields (causes of absence) dropped at the door. Not zero: ask the publisher to stop sending them.",
    ["authority", "field"],
)
CONTRADICTIONS = BoundedCounter(
    "kvar_ingest_contradictions_total",
    "Events refused because they contradict what is known of who somebody is, by kind (national_id, staff). Not zero: look at "
    "them (`kvar rejected list`), ask the school; what is right comes in by `kvar rejected replay --confirm`.",
    ["authority", "kind"],
)
REJECTED_DROPPED = BoundedCounter(
    "kvar_ingest_rejected_dropped_total",
    "Kept refused items that made room for newer ones of the same authority (10,000 each). Rising: its publisher sends the same "
    "fault over and over; tell it what `kvar rejected list` says.",
    ["authority"],
)
UNPUBLISHED_AGE = Gauge(
    "kvar_ingest_unpublished_age_seconds",
    "Age of the oldest archived event that is not yet published, but for those set aside. Over 60: the sweeper or the broker is "
    "stuck.",
)
UNPUBLISHABLE = Gauge(
    "kvar_ingest_unpublishable_events",
    "Archived events that could not be published for another reason than an outage. They are tried again every ten minutes and "
    "hold up nobody. Not zero: ingest's log names kinds and errors; mend those in the code.",
)
EVENT_TO_SCORE = Histogram(
    "kvar_event_to_score_seconds",
    "From receipt by ingest to the student's new score. Rising: add scoring replicas, or look at the database.",
    buckets=SECONDS,
)
EVENT_TO_ALERT = Histogram(
    "kvar_event_to_alert_seconds",
    "From receipt by ingest of the event that changed a level to the mail handed over. Rising: look at queues, then at SMTP.",
    buckets=SECONDS,
)
BATCH_SIZE = Histogram(
    "kvar_batch_size_messages",
    "Messages handled together. Always at the limit: the service lags behind, add replicas.",
    ["service"],
    buckets=SIZES,
)
CONFLICTS = Counter(
    "kvar_conflicts_total",
    "Writes redone because another replica was faster. A steady high share: fewer replicas per shard would do.",
    ["service"],
)
OLDER_THAN_KNOWN = BoundedCounter(
    "kvar_older_than_known_total",
    "Facts that arrived after a newer version of them and change nothing, by service, authority and type. Many of one type: "
    "a source sends revisions that go back, or once sent too high ones; `kvar explain` shows them.",
    ["service", "authority", "type"],
)
BASELESS_RETRACTIONS = BoundedCounter(
    "kvar_scoring_baseless_retractions_total",
    "Retractions of marks that were not known, by authority. Rising: a source takes back under another date than it recorded.",
    ["authority"],
)
UNUSABLE = BoundedCounter(
    "kvar_scoring_unusable_total",
    "Days of students, courses, and all marks of a student (marks) found unusable, because more was told of them than any school "
    "has. Not zero: a source gives a lesson ever new ids or a mark ever new dates; `kvar explain` names them. Have the publisher "
    "mend it; what is unusable stays so.",
    ["authority", "what"],
)
UNREADABLE_RULES = Gauge(
    "kvar_scoring_unreadable_rules",
    "Rule versions in the database that this process cannot read; the last good version of each authority holds. Not zero: "
    "another version of Kvar wrote them (it passes with the upgrade), or `kvar rules set` them anew.",
)
BEYOND_RETENTION = Counter(
    "kvar_scoring_beyond_retention_total",
    "Lessons older than what is kept, not taken. Rising: a source sends its whole past; nothing is wrong.",
)
GROUPS_WORSE = Gauge(
    "kvar_scoring_groups_worse",
    "Signals of groups and school units that worsen together, by indicator. Many at once: look whether a feed has gone wrong.",
    ["indicator"],
)
SIGNALS_AGE = Gauge(
    "kvar_scoring_signals_waiting_seconds",
    "How long the unit that waits longest for its signals was not computed. Far over KVAR_SIGNAL_MINUTES: add scoring replicas.",
)
OUTBOX_AGE = Gauge(
    "kvar_outbox_age_seconds",
    "Age of the oldest level change that is not yet published. Over 60: the broker refuses or the sweeper is stuck.",
)
RETRIED = Counter(
    "kvar_retried_total",
    "Messages sent down the retry ladder, by step. Rising: something we need is unwell.",
    ["service", "step"],
)
PARKED = BoundedCounter(
    "kvar_parked_total",
    "Messages parked for a person to look at. Not zero: `kvar parking list`, mend the cause, `kvar parking replay`.",
    ["service", "reason"],
)
HELD = Counter(
    "kvar_held_total",
    "Messages put aside because too many of their authority were parked in a row. Rising: `kvar parking list` says why those "
    "failed; mend the cause, then `kvar parking replay --held`. How many wait: the broker's count of `<service>.held`.",
    ["service"],
)
AUTHORITIES_HELD = Gauge(
    "kvar_authorities_held",
    "Authorities whose messages this process puts aside unworked, all others go on. Back to 0 by itself when one of them can be "
    "handled; most authorities at once: a bad release.",
    ["service"],
)
INTAKE_STOPPED = Gauge(
    "kvar_intake_stopped",
    "1 while a process takes no messages since the database is away. It goes on by itself when that is back.",
    ["service"],
)
GIVEN_BACK = Counter(
    "kvar_given_back_total",
    "Messages put back unworked because the process stopped taking any. Rising: see kvar_intake_stopped.",
    ["service"],
)
SKIPPED = Counter(
    "kvar_skipped_total",
    "Elements of background work (students, school units) that failed by themselves and are skipped for some minutes, by work. "
    "Rising: the log names them and the error; mend that in the code, all others go on.",
    ["service", "work"],
)
MESSAGES = Counter(
    "kvar_messages_total",
    "Messages taken from a queue, by outcome: handled, or failed (retried, parked, or given back).",
    ["queue", "outcome"],
)
MESSAGE_SECONDS = Histogram(
    "kvar_message_seconds",
    "How long a message of a queue was in work, waiting for others of its batch and for outages included. Rising: add replicas.",
    ["queue"],
    buckets=SECONDS,
)
OUTAGES = Counter(
    "kvar_outages_total", "Times that work waited for broker or database. Rising: look at their health.", ["service"]
)
ALERTS = Counter(
    "kvar_alerts_total",
    "Alerts by what became of them (sent, uncertain, pending, undeliverable, superseded, withdrawn, withheld, needless, joined). "
    "Pending rising: staff data are missing. Uncertain rising: the mail system takes mails and does not say so; mend it, then "
    "`kvar alerts retry --state uncertain`.",
    ["outcome"],
)
OPEN_ALERTS = Gauge(
    "kvar_open_alerts",
    "Alerts not yet mailed, by state, counted over all replicas. pending or undeliverable: `kvar alerts list` says which, and "
    "staff data mend it; due for long: look at the mail system (`kvar_mail_failures_total`) and at ingest.",
    ["state"],
)
MAIL_FAILURES = Counter(
    "kvar_mail_failures_total",
    "Attempts to hand a mail over that failed, by cause. away: no connection or no answer. sender: the mail system refuses us "
    "(address or password of KVAR_SMTP_URL, KVAR_MAIL_FROM, a block list). everybody: it refuses all who may be told. "
    "unanswered: given the mail, it never answered. address, unusable: one address is bad; `kvar alerts list` says which.",
    ["cause"],
)
FRESHNESS = Gauge(
    "kvar_unit_fresh_until_timestamp_seconds",
    "Newest school day with a taken register, by school unit. Days behind: the unit forgets to register, or its feed is down.",
    ["authority", "school_unit"],
)
UNITS_NOT_SHOWN = Gauge(
    "kvar_units_without_freshness",
    "School units that kvar_unit_fresh_until_timestamp_seconds leaves out, by authority: it shows the 500 with most students. "
    "Not zero: look whether the authority's codes of school units are ones.",
    ["authority"],
)
