# A call that is followed, and its return.
again:
    jal  ra, function            # 00a000ef
    addi a1, a1, 1               # 0585
    jal  zero, again             # ffbff06f
function:
    slli a0, a0, 1               # 0506
    addi a0, a0, 3               # 050d
    jalr zero, 0(ra)             # 00008067
