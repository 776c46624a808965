#!/usr/bin/env bash
# What share of a core's multiply-adds the inner loops of the NEON kernels can reach: llvm-mca on the loops as compiled.
# usage: bench/neon-mca.sh [compiler]; the default is clang-19 for aarch64, aarch64-linux-gnu-gcc does as well
# Loops without loops or calls inside are found in the assembly, the source needs no marks. Caches count as perfect.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
compiler=${1:-clang-19 --target=aarch64-linux-gnu}
mca=${LLVM_MCA:-llvm-mca-19}
least=12 # multiply-adds of a loop that is listed
most=4   # loops of a kernel that are listed, the longest
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cycles() { # core, file: cycles of one iteration
    "$mca" -mtriple=aarch64 -mcpu="$1" -iterations=100 "$2" 2>/dev/null | awk '/^Total Cycles:/ { print $3 / 100 }'
}

$compiler -std=c11 -O3 -ffp-contract=off -fno-math-errno -Inative/include -Inative/src -S -o "$work/kernels.s" \
    native/src/neon/kernels_neon.c

# Writes each innermost loop to a file of its own and a line "function file multiply-adds instructions loads stores".
awk -v work="$work" -v least="$least" '
    function close_function(    i, j, k, inner, file, fmla, loads, stores, calls, n) {
        for (i = 1; i <= loops; i++) {
            inner = 1
            for (j = 1; j <= loops; j++) if (j != i && first[j] >= first[i] && last[j] <= last[i]) inner = 0
            if (!inner) continue
            file = work "/" name "." first[i]
            fmla = loads = stores = calls = n = 0
            for (k = first[i]; k <= last[i]; k++) {
                if (text[k] !~ /^\t[a-z]/) continue
                n++
                fmla += text[k] ~ /^\tfmla\tv/
                loads += text[k] ~ /^\tld/
                stores += text[k] ~ /^\tst/
                calls += text[k] ~ /^\tblr?[ \t]/
            }
            if (fmla < least || calls) continue
            for (k = first[i]; k <= last[i]; k++) if (text[k] ~ /^\t[a-z]/) print text[k] > file
            close(file)
            print name, file, fmla, n, loads, stores
        }
        loops = 0
        split("", label)
    }
    { sub(/[ \t]*(\/\/|;).*/, ""); text[NR] = $0 }
    /^[A-Za-z_][A-Za-z0-9_.]*:/ { close_function(); name = $1; sub(/:.*/, "", name); sub(/^cp_f32_/, "", name) }
    /^\.L[A-Za-z0-9_]*:/ { at = $1; sub(/:.*/, "", at); label[at] = NR }
    /^\t(b[.a-z]*|cbn?z|tbn?z)[ \t]/ && $NF in label { first[++loops] = label[$NF]; last[loops] = NR }
    END { close_function() }
' "$work/kernels.s" > "$work/loops"

for register in $(seq 0 23); do echo "	fmla	v$register.4s, v30.4s, v31.4s"; done > "$work/peak"
echo "$compiler: share of the multiply-adds of a core that llvm-mca allows"
printf '%-28s %5s %5s %5s %5s %12s %12s\n' loop fmla instr load store neoverse-n1 neoverse-v1
sort -k1,1 -k3,3nr "$work/loops" | awk -v most="$most" '++seen[$1] <= most' | while read -r name file fmla instructions loads stores; do
    printf '%-28s %5d %5d %5d %5d' "$name" "$fmla" "$instructions" "$loads" "$stores"
    for core in neoverse-n1 neoverse-v1; do
        printf ' %10.0f %%' "$(echo "100 * $fmla / 24 * $(cycles $core "$work/peak") / $(cycles $core "$file")" | bc -l)"
    done
    echo
done
