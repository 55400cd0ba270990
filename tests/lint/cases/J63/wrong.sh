#!/bin/bash
#SBATCH --ntasks=1
<<<<<<< HEAD
python a.py
=======
python b.py
>>>>>>> main
