(module
  (type $t0 (func (param i64 i32 i32) (result i32)))
  (type $t1 (func (param i64) (result i64)))
  (import "machine" "memory" (memory $machine.memory))
  (import "hart" "hart.fillTlb" (func $hart.hart.fillTlb (type $t0)))
  (func $r0 (export "r0") (type $t1) (param $page i64) (result i64)
    (local $budget i32) (local $l2 i64) (local $ra i64) (local $a0 i64) (local $a1 i64) (local $l6 i64)
    (local.set $budget
      (i32.load
        (i32.const state.budget)))
    (local.set $ra
      (i64.load
        (i32.const state.ra)))
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
            (i32.const 6))
          (then
            (local.set $l2
              (i64.add
                (local.get $page)
                (i64.const 0)))
            (br $B0)))
        (local.set $ra
          (i64.add
            (local.get $page)
            (i64.const 4)))
        (local.set $budget
          (i32.sub
            (local.get $budget)
            (i32.const 1)))
        (local.set $a0
          (i64.shl
            (local.get $a0)
            (i64.const 1)))
        (local.set $a0
          (i64.add
            (local.get $a0)
            (i64.const 3)))
        (local.set $l6
          (i64.and
            (i64.add
              (local.get $ra)
              (i64.const 0))
            (i64.const -2)))
        (drop
          (i64.add
            (local.get $page)
            (i64.const 18)))
        (local.set $l2
          (local.get $l6))
        (local.set $budget
          (i32.sub
            (local.get $budget)
            (i32.const 3)))
        (if $I3
          (i64.eq
            (local.get $l2)
            (i64.add
              (local.get $page)
              (i64.const 4)))
          (then
            (local.set $a1
              (i64.add
                (local.get $a1)
                (i64.const 1)))
            (drop
              (i64.add
                (local.get $page)
                (i64.const 10)))
            (local.set $budget
              (i32.sub
                (local.get $budget)
                (i32.const 2)))
            (br $L1))
          (else
            (br $B0)))
        (unreachable)))
    (i64.store
      (i32.const state.ra)
      (local.get $ra))
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
