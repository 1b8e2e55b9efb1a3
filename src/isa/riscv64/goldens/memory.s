# Loads and stores: the TLB is looked up inline, once for each access.
again:
    lw   a0, 8(s0)               # 4408
    addiw a0, a0, 1              # 2505
    sw   a0, 8(s0)               # c408
    lbu  a1, 3(s0)               # 00344583
    jal  zero, again             # ff7ff06f
