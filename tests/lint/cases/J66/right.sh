#!/bin/bash
# not -q short
#PBS -q long
hostname
