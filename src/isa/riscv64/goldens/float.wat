(module
  (type $t0 (func (param i64 i32) (result i64)))
  (type $t1 (func (param i64 i32 i32) (result i32)))
  (type $t2 (func (param i64 i64 i32) (result i64)))
  (type $t3 (func (param i64 i64) (result i32)))
  (type $t4 (func (param i64) (result i64)))
  (import "machine" "memory" (memory $machine.memory))
  (import "hart" "hart.loadSlow" (func $hart.hart.loadSlow (type $t0)))
  (import "hart" "hart.fillTlb" (func $hart.hart.fillTlb (type $t1)))
  (import "hart" "hart.float.f64.add" (func $hart.hart.float.f64.add (type $t2)))
  (import "hart" "hart.float.f64.mul" (func $hart.hart.float.f64.mul (type $t2)))
  (import "hart" "hart.float.f64.lt" (func $hart.hart.float.f64.lt (type $t3)))
  (func $r0 (export "r0") (type $t4) (param $page i64) (result i64)
    (local $budget i32) (local $l2 i64) (local $s0 i64) (local $a0 i64) (local $fa0 i64) (local $fa1 i64) (local $fa2 i64) (local $l8 i32) (local $l9 i64) (local $l10 i32) (local $frm i32) (local $l12 i64) (local $l13 f64) (local $l14 f64) (local $l15 f64)
    (local.set $budget
      (i32.load
        (i32.const state.budget)))
    (local.set $s0
      (i64.load
        (i32.const state.s0)))
    (local.set $a0
      (i64.load
        (i32.const state.a0)))
    (local.set $fa0
      (i64.load
        (i32.const state.fa0)))
    (local.set $fa1
      (i64.load
        (i32.const state.fa1)))
    (local.set $fa2
      (i64.load
        (i32.const state.fa2)))
    (local.set $l8
      (i32.and
        (i32.and
          (i32.load
            (i32.const state.fflags))
          (i32.const 1))
        (i32.eqz
          (i32.load
            (i32.const state.frm)))))
    (block $B0
      (loop $L1
        (if $I2
          (i32.lt_u
            (local.get $budget)
            (i32.const 5))
          (then
            (local.set $l2
              (i64.add
                (local.get $page)
                (i64.const 0)))
            (br $B0)))
        (local.set $l9
          (i64.add
            (local.get $s0)
            (i64.const 0)))
        (local.set $l10
          (i32.and
            (i32.shr_u
              (i32.wrap_i64
                (local.get $l9))
              (i32.const 7))
            (i32.const 65504)))
        (if $I3
          (i64.le_u
            (i64.xor
              (local.get $l9)
              (i64.load offset=dataTlb.M.readTag
                (local.get $l10)))
            (i64.const 4088))
          (then
            (local.set $frm
              (i32.add
                (i32.wrap_i64
                  (local.get $l9))
                (i32.load offset=dataTlb.M.addend
                  (local.get $l10)))))
          (else
            (if $I4
              (i32.eqz
                (local.tee $frm
                  (call $hart.hart.fillTlb
                    (local.get $l9)
                    (i32.const 8)
                    (i32.const 0))))
              (then
                (i32.store
                  (i32.const state.interpretNext)
                  (i32.const 1))
                (local.set $l2
                  (i64.add
                    (local.get $page)
                    (i64.const 0)))
                (br $B0)))))
        (local.set $fa0
          (i64.load
            (local.get $frm)))
        (i32.store
          (i32.const state.fs)
          (i32.const 3))
        (local.set $frm
          (i32.load
            (i32.const state.frm)))
        (if $I5
          (i32.gt_u
            (local.get $frm)
            (i32.const 4))
          (then
            (local.set $budget
              (i32.sub
                (local.get $budget)
                (i32.const 1)))
            (i32.store
              (i32.const state.interpretNext)
              (i32.const 1))
            (local.set $l2
              (i64.add
                (local.get $page)
                (i64.const 2)))
            (br $B0)))
        (local.set $l10
          (local.get $frm))
        (local.get $fa1)
        (local.get $fa0)
        (drop
          (local.get $l10))
        (local.set $l9)
        (local.set $l12)
        (local.set $fa1
          (if $I6 (result i64)
            (local.get $l8)
            (then
              (local.set $l13
                (f64.reinterpret_i64
                  (local.get $l12)))
              (local.set $l14
                (f64.reinterpret_i64
                  (local.get $l9)))
              (local.set $l15
                (f64.add
                  (local.get $l13)
                  (local.get $l14)))
              (if $I7
                (i32.eqz
                  (f64.eq
                    (f64.sub
                      (local.get $l15)
                      (local.get $l15))
                    (f64.const 0x0p+0 (;=0;))))
                (then
                  (local.set $l15
                    (f64.reinterpret_i64
                      (call $hart.hart.float.f64.add
                        (i64.reinterpret_f64
                          (local.get $l13))
                        (i64.reinterpret_f64
                          (local.get $l14))
                        (i32.const 0))))))
              (i64.reinterpret_f64
                (local.get $l15)))
            (else
              (call $hart.hart.float.f64.add
                (local.get $l12)
                (local.get $l9)
                (i32.load
                  (i32.const state.frm))))))
        (i32.store
          (i32.const state.fs)
          (i32.const 3))
        (local.set $l10
          (i32.load
            (i32.const state.frm)))
        (if $I8
          (i32.gt_u
            (local.get $l10)
            (i32.const 4))
          (then
            (local.set $budget
              (i32.sub
                (local.get $budget)
                (i32.const 2)))
            (i32.store
              (i32.const state.interpretNext)
              (i32.const 1))
            (local.set $l2
              (i64.add
                (local.get $page)
                (i64.const 6)))
            (br $B0)))
        (local.set $frm
          (local.get $l10))
        (local.get $fa1)
        (local.get $fa0)
        (drop
          (local.get $frm))
        (local.set $l12)
        (local.set $l9)
        (local.set $fa2
          (if $I9 (result i64)
            (local.get $l8)
            (then
              (local.set $l14
                (f64.reinterpret_i64
                  (local.get $l9)))
              (local.set $l13
                (f64.reinterpret_i64
                  (local.get $l12)))
              (local.set $l15
                (f64.mul
                  (local.get $l14)
                  (local.get $l13)))
              (if $I10
                (i32.eqz
                  (i64.lt_u
                    (i64.sub
                      (i64.shl
                        (i64.reinterpret_f64
                          (local.get $l15))
                        (i64.const 1))
                      (i64.const 9007199254740993))
                    (i64.const -18014398509481985)))
                (then
                  (local.set $l15
                    (f64.reinterpret_i64
                      (call $hart.hart.float.f64.mul
                        (i64.reinterpret_f64
                          (local.get $l14))
                        (i64.reinterpret_f64
                          (local.get $l13))
                        (i32.const 0))))))
              (i64.reinterpret_f64
                (local.get $l15)))
            (else
              (call $hart.hart.float.f64.mul
                (local.get $l9)
                (local.get $l12)
                (i32.load
                  (i32.const state.frm))))))
        (i32.store
          (i32.const state.fs)
          (i32.const 3))
        (local.get $fa2)
        (local.set $l9
          (local.get $fa1))
        (local.set $l12)
        (local.set $a0
          (i64.extend_i32_u
            (if $I11 (result i32)
              (local.get $l8)
              (then
                (local.set $l13
                  (f64.reinterpret_i64
                    (local.get $l12)))
                (local.set $l14
                  (f64.reinterpret_i64
                    (local.get $l9)))
                (local.set $frm
                  (f64.lt
                    (local.get $l13)
                    (local.get $l14)))
                (if $I12
                  (i32.eqz
                    (i32.and
                      (f64.eq
                        (local.get $l13)
                        (local.get $l13))
                      (f64.eq
                        (local.get $l14)
                        (local.get $l14))))
                  (then
                    (local.set $frm
                      (call $hart.hart.float.f64.lt
                        (i64.reinterpret_f64
                          (local.get $l13))
                        (i64.reinterpret_f64
                          (local.get $l14))))))
                (local.get $frm))
              (else
                (call $hart.hart.float.f64.lt
                  (local.get $l12)
                  (local.get $l9))))))
        (i64.eq
          (local.get $a0)
          (i64.const 0))
        (local.set $budget
          (i32.sub
            (local.get $budget)
            (i32.const 5)))
        (if $I13
          (then
            (br $L1))
          (else
            (local.set $l2
              (i64.add
                (local.get $page)
                (i64.const 16)))
            (br $B0)))
        (unreachable)))
    (i64.store
      (i32.const state.a0)
      (local.get $a0))
    (i64.store
      (i32.const state.fa0)
      (local.get $fa0))
    (i64.store
      (i32.const state.fa1)
      (local.get $fa1))
    (i64.store
      (i32.const state.fa2)
      (local.get $fa2))
    (i32.store
      (i32.const state.budget)
      (local.get $budget))
    (local.get $l2)))
