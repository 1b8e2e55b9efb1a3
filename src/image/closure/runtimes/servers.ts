import type { Rule } from "./rule.ts";

/** Servers: their configuration, data and accounts. */
export const serverRules: readonly Rule[] = [
  {
    name: "nginx",
    when: { program: /^nginx$/ },
    needs: [
      { path: "/etc/nginx/**", why: "nginx's configuration" },
      { path: "/usr/share/nginx/**", why: "nginx's pages and modules" },
      { path: "/usr/lib/nginx/modules/*", why: "nginx's modules" },
      { path: "/var/lib/nginx", why: "nginx's temporary files" },
      { path: "/var/log/nginx", why: "nginx's logs" },
      { path: "/var/www/html", why: "the default site" },
    ],
    users: ["www-data", "nginx"],
  },
  {
    name: "postgres",
    when: { program: /^(postgres|initdb|pg_ctl|psql|pg_dump|pg_ctlcluster)$/ },
    needs: [
      { path: "/usr/lib/postgresql/*/bin/*", why: "PostgreSQL's programs" },
      { path: "/usr/lib/postgresql/*/lib/**", except: /\/(llvmjit|pgxs)|\/bitcode\//, why: "PostgreSQL's modules" },
      { path: "/usr/share/postgresql/**", except: /\/man\//, why: "PostgreSQL's share directory" },
      { path: "/usr/share/postgresql-common/**", why: "PostgreSQL's share directory" },
      { path: "/etc/postgresql-common/*", why: "PostgreSQL's configuration" },
      { path: "/var/run/postgresql", why: "the directory of its socket" },
      { path: "/var/lib/postgresql", why: "the home of its account" },
      { program: "sh", why: "initdb starts the server through it" },
      { program: "locale", why: "initdb asks for the system's locales" },
    ],
    users: ["postgres"],
  },
  {
    name: "sshd",
    when: { program: /^(sshd|sftp-server|sshd-session|sshd-auth)$/ },
    needs: [
      // Not the host keys: a jail makes its own.
      { path: "/etc/ssh/sshd_config", why: "sshd's configuration" },
      { path: "/etc/ssh/sshd_config.d/*", why: "sshd's configuration" },
      { path: "/etc/ssh/moduli", why: "groups for key exchange" },
      { path: "/usr/lib/openssh/*", why: "OpenSSH's helpers" },
      { path: "/run/sshd", why: "sshd's empty directory" },
    ],
    users: ["sshd"],
  },
  {
    name: "ssh",
    when: { program: /^(ssh|scp|sftp)$/ },
    needs: [
      { path: "/etc/ssh/ssh_config", why: "ssh's configuration" },
      { path: "/etc/ssh/ssh_config.d/*", why: "ssh's configuration" },
      { path: "/etc/ssh/ssh_known_hosts", why: "known hosts" },
      { program: "ssh", why: "scp and sftp start it" },
    ],
  },
];
