#!/bin/bash
#PBS -q long # not -q short
hostname
