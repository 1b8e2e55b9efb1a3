# A loop that sums the numbers below a0; then all again.
again:
    addi a0, zero, 100           # 06400513
    addi a1, zero, 0             # 4581
loop:
    add  a1, a1, a0              # 95aa
    addi a0, a0, -1              # 157d
    bne  a0, zero, loop          # fd75
    jal  zero, again             # ff5ff06f
