#!/bin/bash
#SBATCH --ntasks=1
cat > inner.sh <<EOF
#!/bin/bash
#SBATCH --mem=8G
hostname
EOF
echo "
#SBATCH --mem=4G
" > other.sh
sbatch inner.sh
