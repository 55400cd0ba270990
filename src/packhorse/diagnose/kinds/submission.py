"""Why a scheduler refused a job when it was submitted."""

from packhorse.diagnose.kind import Kind

KINDS = (
    Kind(
        id="partition-unknown",
        patterns=(
            r"invalid partition specified: (?P<name>\S+)",
            r"Invalid partition name specified",
            r"qsub: (?:submit error \()?Unknown queue",
        ),
        sentence="The partition {name} does not exist at this site.",
        remedy="packhorse queues SITE lists its partitions.",
        change="partition",
    ),
    Kind(
        id="partition-closed",
        patterns=(
            r"User's group not permitted to use this partition",
            r"Queue is not enabled",
            r"Access to queue is denied",
        ),
        sentence="You may not use this partition, or it is closed.",
        remedy="Choose another one (packhorse queues SITE), or ask the site for access.",
        change="partition",
    ),
    Kind(
        id="account-invalid",
        patterns=(r"Invalid account or account/partition combination", r"Invalid Account"),
        sentence="The account is missing, wrong, or may not use this partition.",
        remedy="Write #SBATCH --account=NAME; sacctmgr show assoc user=$USER lists your accounts.",
    ),
    Kind(
        id="qos-invalid",
        patterns=(r"Invalid qos specification",),
        sentence="The quality of service (--qos) does not exist, or you may not use it.",
        remedy="Leave --qos out, or take one that sacctmgr show assoc user=$USER format=qos lists.",
    ),
    Kind(
        id="time-too-long",
        patterns=(r"Requested time limit is invalid", r"cannot satisfy queue max walltime"),
        sentence="The job asks for more time than the partition allows, or for none where it is needed.",
        remedy="Ask for less time, or choose a longer partition: packhorse queues SITE.",
        change="partition",
    ),
    Kind(
        id="too-large",
        patterns=(
            r"Memory specification can not be satisfied",
            r"Requested node configuration is not available",
            r"More processors requested than permitted",
            r"Node count specification invalid",
            r"cannot (?:locate feasible nodes|satisfy queue max)",
            r"Job violates queue and/or server resource limits",
        ),
        sentence="No node of the partition has what the job asks for.",
        remedy="Ask for fewer cores, nodes or GPUs, or less memory: packhorse queues SITE shows what there is.",
        change="partition",
    ),
    Kind(
        id="submit-limit",
        patterns=(
            r"(?P<what>QOSMax\w+|AssocMax\w+|AssocGrp\w+|QOSGrp\w+)",
            r"Job violates accounting/QOS policy",
            r"would exceed (?:queue|server).*limit",
        ),
        sentence="You have reached a limit of the site for jobs or resources: {what}.",
        remedy="Wait until other jobs have ended, or submit fewer or smaller ones.",
    ),
    Kind(
        id="array-invalid",
        patterns=(
            r"Invalid job array specification",
            r"Bad Job Array Request",
            r"illegal -J value",
            r"Array job exceeds",
        ),
        sentence="The range of the array is wrong, or larger than the site allows.",
        remedy="Write a range such as 1-100; scontrol show config | grep MaxArraySize shows the limit.",
    ),
    Kind(
        id="dependency-invalid",
        patterns=(r"Job dependency problem", r"Invalid Job Dependency", r"illegal -W (?:dependency )?value"),
        sentence="The job depends on a job that does not exist, or in a form that the scheduler does not know.",
        remedy="Write the number of a job that is queued or running: --dependency=afterok:JOB.",
    ),
    Kind(
        id="constraint-invalid",
        patterns=(
            r"Invalid feature specification",
            r"Invalid node name specified",
            r"Requested nodes not in this partition",
        ),
        sentence="The feature or node that the job asks for does not exist in this partition.",
        remedy="Leave --constraint and --nodelist out, or see sinfo -o '%P %N %f'.",
    ),
    Kind(
        id="gres-invalid",
        patterns=(r"Invalid generic resource \(gres\) specification", r"Unknown resource:? .*gpu"),
        sentence="The site does not know this kind of GPU or other resource.",
        remedy="packhorse queues SITE shows the names of GPUs; write --gpus-per-node=1 for any.",
    ),
    Kind(
        id="resource-unknown",
        patterns=(r"Unknown resource(?: type)? +(?:Resource_List\.)?(?P<name>\S+?)\)?$",),
        sentence="The scheduler does not know the resource {name}.",
        remedy="Remove it from -l; packhorse translate rewrites a script for another scheduler.",
    ),
    Kind(
        id="directive-invalid",
        patterns=(
            r"sbatch: unrecognized option '(?P<what>[^']+)'",
            r"sbatch: error: Invalid directive found in batch script: (?P<what>.+)",
            r"sbatch: error: (?P<what>Invalid (?:--\S+ specification|numeric value.*)|\".*\" is not a valid .*)",
            r"sbatch: fatal: (?P<what>.* mutually exclusive.*)",
            r"qsub: (?:directive error: |submit error \()?(?P<what>(?:Illegal attribute|invalid option|illegal -).*)",
        ),
        sentence="The scheduler does not accept a directive: {what}",
        remedy="packhorse lint JOB.sh shows the line, and how to write it.",
        rules=("J18", "J20", "J57", "J58"),
    ),
    Kind(
        id="dos-line-ends",
        patterns=(r"Batch script contains DOS line breaks", r"\^M: bad interpreter", r"\$'.*\\r'"),
        sentence="The script has Windows line ends.",
        remedy="packhorse lint JOB.sh --fix removes them, as dos2unix JOB.sh does.",
        weight="first",
        rules=("J05",),
    ),
    Kind(
        id="no-shebang",
        patterns=(r"This does not look like a batch script",),
        sentence="The first line of the script does not name an interpreter.",
        remedy="Write #!/bin/bash as its first line.",
        rules=("J06",),
    ),
    Kind(
        id="script-missing",
        patterns=(
            r"error: Unable to open file (?P<path>\S+)",
            r"script file.*: ?No such file or directory",
            r"script not a file",
            r"Batch script is empty",
        ),
        sentence="The script {path} does not exist, cannot be read, or is empty.",
        remedy="Check its name and the folder from which you submit.",
    ),
)
