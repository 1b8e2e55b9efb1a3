(module
  (type $t0 (func (param i64 i32) (result i64)))
  (type $t1 (func (param i64 i32 i64)))
  (type $t2 (func (param i64 i32 i32) (result i32)))
  (type $t3 (func (param i64) (result i64)))
  (import "machine" "memory" (memory $machine.memory))
  (import "hart" "hart.loadSlow" (func $hart.hart.loadSlow (type $t0)))
  (import "hart" "hart.storeSlow" (func $hart.hart.storeSlow (type $t1)))
  (import "hart" "hart.fillTlb" (func $hart.hart.fillTlb (type $t2)))
  (func $r0 (export "r0") (type $t3) (param $page i64) (result i64)
    (local $budget i32) (local $l2 i64) (local $s0 i64) (local $a0 i64) (local $a1 i64) (local $l6 i64) (local $l7 i32) (local $l8 i32) (local $l9 i64)
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
        (local.set $l6
          (i64.add
            (local.get $s0)
            (i64.const 8)))
        (local.set $l7
          (i32.and
            (i32.shr_u
              (i32.wrap_i64
                (local.get $l6))
              (i32.const 7))
            (i32.const 65504)))
        (if $I3
          (i64.le_u
            (i64.xor
              (local.get $l6)
              (i64.load offset=dataTlb.M.readTag
                (local.get $l7)))
            (i64.const 4092))
          (then
            (local.set $l8
              (i32.add
                (i32.wrap_i64
                  (local.get $l6))
                (i32.load offset=dataTlb.M.addend
                  (local.get $l7)))))
          (else
            (if $I4
              (i32.eqz
                (local.tee $l8
                  (call $hart.hart.fillTlb
                    (local.get $l6)
                    (i32.const 4)
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
        (local.set $a0
          (i64.load32_s
            (local.get $l8)))
        (local.set $a0
          (i64.extend_i32_s
            (i32.add
              (i32.wrap_i64
                (local.get $a0))
              (i32.const 1))))
        (i64.add
          (local.get $s0)
          (i64.const 8))
        (local.set $l6
          (local.get $a0))
        (local.set $l9)
        (local.set $l8
          (i32.and
            (i32.shr_u
              (i32.wrap_i64
                (local.get $l9))
              (i32.const 7))
            (i32.const 65504)))
        (if $I5
          (i64.le_u
            (i64.xor
              (local.get $l9)
              (i64.load offset=dataTlb.M.writeTag
                (local.get $l8)))
            (i64.const 4092))
          (then
            (local.set $l7
              (i32.add
                (i32.wrap_i64
                  (local.get $l9))
                (i32.load offset=dataTlb.M.addend
                  (local.get $l8)))))
          (else
            (if $I6
              (i32.eqz
                (local.tee $l7
                  (call $hart.hart.fillTlb
                    (local.get $l9)
                    (i32.const 4)
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
                    (i64.const 4)))
                (br $B0)))))
        (i64.store32
          (local.get $l7)
          (local.get $l6))
        (local.set $l9
          (i64.add
            (local.get $s0)
            (i64.const 3)))
        (local.set $l7
          (i32.and
            (i32.shr_u
              (i32.wrap_i64
                (local.get $l9))
              (i32.const 7))
            (i32.const 65504)))
        (if $I7
          (i64.le_u
            (i64.xor
              (local.get $l9)
              (i64.load offset=dataTlb.M.readTag
                (local.get $l7)))
            (i64.const 4095))
          (then
            (local.set $l8
              (i32.add
                (i32.wrap_i64
                  (local.get $l9))
                (i32.load offset=dataTlb.M.addend
                  (local.get $l7)))))
          (else
            (if $I8
              (i32.eqz
                (local.tee $l8
                  (call $hart.hart.fillTlb
                    (local.get $l9)
                    (i32.const 1)
                    (i32.const 0))))
              (then
                (local.set $budget
                  (i32.sub
                    (local.get $budget)
                    (i32.const 3)))
                (i32.store
                  (i32.const state.interpretNext)
                  (i32.const 1))
                (local.set $l2
                  (i64.add
                    (local.get $page)
                    (i64.const 6)))
                (br $B0)))))
        (local.set $a1
          (i64.load8_u
            (local.get $l8)))
        (drop
          (i64.add
            (local.get $page)
            (i64.const 14)))
        (local.set $budget
          (i32.sub
            (local.get $budget)
            (i32.const 5)))
        (br $L1)))
    (i64.store
      (i32.const state.a0)
      (local.get $a0))
    (i64.store
      (i32.const state.a1)
      (local.get $a1))
    (i32.store
      (i32.const state.budget)
      (local.get $budget))
    (local.get $l2)))
