(module
  (type $t0 (func (param i64 i32 i32) (result i32)))
  (type $t1 (func (param i64 i32) (result i32)))
  (type $t2 (func (param i64 i32) (result i64)))
  (type $t3 (func (param i64) (result i64)))
  (import "machine" "memory" (memory $machine.memory))
  (import "hart" "hart.fillTlb" (func $hart.hart.fillTlb (type $t0)))
  (import "hart" "hart.amoAddress" (func $hart.hart.amoAddress (type $t1)))
  (import "hart" "hart.loadReserved" (func $hart.hart.loadReserved (type $t2)))
  (func $r0 (export "r0") (type $t3) (param $page i64) (result i64)
    (local $budget i32) (local $l2 i64) (local $s0 i64) (local $a0 i64) (local $a1 i64) (local $a2 i64) (local $a3 i64) (local $a4 i64) (local $l9 i64) (local $l10 i32) (local $l11 i32) (local $l12 i64) (local $l13 i64) (local $l14 i64) (local $l15 i64)
    (local.set $budget
      (i32.load
        (i32.const state.budget)))
    (local.set $s0
      (i64.load
        (i32.const state.s0)))
    (local.set $a0
      (i64.load
        (i32.const state.a0)))
    (local.set $a1
      (i64.load
        (i32.const state.a1)))
    (local.set $a2
      (i64.load
        (i32.const state.a2)))
    (local.set $a3
      (i64.load
        (i32.const state.a3)))
    (local.set $a4
      (i64.load
        (i32.const state.a4)))
    (block $B0
      (loop $L1
        (if $I2
          (i32.lt_u
            (local.get $budget)
            (i32.const 6))
          (then
            (local.set $l2
              (i64.add
                (local.get $page)
                (i64.const 0)))
            (br $B0)))
        (local.set $a0
          (i64.add
            (local.get $a0)
            (i64.const 1)))
        (local.set $l9
          (local.get $s0))
        (if $I3
          (i32.and
            (i32.wrap_i64
              (local.get $l9))
            (i32.const 3))
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
          (i32.and
            (i32.shr_u
              (i32.wrap_i64
                (local.get $l9))
              (i32.const 7))
            (i32.const 65504)))
        (if $I4
          (i64.le_u
            (i64.xor
              (local.get $l9)
              (i64.load offset=dataTlb.M.writeTag
                (local.get $l10)))
            (i64.const 4092))
          (then
            (local.set $l11
              (i32.add
                (i32.wrap_i64
                  (local.get $l9))
                (i32.load offset=dataTlb.M.addend
                  (local.get $l10)))))
          (else
            (if $I5
              (i32.eqz
                (local.tee $l11
                  (call $hart.hart.fillTlb
                    (local.get $l9)
                    (i32.const 4)
                    (i32.const 1))))
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
                (br $B0)))))
        (local.set $l12
          (i64.load32_s
            (local.get $l11)))
        (local.set $l13
          (i64.add
            (local.get $l12)
            (i64.extend_i32_s
              (i32.wrap_i64
                (local.get $a0)))))
        (i64.store32
          (local.get $l11)
          (local.get $l13))
        (local.set $a1
          (local.get $l12))
        (local.set $l13
          (local.get $s0))
        (if $I6
          (i32.and
            (i32.wrap_i64
              (local.get $l13))
            (i32.const 7))
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
        (local.set $l11
          (i32.and
            (i32.shr_u
              (i32.wrap_i64
                (local.get $l13))
              (i32.const 7))
            (i32.const 65504)))
        (if $I7
          (i64.le_u
            (i64.xor
              (local.get $l13)
              (i64.load offset=dataTlb.M.writeTag
                (local.get $l11)))
            (i64.const 4088))
          (then
            (local.set $l10
              (i32.add
                (i32.wrap_i64
                  (local.get $l13))
                (i32.load offset=dataTlb.M.addend
                  (local.get $l11)))))
          (else
            (if $I8
              (i32.eqz
                (local.tee $l10
                  (call $hart.hart.fillTlb
                    (local.get $l13)
                    (i32.const 8)
                    (i32.const 1))))
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
                (br $B0)))))
        (local.set $l12
          (i64.load
            (local.get $l10)))
        (local.get $l12)
        (local.set $l9
          (local.get $a0))
        (local.set $l14)
        (local.set $l15
          (select
            (local.get $l14)
            (local.get $l9)
            (i64.gt_u
              (local.get $l14)
              (local.get $l9))))
        (i64.store
          (local.get $l10)
          (local.get $l15))
        (local.set $a2
          (local.get $l12))
        (local.set $a3
          (i64.xor
            (local.get $a1)
            (local.get $a2)))
        (local.set $l15
          (call $hart.hart.loadReserved
            (local.get $s0)
            (i32.const 8)))
        (if $I9
          (i32.load
            (i32.const state.trap))
          (then
            (i32.store
              (i32.const state.trap)
              (i32.const 0))
            (local.set $budget
              (i32.sub
                (local.get $budget)
                (i32.const 4)))
            (i32.store
              (i32.const state.interpretNext)
              (i32.const 1))
            (local.set $l2
              (i64.add
                (local.get $page)
                (i64.const 14)))
            (br $B0)))
        (local.set $a4
          (local.get $l15))
        (drop
          (i64.add
            (local.get $page)
            (i64.const 22)))
        (local.set $budget
          (i32.sub
            (local.get $budget)
            (i32.const 6)))
        (br $L1)))
    (i64.store
      (i32.const state.a0)
      (local.get $a0))
    (i64.store
      (i32.const state.a1)
      (local.get $a1))
    (i64.store
      (i32.const state.a2)
      (local.get $a2))
    (i64.store
      (i32.const state.a3)
      (local.get $a3))
    (i64.store
      (i32.const state.a4)
      (local.get $a4))
    (i32.store
      (i32.const state.budget)
      (local.get $budget))
    (local.get $l2)))
