#!/bin/bash
#SBATCH --ntasks=1
# =======
cat <<<"<<<<<<<"
python a.py
