#!/bin/bash
#SBATCH --ntasks=1
python - <<EOF
n = 5
EOF
[ "$N" = 5 ] && echo five
if [[ $N == 5 ]]; then expr 1 = 1; fi
