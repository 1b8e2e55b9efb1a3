(module
  (type $t0 (func (param i64 i32 i32) (result i32)))
  (type $t1 (func (param i64) (result i64)))
  (import "machine" "memory" (memory $machine.memory))
  (import "hart" "hart.fillTlb" (func $hart.hart.fillTlb (type $t0)))
  (func $r0 (export "r0") (type $t1) (param $page i64) (result i64)
    (local $budget i32) (local $l2 i64) (local $a0 i64) (local $a1 i64)
    (local.set $budget
      (i32.load
        (i32.const state.budget)))
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
        (local.set $a0
          (i64.add
            (i64.const 0)
            (i64.const 100)))
        (local.set $a1
          (i64.add
            (i64.const 0)
            (i64.const 0)))
        (local.set $budget
          (i32.sub
            (local.get $budget)
            (i32.const 2)))
        (loop $L3
          (if $I4
            (i32.lt_u
              (local.get $budget)
              (i32.const 6))
            (then
              (local.set $l2
                (i64.add
                  (local.get $page)
                  (i64.const 6)))
              (br $B0)))
          (local.set $a1
            (i64.add
              (local.get $a1)
              (local.get $a0)))
          (local.set $a0
            (i64.add
              (local.get $a0)
              (i64.const -1)))
          (i64.ne
            (local.get $a0)
            (i64.const 0))
          (local.set $budget
            (i32.sub
              (local.get $budget)
              (i32.const 3)))
          (if $I5
            (then
              (br $L3))
            (else
              (drop
                (i64.add
                  (local.get $page)
                  (i64.const 16)))
              (local.set $budget
                (i32.sub
                  (local.get $budget)
                  (i32.const 1)))
              (br $L1)))
          (unreachable))))
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
