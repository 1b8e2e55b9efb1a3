# Read-modify-write inline; a reservation by a call, which may trap.
again:
    addi a0, a0, 1               # 0505
    amoadd.w a1, a0, (s0)        # 00a425af
    amomaxu.d a2, a0, (s0)       # e0a4362f
    xor  a3, a1, a2              # 00c5c6b3
    lr.d a4, (s0)                # 1004372f
    jal  zero, again             # fefff06f
