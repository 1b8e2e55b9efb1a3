/**
 * The profile of a jail that brings none. A call is allowed because ordinary programs need it; whatever was a way into the kernel and
 * is not needed is left out (io_uring, bpf, userfaultfd, keyrings, AF_ALG and other families of sockets, new namespaces). What a
 * capability is there for is allowed together with it.
 */
import type { SeccompProfile, SeccompRule } from "../spec.ts";

const ordinary = `
accept accept4 access adjtimex alarm arch_prctl bind brk cachestat capget capset chdir chmod chown clock_adjtime clock_getres
clock_gettime clock_nanosleep close close_range connect copy_file_range creat dup dup2 dup3 epoll_create epoll_create1 epoll_ctl
epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat exit exit_group faccessat faccessat2 fadvise64 fallocate
fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat
fstatfs fsync ftruncate futex futex_requeue futex_wait futex_waitv futex_wake futimesat getcpu getcwd getdents getdents64 getegid
geteuid getgid getgroups getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit
get_robust_list getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr inotify_add_watch inotify_init
inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit ioprio_get ioprio_set kill
landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lgetxattr link linkat listen listxattr llistxattr
lremovexattr lseek lsetxattr lstat madvise membarrier memfd_create mincore mkdir mkdirat mknod mknodat mlock mlock2 mlockall mmap
mprotect mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync
munlock munlockall munmap name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open pidfd_send_signal pipe pipe2
pkey_alloc pkey_free pkey_mprotect poll ppoll prctl pread64 preadv preadv2 prlimit64 process_mrelease pselect6 ptrace pwrite64
pwritev pwritev2 read readahead readlink readlinkat readv recvfrom recvmmsg recvmsg removexattr rename renameat renameat2
restart_syscall riscv_flush_icache riscv_hwprobe rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn
rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sched_getaffinity sched_getattr sched_getparam sched_get_priority_max
sched_get_priority_min sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler
sched_yield seccomp select semctl semget semop semtimedop sendfile sendmmsg sendmsg sendto setfsgid setfsuid setgid setgroups
setitimer setpgid setpriority setregid setresgid setresuid setreuid setrlimit set_robust_list setsid setsockopt set_tid_address
setuid setxattr shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 socketpair splice stat statfs statx symlink
symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime
timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill truncate umask uname unlink unlinkat utime utimensat
utimes vfork vmsplice wait4 waitid write writev`;

const allow = (names: string, args?: SeccompRule["args"]): SeccompRule => ({
  names: names.trim().split(/\s+/),
  action: "SCMP_ACT_ALLOW",
  ...(args === undefined ? {} : { args }),
});
const refuse = (names: string, errnoRet: number, args?: SeccompRule["args"]): SeccompRule => ({
  names: names.split(" "),
  action: "SCMP_ACT_ERRNO",
  errnoRet,
  ...(args === undefined ? {} : { args }),
});

/** The kernel looks at 32 bits of these arguments only; a comparison of all 64 could be passed by setting one of the others. */
const is32 = (index: number, value: number) => ({ index, op: "SCMP_CMP_MASKED_EQ", value: 0xffffffff, valueTwo: value });

const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;

/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: what programs use. Each other family is kernel code that has been a way in before. */
const families = [1, 2, 10, 16];
const AF_PACKET = 17;

/** TIOCSTI types into a terminal that is shared with the outside, TIOCLINUX pastes into the console. */
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const newNamespaces = 0x7e020000;

/** personality(2): ordinary, with and without 32-bit uname and address space layout as 2.4; and the question. */
const personalities = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

const ofCapability: Readonly<Record<string, string>> = {
  CAP_BPF: "bpf",
  CAP_DAC_READ_SEARCH: "open_by_handle_at",
  CAP_PERFMON: "perf_event_open",
  CAP_SYS_ADMIN:
    "bpf clone clone3 fanotify_init fanotify_mark fsconfig fsmount fsopen fspick listmount lookup_dcookie mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns statmount syslog umount2 unshare",
  CAP_SYS_BOOT: "reboot",
  CAP_SYS_CHROOT: "chroot",
  CAP_SYS_MODULE: "delete_module init_module finit_module",
  CAP_SYS_NICE: "get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
  CAP_SYS_PACCT: "acct",
  CAP_SYS_PTRACE: "kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev",
  CAP_SYS_RAWIO: "iopl ioperm",
  CAP_SYS_TIME: "settimeofday clock_settime",
  CAP_SYS_TTY_CONFIG: "vhangup",
  CAP_SYSLOG: "syslog",
};

/** The default profile for a jail with these capabilities. */
export function defaultProfile(capabilities: readonly string[]): SeccompProfile {
  const isAdmin = capabilities.includes("CAP_SYS_ADMIN");
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: EPERM,
    syscalls: [
      allow(ordinary),
      refuse("ioctl", EPERM, [is32(1, TIOCSTI)]),
      refuse("ioctl", EPERM, [is32(1, TIOCLINUX)]),
      allow("ioctl"),
      ...families.map((family) => allow("socket", [is32(0, family)])),
      ...(capabilities.includes("CAP_NET_RAW") ? [allow("socket", [is32(0, AF_PACKET)])] : []),
      refuse("socket", EAFNOSUPPORT),
      ...personalities.map((persona) => allow("personality", [{ index: 0, op: "SCMP_CMP_EQ", value: persona }])),
      ...(isAdmin
        ? []
        : [
            allow("clone", [{ index: 0, op: "SCMP_CMP_MASKED_EQ", value: newNamespaces, valueTwo: 0 }]),
            // Its flags are behind a pointer, where a filter cannot look: libraries fall back to clone.
            refuse("clone3", ENOSYS),
          ]),
      ...capabilities.flatMap((capability) => (ofCapability[capability] === undefined ? [] : [allow(ofCapability[capability])])),
    ],
  };
}
