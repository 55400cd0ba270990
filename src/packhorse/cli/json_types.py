"""The type of the object that each command prints with `--json`; the reference and the tests read it."""

from __future__ import annotations

from typing import Any

from packhorse.app.inspect.collect import CollectedTable
from packhorse.app.inspect.doctor import Checkup
from packhorse.app.inspect.efficiency import EfficiencyReport
from packhorse.app.inspect.explain import Explanation
from packhorse.app.inspect.logs import JobLogs, Logs
from packhorse.app.inspect.provenance import Provenance
from packhorse.app.inspect.runs import Runs
from packhorse.app.inspect.status import NoRuns, RunStatus, ScriptJobStatus
from packhorse.app.inspect.summary import SummaryTable
from packhorse.app.jobs.diagnose import Diagnosis
from packhorse.app.jobs.jobs import JobList
from packhorse.app.jobs.lint import LintReport
from packhorse.app.jobs.queues import SiteQueues
from packhorse.app.jobs.script import ScriptOutput
from packhorse.app.jobs.submit import SubmittedJob
from packhorse.app.jobs.translate import TranslatedScript
from packhorse.app.runs.du import DiskUsage
from packhorse.app.runs.rerun import Rerun
from packhorse.app.runs.run_output import DetachedRun, RunResult
from packhorse.app.sites.choose import Choices
from packhorse.app.sites.connect import ClosedConnection, ConnectionStatus
from packhorse.app.sites.env import Environments, RemovedEnvironments
from packhorse.app.sites.modules import Listing, Trial
from packhorse.app.sites.probe import ProbeReport
from packhorse.app.sites.put import TransferredPath, Uploads
from packhorse.app.sites.show import SiteDescription
from packhorse.app.sites.sites import SiteList
from packhorse.app.studies.adopt import AdoptReport
from packhorse.app.studies.check import CheckReport
from packhorse.app.studies.plan import StudyPlan
from packhorse.app.usage.cost import CostReport
from packhorse.app.usage.pilot import PilotReport
from packhorse.app.usage.scaling import ScalingReport

# By the words of the command. A command that prints one of several objects names them in their `format`.
JSON_TYPES: dict[str, tuple[type[Any], ...]] = {
    "run": (RunResult, DetachedRun),
    "map": (RunResult, DetachedRun),
    "plan": (StudyPlan,),
    "pilot": (PilotReport, ScalingReport),
    "status": (RunStatus, ScriptJobStatus, NoRuns),
    "put": (Uploads,),
    "get": (TransferredPath,),
    "runs": (Runs,),
    "logs": (Logs, JobLogs),
    "diagnose": (Diagnosis,),
    "explain": (Explanation,),
    "collect": (CollectedTable,),
    "summary": (SummaryTable,),
    "check": (CheckReport,),
    "efficiency": (EfficiencyReport,),
    "cost": (CostReport,),
    "retry": (RunResult, DetachedRun),
    "rerun": (Rerun,),
    "provenance": (Provenance,),
    "connect": (ConnectionStatus, ClosedConnection),
    "lint": (LintReport,),
    "adopt": (AdoptReport,),
    "translate": (TranslatedScript,),
    "submit": (SubmittedJob,),
    "queues": (SiteQueues,),
    "jobs": (JobList,),
    "script": (ScriptOutput,),
    "sites": (SiteList,),
    "sites show": (SiteDescription,),
    "sites choose": (Choices,),
    "sites probe": (ProbeReport,),
    "modules": (Listing, Trial),
    "env": (Environments, RemovedEnvironments),
    "du": (DiskUsage,),
    "doctor": (Checkup,),
}
