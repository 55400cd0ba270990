"""A site in whose file every key is said, and what it means."""

from __future__ import annotations

from packhorse.model.site import Site
from packhorse.model.site_parts import (
    Access,
    Archive,
    Energy,
    LoginLimits,
    Mail,
    Modules,
    NodeKind,
    Partition,
    Retired,
    Sourced,
    Storage,
)

FULL = """\
title: The ants' cluster
about: For ants of all departments
aliases: [hill, the-hill]
scheduler: torque
scheduler_version: 6.1.3
system: RHEL 8
interconnect: InfiniBand
login: ssh://me@ant.example.org:2222
hosts: [ant.example.org, ant-login?]
partitions:
  work:
    about: Work of all kinds
    purpose: [parallel, gpu]
    nodes: 40
    cores: 64
    memory: 250 GB
    gpus: 4
    gres: gpu:a100
    gpu: NVIDIA A100
    kinds:
      large: {nodes: 2, cores: 64, memory: 250 GB, gpus: 4, gres: gpu:a100, gpu: A100, constraint: "kind=large", doubt: two or three}
      small: {cores: 8}
    default_time: 1 h
    max_time: 3 days
    min_nodes: 2
    max_nodes: 8
    max_cores: 128
    max_gpus: 2
    max_user_jobs: 10
    max_user_queued: 50
    max_user_gpus: 6
    default: true
    test: false
    by_request: true
    open_to: The queen's friends
    whole_nodes: true
    machine: aarch64
    exclusive_kind: small
    by_gpu: true
    was: [labour, toil]
    source: https://ant.example.org/work
    date: 2026-10
    doubt: who counts
  "short": {purpose: test}
  bare:
max_array_index: 1000
max_jobs: 500
max_user_cores: 512
max_user_memory: 2 TB
default_memory: 1.5 GB
account_needed: true
account_about: the number of your chamber
array_mail: false
mail: {when: [end, fail], addresses: "@ant.example.org", about: short}
compute_submits: false
compute_internet: false
setup: [source /etc/profile, ulimit -c 0]
modules:
  system: lmod
  load: module add
  setup: source /etc/profile
  loaded: xalt
  known: [r/4.5.1, conda]
  python: python/3.13.5
  r: r/4.5.1
launcher: mpirun -q
storage:
  home: {path: $HOME, purpose: [home, code], quota: 10 GB, inodes: 100000, backup: true, retention: for 90 days}
  quick:
    path: /quick/{project}
    purpose: runs
    quota_per: project
    backup: false
    purge: 4 weeks
    purge_clock: access
    speed: quick
    about: few small files
  node: {path: $TMPDIR, purpose: scratch, local: true}
quota_commands: [antquota, lfs quota -h -u $USER /quick]
archive: {title: Amber, quota: 50 TB, modules: hpss, min_file: 1 MB, max_file: 68 GB, closed: Sundays, about: slow}
scratch: /scratch/$USER
login_limits: {cpu_time: 20 min, memory: 8 GB, processes: 100, about: even in tmux}
energy: {core: 7.5, memory: 0.4, pue: 1.2, carbon: 231, price: 0.02, currency: ANT, about: from leaves}
build_on: job
idle: 60 min
sessions: 4
poll: 90 s
latency: 500 ms
access:
  who: ants
  steps: [Ask the queen., Wait.]
  delay: a day
  asks: password and feelers
  keys: not accepted
  denied: wait
  help: queen@ant.example.org
  help_not: in spring
maintenance: Sundays
rules: No jobs of seconds.
documentation: [https://ant.example.org, https://hill.example.org]
retired: {successors: [bee, wasp], date: 2026-12-01, about: flooded}
source: https://ant.example.org
date: 2026-11-23
doubt: the number of ants
sources:
  hosts: {source: https://ant.example.org/login, date: 2023-08, doubt: one may be gone}
"""
WORK = Partition(
    name="work",
    about="Work of all kinds",
    purpose=("parallel", "gpu"),
    nodes=40,
    cores=64,
    memory=250 * 1024,
    gpus=4,
    gres="gpu:a100",
    gpu="NVIDIA A100",
    kinds=(
        NodeKind(
            name="large",
            nodes=2,
            cores=64,
            memory=250 * 1024,
            gpus=4,
            gres="gpu:a100",
            gpu="A100",
            constraint="kind=large",
            doubt="two or three",
        ),
        NodeKind(name="small", cores=8),
    ),
    default_time=3600,
    max_time=3 * 86400,
    min_nodes=2,
    max_nodes=8,
    max_cores=128,
    max_gpus=2,
    max_user_jobs=10,
    max_user_queued=50,
    max_user_gpus=6,
    default=True,
    by_request=True,
    open_to="The queen's friends",
    whole_nodes=True,
    machine="aarch64",
    exclusive_kind="small",
    by_gpu=True,
    was=("labour", "toil"),
    source="https://ant.example.org/work",
    date="2026-10",
    doubt="who counts",
)
SHORT = Partition(name="short", purpose=("test",), test=True)
STORAGE = (
    Storage(
        name="home",
        path="$HOME",
        purpose=("home", "code"),
        quota=10 * 1024,
        inodes=100000,
        backup=True,
        retention="for 90 days",
    ),
    Storage(
        name="quick",
        path="/quick/{project}",
        purpose=("runs",),
        quota_per="project",
        backup=False,
        purge=28 * 86400,
        purge_clock="access",
        speed="quick",
        about="few small files",
    ),
    Storage(name="node", path="$TMPDIR", purpose=("scratch",), local=True),
)
ANT = Site(
    name="ant",
    title="The ants' cluster",
    about="For ants of all departments",
    aliases=("hill", "the-hill"),
    scheduler="torque",
    scheduler_version="6.1.3",
    system="RHEL 8",
    interconnect="InfiniBand",
    login="ssh://me@ant.example.org:2222",
    hosts=("ant.example.org", "ant-login?"),
    partitions=(WORK, SHORT, Partition(name="bare")),
    max_array_index=1000,
    max_jobs=500,
    max_user_cores=512,
    max_user_memory=2 * 1024**2,
    default_memory=1536,
    account_needed=True,
    account_about="the number of your chamber",
    array_mail=False,
    mail=Mail(when=("end", "fail"), addresses="@ant.example.org", about="short"),
    compute_submits=False,
    compute_internet=False,
    setup=("source /etc/profile", "ulimit -c 0"),
    modules=Modules(
        system="lmod",
        load="module add",
        setup=("source /etc/profile",),
        loaded=("xalt",),
        known=("r/4.5.1", "conda"),
        python="python/3.13.5",
        r="r/4.5.1",
    ),
    launcher="mpirun -q",
    storage=STORAGE,
    quota_commands=("antquota", "lfs quota -h -u $USER /quick"),
    archive=Archive(
        title="Amber",
        quota=50 * 1024**2,
        modules=("hpss",),
        min_file=1,
        max_file=68 * 1024,
        closed="Sundays",
        about="slow",
    ),
    scratch="/scratch/$USER",
    login_limits=LoginLimits(cpu_time=1200, memory=8192, processes=100, about="even in tmux"),
    energy=Energy(core=7.5, memory=0.4, pue=1.2, carbon=231, price=0.02, currency="ANT", about="from leaves"),
    build_on="job",
    idle=3600,
    sessions=4,
    poll=90.0,
    latency=0.5,
    access=Access(
        who="ants",
        steps=("Ask the queen.", "Wait."),
        delay="a day",
        asks="password and feelers",
        keys="not accepted",
        denied="wait",
        help="queen@ant.example.org",
        help_not="in spring",
    ),
    maintenance="Sundays",
    rules=("No jobs of seconds.",),
    documentation=("https://ant.example.org", "https://hill.example.org"),
    retired=Retired(successors=("bee", "wasp"), date="2026-12-01", about="flooded"),
    source="https://ant.example.org",
    date="2026-11-23",
    doubt="the number of ants",
    sources=(
        Sourced(
            name="hosts", source="https://ant.example.org/login", date="2023-08", doubt="one may be gone"
        ),
    ),
)
