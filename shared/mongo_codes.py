"""What MongoDB's error codes mean for the work that met them: the database's own trouble, or something that can never be stored.

Numbers, names and categories are the server's own (`src/mongo/base/error_codes.yml` of github.com/mongodb/mongo, 6.0 to 9.0),
those that drivers try again by are in `pymongo.helpers_shared` as well, and the storage engine's errors become these by
`wiredtiger_error_util.cpp`: out of files `TooManyFilesOpen`, busy `ObjectIsBusy`, a rollback `WriteConflict` or
`TemporarilyUnavailable`. Every other error of its, a full disk and a panic among them, is an `UnknownError` or `InternalError`,
which tells nothing: what is in neither table is unclear. No code means a duplicate key here: that is an outcome, not a failure.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum


class Meaning(Enum):
    """What is to become of the work."""

    OUTAGE = "outage"
    """The same will work later."""
    UNSTORABLE = "unstorable"
    """The same will never work."""
    UNCLEAR = "unclear"


_UNREACHABLE = {
    6: "HostUnreachable",
    7: "HostNotFound",
    70: "ShardNotFound",
    71: "ReplicaSetNotFound",
    74: "NodeNotFound",
    89: "NetworkTimeout",
    133: "FailedToSatisfyReadPreference",
    145: "PooledConnectionsDropped",
    149: "NoConfigPrimary",
    172: "TransportSessionClosed",
    317: "ConnectionPoolExpired",
    384: "ConnectionError",
    515: "ConnectionClosedByPeer",
    516: "ConnectionEstablishmentTimeout",
    9001: "SocketException",
}
_NOT_PRIMARY = {
    94: "NotYetInitialized",
    95: "NotSecondary",
    109: "ConfigurationInProgress",
    189: "PrimarySteppedDown",
    216: "ElectionInProgress",
    488: "PrimaryOnlyServiceInitializing",
    506: "NodeInStepDownPeriod",
    10058: "LegacyNotPrimary",
    10107: "NotWritablePrimary",
    13435: "NotPrimaryNoSecondaryOk",
    13436: "NotPrimaryOrSecondary",
}
_INTERRUPTED = {
    24: "LockTimeout",
    91: "ShutdownInProgress",
    237: "CursorKilled",
    279: "ClientDisconnect",
    333: "ServiceExecutorInShutdown",
    355: "InterruptedDueToStorageChange",
    372: "CloseConnectionForShutdownCommand",
    453: "InterruptedDueToReshardingCriticalSection",
    471: "InterruptedDueToAddShard",
    473: "InterruptedDueToOverload",
    11600: "InterruptedAtShutdown",
    11601: "Interrupted",
    11602: "InterruptedDueToReplStateChange",
    46841: "ClientMarkedKilled",
    91331: "RetriableRemoteCommandFailure",
    10045600: "InterruptedDueToFCVChange",
}
_TOO_SLOW = {
    50: "MaxTimeMSExpired",
    202: "NetworkInterfaceExceededTimeLimit",
    262: "ExceededTimeLimit",
    290: "TransactionExceededLifetimeLimitSeconds",
    407: "PooledConnectionAcquisitionExceededTimeLimit",
}
_WRITE_CONCERN = {
    64: "WriteConcernTimeout",
    75: "WriteConcernLegacyOK",
    79: "UnknownReplWriteConcern",
    100: "UnsatisfiableWriteConcern",
    134: "ReadConcernMajorityNotAvailableYet",
}
_FULL_OR_READ_ONLY = {
    371: "UserWritesBlocked",
    507: "ReplicaSetWritesBlocked",
    8000: "AtlasError",  # the hosted service's own refusals, such as "over your space quota"
    14031: "OutOfDiskSpace",
}
_OUT_OF_MEANS = {
    37: "FileRenameFailed",
    39: "FileStreamFailed",
    42: "LogWriteFailed",
    46: "LockBusy",
    107: "LockFailed",
    112: "WriteConflict",
    117: "ConflictingOperationInProgress",
    176: "FileOpenFailed",
    208: "TooManyLocks",
    215: "DatabaseDropPending",
    264: "TooManyFilesOpen",
    314: "ObjectIsBusy",
    365: "TemporarilyUnavailable",
    402: "ResourceExhausted",
    412: "UpdatesStillPending",
    433: "AdmissionQueueOverflow",
    449: "RateLimitExceeded",
    450: "PooledConnectionAcquisitionRejected",
    462: "IngressRequestRateLimitExceeded",
    509: "TooManyOpenTransactions",
    12586: "BackgroundOperationInProgressForDatabase",
    12587: "BackgroundOperationInProgressForNamespace",
    50915: "BackupCursorOpenConflictWithCheckpoint",
}
_OUTDATED = {
    # What was read belongs to a state that has gone: the same read from its beginning succeeds.
    43: "CursorNotFound",
    150: "StaleEpoch",
    175: "QueryPlanKilled",
    239: "SnapshotTooOld",
    246: "SnapshotUnavailable",
    249: "StaleDbVersion",
    250: "StaleChunkHistory",
    13388: "StaleConfig",
}
_NO_ACCESS = {
    # Ours to mend in the settings, and no message's fault.
    11: "UserNotFound",
    13: "Unauthorized",
    18: "AuthenticationFailed",
    31: "RoleNotFound",
    334: "MechanismUnavailable",
    391: "ReauthenticationRequired",
}

OUTAGES = {
    **_UNREACHABLE,
    **_NOT_PRIMARY,
    **_INTERRUPTED,
    **_TOO_SLOW,
    **_WRITE_CONCERN,
    **_FULL_OR_READ_ONLY,
    **_OUT_OF_MEANS,
    **_OUTDATED,
    **_NO_ACCESS,
}
"""The database's own trouble, by code."""

UNSTORABLE = {
    2: "BadValue",
    9: "FailedToParse",
    14: "TypeMismatch",
    15: "Overflow",
    16: "InvalidLength",
    22: "InvalidBSON",
    52: "DollarPrefixedFieldName",
    53: "InvalidIdField",
    54: "NotSingleValueField",
    55: "InvalidDBRef",
    56: "EmptyFieldName",
    57: "DottedFieldName",
    116: "DocTooLargeForCapped",
    121: "DocumentValidationFailure",
    171: "CannotIndexParallelArrays",
    201: "CannotBuildIndexKeys",
    357: "InvalidBSONType",
    378: "NonConformantBSON",
    10003: "CannotGrowDocumentInCappedNamespace",
    10334: "BSONObjectTooLarge",
    17280: "KeyTooLong",
    17419: "DocumentTooLargeAfterUpdate",  # without a name in the server
    17420: "DocumentTooLargeAfterUpsert",  # likewise
}
"""What the database will never take, by code."""

_UNCLEAR = {1: "InternalError", 8: "UnknownError"}

PASSING_LABELS = frozenset(
    {"RetryableWriteError", "TransientTransactionError", "SystemOverloadedError", "RetryableError"}
)
"""Labels by which the server says, of any code, that the same may succeed later."""


def meaning(codes: Iterable[int | None]) -> Meaning:
    """What some failures mean together: an outage if one of them is, since the rest then shows when the same is done again.

    Args:
        codes: of each failure, None where the server gave no code.
    """
    each = {_meaning(code) for code in codes}
    return next((one for one in (Meaning.OUTAGE, Meaning.UNSTORABLE) if one in each), Meaning.UNCLEAR)


def code_name(code: int) -> str | None:
    """What the server calls it, if it is known here."""
    return (OUTAGES | UNSTORABLE | _UNCLEAR).get(code)


def _meaning(code: int | None) -> Meaning:
    if code in OUTAGES:
        return Meaning.OUTAGE
    return Meaning.UNSTORABLE if code in UNSTORABLE else Meaning.UNCLEAR
