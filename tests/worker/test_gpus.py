"""Which GPUs each slot of a job may use."""

from __future__ import annotations

import pytest

from packhorse.worker.slots.gpus import gpu_variables


@pytest.mark.parametrize(
    ("environ", "gpus", "parts"),
    [
        ({"CUDA_VISIBLE_DEVICES": "0,1,2,3"}, 1, ["0", "1", "2", "3"]),
        ({"CUDA_VISIBLE_DEVICES": "0,1,2,3"}, 2, ["0,1", "2,3"]),
        ({"CUDA_VISIBLE_DEVICES": "GPU-8f1c-20,GPU-77aa-3"}, 1, ["GPU-8f1c-20", "GPU-77aa-3"]),
        (
            {"CUDA_VISIBLE_DEVICES": "5,7"},
            1,
            ["5", "7", "5"],
        ),  # more slots than GPUs: on the user's own machine
        ({"CUDA_VISIBLE_DEVICES": "5"}, 2, [None]),  # less than a task asks for: left as it is
        ({"CUDA_VISIBLE_DEVICES": "0,1"}, 0, [None, None]),  # tasks ask for none
        ({"CUDA_VISIBLE_DEVICES": ""}, 1, [None]),
        ({}, 1, [None]),
    ],
)
def test_each_slot_has_gpus_of_its_own(environ: dict[str, str], gpus: int, parts: list[str | None]) -> None:
    found = [gpu_variables(environ, gpus, slot).get("CUDA_VISIBLE_DEVICES") for slot in range(len(parts))]
    assert found == parts


def test_every_list_is_divided_and_slurms_own_where_there_is_no_other() -> None:
    environ = {"CUDA_VISIBLE_DEVICES": "0,1", "ROCR_VISIBLE_DEVICES": "0,1", "SLURM_JOB_GPUS": "2,3"}
    assert gpu_variables(environ, 1, 1) == {"CUDA_VISIBLE_DEVICES": "1", "ROCR_VISIBLE_DEVICES": "1"}
    assert gpu_variables({"SLURM_JOB_GPUS": "0,1,2,3"}, 2, 1) == {"CUDA_VISIBLE_DEVICES": "2,3"}
