"""The reason codes of Slurm 22.05 to 25.11: job_reason_codes.html, and job_state_reason.c for those it leaves out."""

from __future__ import annotations

_PLAIN = """
None Prolog Priority Dependency Resources PartitionNodeLimit PartitionTimeLimit PartitionDown PartitionInactive JobHeldAdmin
JobHeldUser BeginTime Licenses AssociationJobLimit AssociationResourceLimit AssociationTimeLimit Reservation ReqNodeNotAvail
FrontEndDown SchedDefer NodeDown BadConstraints SystemFailure JobLaunchFailure NonZeroExitCode RaisedSignal TimeLimit InactiveLimit
InvalidAccount InvalidQOS QOSUsageThreshold QOSJobLimit QOSResourceLimit QOSTimeLimit Cleaning QOSNotAllowed AccountNotAllowed
DependencyNeverSatisfied JobHoldMaxRequeue JobArrayTaskLimit BurstBufferResources BurstBufferStageIn BurstBufferOperation
PowerNotAvail PowerReserved DeadLine PartitionConfig AccountingPolicy FedJobLock OutOfMemory MaxMemPerLimit ReservationDeleted
ReservationInvalid Constraints
"""
_LIMITS = """
AssocGrpCpuLimit AssocGrpCPUMinutesLimit AssocGrpCPURunMinutesLimit AssocGrpJobsLimit AssocGrpMemLimit AssocGrpNodeLimit
AssocGrpSubmitJobsLimit AssocGrpWallLimit AssocMaxJobsLimit AssocMaxCpuPerJobLimit AssocMaxCpuMinutesPerJobLimit
AssocMaxNodePerJobLimit AssocMaxWallDurationPerJobLimit AssocMaxSubmitJobLimit AssocMaxCpuPerNode AssocGrpMemMinutes
AssocGrpMemRunMinutes AssocMaxMemPerJob AssocMaxMemPerNode AssocMaxMemMinutesPerJob AssocGrpNodeMinutes AssocGrpNodeRunMinutes
AssocMaxNodeMinutesPerJob
QOSGrpCpuLimit QOSGrpCPUMinutesLimit QOSGrpCPURunMinutesLimit QOSGrpJobsLimit QOSGrpMemLimit QOSGrpNodeLimit QOSGrpSubmitJobsLimit
QOSGrpWallLimit QOSMaxCpuPerJobLimit QOSMaxCpuMinutesPerJobLimit QOSMaxNodePerJobLimit QOSMaxWallDurationPerJobLimit
QOSMaxCpuPerUserLimit QOSMaxJobsPerUserLimit QOSMaxNodePerUserLimit QOSMaxSubmitJobPerUserLimit QOSMinCpuNotSatisfied
QOSMaxCpuPerNode QOSGrpMemoryMinutes QOSGrpMemoryRunMinutes QOSMaxMemoryPerJob QOSMaxMemoryPerNode QOSMaxMemoryPerUser
QOSMaxMemoryMinutesPerJob QOSMinMemory QOSGrpNodeMinutes QOSGrpNodeRunMinutes QOSMaxNodeMinutesPerJob QOSMinNode
MaxCpuPerAccount MaxNodePerAccount MaxMemoryPerAccount MaxJobsPerAccount MaxSubmitJobsPerAccount
"""
# These come in the same forms for each kind of thing.
_THINGS = ("Unknown", "Energy", "GRES", "License", "BB", "Billing")
_FORMS = """
AssocGrp{0} AssocGrp{0}Minutes AssocGrp{0}RunMinutes AssocMax{0}PerJob AssocMax{0}PerNode AssocMax{0}MinutesPerJob
QOSGrp{0} QOSGrp{0}Minutes QOSGrp{0}RunMinutes QOSMax{0}PerJob QOSMax{0}PerNode QOSMax{0}PerUser QOSMax{0}MinutesPerJob QOSMin{0}
Max{0}PerAccount
"""

LIMITS = tuple(_LIMITS.split()) + tuple(form.format(thing) for thing in _THINGS for form in _FORMS.split())
CODES = tuple(_PLAIN.split()) + LIMITS
