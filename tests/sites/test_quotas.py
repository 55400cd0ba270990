"""What quotas leave, by what their programs print: forms as they stand in manual pages and in what sites show."""

from __future__ import annotations

import pytest

from packhorse.sites.quotas import (
    GPFS,
    MountedPath,
    QuotaLeft,
    parse_quota,
    quota_command,
    site_quota_command,
)

LUSTRE = MountedPath(path="/lustre7/home/me/x", kind="lustre", device="mgs@tcp:/l7", mount="/lustre7")
NFS = MountedPath(path="/home/me", kind="nfs4", device="server:/export/home", mount="/home")
DISK = MountedPath(path="/home/me", kind="ext4", device="/dev/sda1", mount="/")
GPFS_AREA = MountedPath(path="/gpfs/work/me", kind="gpfs", device="/dev/gpfs0", mount="/gpfs")
KIB = 1024
HEAD = (
    "mmlsquota::HEADER:version:reserved:reserved:filesystemName:quotaType:id:name:blockUsage:blockQuota:blockLimit:"
    "blockInDoubt:blockGrace:filesUsage:filesQuota:filesLimit:filesInDoubt:filesGrace:remarks:quota:defQuota:fid:filesetname:\n"
)
FORMS = {
    "lfs quota -u": (
        LUSTRE,
        """Disk quotas for usr me (uid 1001):
      Filesystem  kbytes   quota   limit   grace   files   quota   limit   grace
        /lustre7 982177580       0 1000000000       - 443208230       0       0       -
uid 1001 is using default file quota setting
""",
        (17822420 * KIB, None),
    ),
    "lfs quota -q, a name that is long, more used than the soft limit": (
        LUSTRE,
        "  /lustre7/home/me\n                 5242880*  4194304 6291456  6d23h   120000  0  1000000       -\n",
        (1048576 * KIB, 880000),
    ),
    "lfs quota -q, the grace is over": (
        LUSTRE,
        "/lustre7 5242880*  4194304 6291456  none   120000  0  1000000       -\n",
        (0, 880000),
    ),
    "lfs quota -h": (
        MountedPath(path="/home/mila/m/me", kind="lustre", mount="/home/mila"),
        "     /home/mila  99.5G      0k    100G       -  921718       0 1048576       -\n",
        ((1 << 30) // 2, 126858),
    ),
    "lfs quota, some servers did not answer": (
        LUSTRE,
        "  /lustre7 [1041408]  5242880 6291456       -     [0]       0       0       -\n",
        ((6291456 - 1041408) * KIB, None),
    ),
    "quota -w": (
        NFS,
        """Disk quotas for user me (uid 1001):
     Filesystem  blocks   quota   limit   grace   files   quota   limit   grace
      /dev/sda1  4096*  4000  5000   6days    1000       0       0
server:/export/home  2000  3000  4000  10  0  15
""",
        (2000 * KIB, 5),
    ),
    "quota -w, a grace is under way": (
        DISK,
        "      /dev/sda1  4096*  4000  5000   6days    1000       0       0\n",
        (904 * KIB, None),
    ),
    "quota -w -p": (
        NFS,
        "server:/export/home 4000* 3000 4000 1795578239 10 0 0 0\n",
        (0, None),
    ),
    "quota -s": (
        MountedPath(path="/nfs_global/me", kind="nfs", device="filer:/g", mount="/nfs_global"),
        "    /nfs_global    479G   5120G   7168G            352k   5000k  10000k\n",
        (6689 << 30, 9648000),
    ),
    "quota, a name that is long": (
        NFS,
        "server:/export/home\n                 2000  3000  4000              10     0      15\n",
        (2000 * KIB, 5),
    ),
    "mmlsquota -Y": (
        GPFS_AREA,
        HEAD + "mmlsquota::0:1:::gpfs0:GRP:100:lab:1:2:3:0:none:1:0:0:0:none:e:on:off:::\n"
        "mmlsquota::0:1:::gpfs0:USR:1001:me:1048576:2097152:3145728:0:none:1000:0:5000:0:none:e:on:off:::\n"
        "mmlsquota::0:1:::gpfs1:USR:1001:me:10:20:30:0:2 days:1:0:0:0:none:e:on:off:::\n",
        (2097152 * KIB, 4000),
    ),
    "mmlsquota -Y, the grace is over": (
        GPFS_AREA,
        HEAD
        + "mmlsquota::0:1:::gpfs0:USR:1001:me:2500000:2097152:3145728:0:expired:1000:0:0:0:none:e:on:off:::\n",
        (0, None),
    ),
}
UNKNOWN = {
    "nothing": "",
    "no quota": "Disk quotas for user me (uid 1001): none\n",
    "not Lustre": "lfs quota: '/home/me' not on a mounted Lustre filesystem\n",
    "another file system": "/elsewhere 1 2 3 - 4 5 6 -\n",
    "a name that only begins alike": "/lustre 1 2 3 - 4 5 6 -\n",
    "a table of a site's own": "Area  Used  Of\n/lustre7 3 TB 10 TB 30% of 5\n",
    "words": "/lustre7 a b c d e f g h\n",
    "which of two counts nobody knows": "/lustre7 1 2 3 - 4 5 6 -\n/lustre7 9 9 9 - 9 9 9 -\n",
    "GPFS without rows": HEAD,
    "GPFS in ruins": HEAD + "mmlsquota::0:1\nmmlsquota::0:1:::/lustre7:USR:1:me:x:y:z\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_what_is_left_is_read(form: str) -> None:
    where, text, (size, files) = FORMS[form]
    found = parse_quota(text, where)
    assert found is not None
    assert (found.bytes, found.files) == (size, files)


@pytest.mark.parametrize("form", UNKNOWN)
def test_what_is_not_understood_is_not_known(form: str) -> None:
    assert parse_quota(UNKNOWN[form], LUSTRE) is None


def test_no_limit_is_no_limit() -> None:
    assert parse_quota("/lustre7 100 0 0 - 5 0 0 -", LUSTRE) == QuotaLeft(name="/lustre7")


def test_each_file_system_is_asked_by_its_own_program() -> None:
    programs = {"lfs": "/bin/lfs", "mmlsquota": "", "quota": "/bin/quota"}
    said = [quota_command(one, "me", programs) for one in (LUSTRE, GPFS_AREA, NFS)]
    assert [one and one.argv for one in said] == [
        ("/bin/lfs", "quota", "-q", "-u", "me", "/lustre7"),
        (GPFS, "-u", "me", "-Y"),
        ("/bin/quota", "-w", "-p", "-u", "me"),
    ]
    assert quota_command(MountedPath(path="/x", kind="tmpfs"), "me", programs) is None
    assert quota_command(LUSTRE, "me", {}) is None
    assert site_quota_command("lfs quota -u $USER /x").argv == ("bash", "-lc", "lfs quota -u $USER /x")
