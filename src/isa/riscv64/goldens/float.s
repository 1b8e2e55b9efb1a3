# Double precision in the dynamic rounding mode, compared.
again:
    fld  fa0, 0(s0)              # 2008
    fadd.d fa1, fa1, fa0         # 02a5f5d3
    fmul.d fa2, fa1, fa0         # 12a5f653
    flt.d a0, fa2, fa1           # a2b61553
    beq  a0, zero, again         # d96d
    jal  zero, again             # ff1ff06f
