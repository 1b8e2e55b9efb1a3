import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { environment, type HostTrace, invocation, runJailed, Screen, startJailed } from "./jail.ts";
import { serveTls } from "./tls.ts";

/** A program of the issue, jailed. */
export interface Case {
  readonly name: string;
  /** Debian packages that it comes from. */
  readonly packages: readonly string[];
  readonly programs: readonly string[];
  readonly options?: { readonly with?: readonly string[]; readonly users?: readonly string[] };
  /** Commands run traced on the host: each file they read must be in the closure. */
  readonly traced: readonly HostTrace[];
  /** Runs it in its jail. */
  readonly check: (jail: string) => void | Promise<void>;
}

function expectJailed(
  jail: string,
  command: readonly string[],
  output: RegExp,
  options: { input?: string; user?: string } = {},
): string {
  const result = runJailed(jail, command, options);
  assert.equal(result.status, 0, `${command.join(" ")}: status ${result.status}\n${result.stdout}${result.stderr}`);
  assert.match(result.stdout, output);
  return result.stdout;
}

const program = '#include <stdio.h>\n#include <math.h>\nint main(int n, char **v) { printf("%g\\n", sqrt(n * 4)); return 0; }\n';
const pythonScript = `
import ssl, sqlite3, ctypes, json, zoneinfo, decimal, lzma, hashlib
assert len(ssl.create_default_context().get_ca_certs()) > 0
c = sqlite3.connect(":memory:"); c.execute("create table t(x)"); c.execute("insert into t values (41)")
print("python", c.execute("select x + 1 from t").fetchone()[0], zoneinfo.ZoneInfo("Europe/Rome").key)
`;
const postgres = "/usr/lib/postgresql/15/bin";
const postgresScript = `set -e
export PATH=${postgres}:$PATH
mkdir -p /tmp/run
initdb -D /tmp/pg -U postgres --no-sync >/tmp/log
pg_ctl -D /tmp/pg -o "-k /tmp/run -c listen_addresses=" -w -l /tmp/log start >/dev/null
psql -h /tmp/run -U postgres -Atc "create extension if not exists plpgsql; select 'postgres ' || to_char(sum(x), '999')  from generate_series(1, 10) x"
pg_ctl -D /tmp/pg -m fast stop >/dev/null
`;

export const cases: readonly Case[] = [
  {
    name: "course transcript",
    packages: ["tree", "bash", "coreutils"],
    programs: ["bash", "ls", "mkdir", "touch", "tree"],
    traced: [
      { command: ["bash", "-c", "ls -la /usr/bin; mkdir -p /tmp/viv-home/x; touch /tmp/viv-home/x/y; tree /tmp/viv-home"] },
      {
        command: ["bash", "-i"],
        keys: [
          ["ls", "Enter"],
          ["exit", "Enter"],
        ],
      },
    ],
    check: (jail) => {
      const result = runJailed(jail, ["/bin/bash"], {
        input: "tree /\nmkdir /root\ntouch /root/foobar\nrm /root/foobar\nls /root\n",
      });
      assert.match(result.stdout, /├── bin -> usr\/bin.*director(y|ies)/s);
      assert.match(result.stderr, /rm: command not found/);
      assert.match(result.stdout, /foobar\n$/);
      const tree = spawnSync("tree", [jail], { encoding: "utf8" });
      assert.match(tree.stdout, /── root\n.*── foobar/s);
    },
  },
  {
    name: "nano",
    packages: ["nano", "tmux"],
    programs: ["nano"],
    traced: [{ command: ["nano", "/tmp/viv-home/a.c"], keys: [["int x;"], ["C-o"], ["Enter"], ["C-x"]] }],
    check: async (jail) => {
      writeFileSync(join(jail, "note.c"), "int answer;\n");
      const screen = new Screen(invocation(jail, ["/usr/bin/nano", "/note.c"]));
      try {
        assert.match(await screen.shows(/int answer;/), /GNU nano .*\/note\.c.*int answer;.*\^X Exit/s);
        screen.keys("hello");
        assert.match(await screen.shows(/helloint/), /helloint answer;/);
        screen.keys("C-o", "Enter", "C-x");
        await screen.ends();
      } finally {
        screen.close();
      }
      assert.equal(readFileSync(join(jail, "note.c"), "utf8"), "helloint answer;\n");
    },
  },
  {
    name: "less",
    packages: ["less", "tmux"],
    programs: ["less"],
    options: { with: ["/etc/services"] },
    traced: [{ command: ["less", "/etc/passwd"], keys: [["q"]] }],
    check: async (jail) => {
      const screen = new Screen(invocation(jail, ["/usr/bin/less", "/etc/services"]));
      try {
        assert.match(await screen.shows(/tcpmux/), /tcpmux/);
        screen.keys("/ldaps", "Enter");
        assert.match(await screen.shows(/ldaps/), /ldaps/);
        screen.keys("q");
      } finally {
        screen.close();
      }
    },
  },
  {
    name: "vim",
    packages: ["vim", "tmux"],
    programs: ["vim"],
    traced: [
      {
        command: ["vim", "/tmp/viv-home/a.py"],
        keys: [
          ["ix = 1", "Escape"],
          [":syntax on", "Enter"],
          [":help", "Enter"],
          [":q", "Enter"],
          [":wq", "Enter"],
        ],
      },
    ],
    check: async (jail) => {
      const screen = new Screen(invocation(jail, ["/usr/bin/vim", "/note.py"]));
      try {
        assert.match(await screen.shows(/^~$/m), /^~$/m);
        screen.keys("iprint(42)", "Escape", ":syntax on", "Enter", ":wq", "Enter");
        await screen.ends();
      } finally {
        screen.close();
      }
      assert.equal(readFileSync(join(jail, "note.py"), "utf8"), "print(42)\n");
    },
  },
  {
    name: "git",
    packages: ["git"],
    programs: ["git"],
    traced: [
      { command: ["git", "init", "-q", "/tmp/viv-home/r"] },
      {
        command: [
          "sh",
          "-c",
          "cd $HOME; git init -q r; cd r; git config user.email a@b; git config user.name a; echo x > x; git add x; git commit -qm x; git clone -q $HOME/r $HOME/s; git log; git diff HEAD",
        ],
      },
    ],
    check: (jail) => {
      const script =
        "cd /tmp; git init -q r; cd r; git config user.email a@b; git config user.name a; echo x > x; git add x; git commit -qm first; git clone -q --no-local /tmp/r /tmp/s && git -C /tmp/s log --format=%s";
      expectJailed(jail, ["/bin/sh", "-c", script], /^first\n$/);
    },
  },
  {
    name: "python3",
    packages: ["python3", "python3-venv", "ca-certificates", "tzdata"],
    programs: ["/usr/bin/python3"],
    traced: [
      { command: ["/usr/bin/python3", "-c", pythonScript] },
      { command: ["/usr/bin/python3", "-m", "venv", "/tmp/viv-home/v"] },
    ],
    check: (jail) => {
      expectJailed(jail, ["/usr/bin/python3", "-c", pythonScript], /^python 42 Europe\/Rome\n$/);
      const venv = "python3 -m venv /venv && /venv/bin/python -c 'import sys; print(sys.prefix)' && /venv/bin/pip --version";
      expectJailed(jail, ["/bin/sh", "-c", venv], /^\/venv\npip \d/);
    },
  },
  {
    name: "perl",
    packages: ["perl"],
    programs: ["perl"],
    traced: [
      {
        command: [
          "perl",
          "-MPOSIX",
          "-MEncode",
          "-MJSON::PP",
          "-MTime::Local",
          "-e",
          "print strftime('%Y', localtime), getpwuid(0)",
        ],
      },
    ],
    check: (jail) => {
      expectJailed(
        jail,
        ["/usr/bin/perl", "-MJSON::PP", "-MPOSIX", "-e", 'print encode_json({a => floor(1.5)}), (getpwuid(0))[0], "\\n"'],
        /^\{"a":1\}root\n$/,
      );
    },
  },
  {
    name: "node",
    packages: [],
    programs: ["node"],
    traced: [
      { command: ["node", "-e", "require('https'); new Date().toLocaleString(); require('dns').lookup('localhost', () => {})"] },
    ],
    check: (jail) => {
      const script =
        "const c = require('crypto'); console.log('node', c.createHash('md5').update('x').digest('hex').length, new Intl.DateTimeFormat('de').format(0))";
      expectJailed(jail, ["node", "-e", script], /^node 32 1\.1\.1970\n$/);
    },
  },
  {
    name: "curl",
    packages: ["curl", "openssl", "ca-certificates"],
    programs: ["curl"],
    traced: [{ command: ["curl", "-s", "https://localhost:1/"] }],
    check: async (jail) => {
      await serveTls(join(jail, "ca.pem"), (port) => {
        expectJailed(jail, ["/usr/bin/curl", "-sS", "--cacert", "/ca.pem", `https://localhost:${port}/`], /^over TLS\n$/);
        const refused = runJailed(jail, ["/usr/bin/curl", "-sS", `https://localhost:${port}/`]);
        assert.equal(refused.status, 60, "an unknown authority is refused, by the jail's own certificates");
      });
    },
  },
  {
    name: "gcc",
    packages: ["gcc", "libc6-dev"],
    programs: ["gcc"],
    traced: [
      { command: ["sh", "-c", `cd $HOME; printf '%s' '${program.replaceAll("'", "")}' > a.c; gcc -O2 -g -o a a.c -lm; ./a`] },
    ],
    check: (jail) => {
      writeFileSync(join(jail, "a.c"), program);
      expectJailed(jail, ["/usr/bin/gcc", "-O2", "-Wall", "-Werror", "-o", "/a", "/a.c", "-lm"], /^$/);
      expectJailed(jail, ["/a"], /^2\n$/);
    },
  },
  {
    name: "sftp-server",
    packages: ["openssh-sftp-server", "openssh-client"],
    programs: ["/usr/lib/openssh/sftp-server"],
    traced: [{ command: ["/usr/lib/openssh/sftp-server", "-e"] }],
    check: (jail) => {
      mkdirSync(join(jail, "srv"), { recursive: true });
      writeFileSync(join(jail, "srv/file"), "through sftp\n");
      const server = invocation(jail, ["/usr/lib/openssh/sftp-server"]);
      const wrapper = join(jail, "../sftp-wrapper");
      const words = [server.file, ...server.args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
      writeFileSync(wrapper, `#!/bin/sh\nexec ${words}\n`);
      chmodSync(wrapper, 0o755);
      const fetched = join(jail, "../fetched");
      const batch = `ls -l /srv\nget /srv/file ${fetched}\nput ${fetched} /srv/copy\n`;
      const result = spawnSync("sftp", ["-b", "-", "-D", wrapper], { env: environment, encoding: "utf8", input: batch });
      assert.equal(result.status, 0, result.stderr);
      assert.match(result.stdout, /root\s+root.*\/?file/);
      assert.equal(readFileSync(fetched, "utf8"), "through sftp\n");
      assert.equal(readFileSync(join(jail, "srv/copy"), "utf8"), "through sftp\n");
    },
  },
  {
    name: "nginx",
    packages: ["nginx-light", "curl"],
    programs: ["nginx"],
    traced: [{ command: ["nginx", "-t"] }],
    check: async (jail) => {
      const port = 20_000 + (process.pid % 10_000);
      writeFileSync(
        join(jail, "etc/nginx/viv.conf"),
        `pid /tmp/nginx.pid; user www-data; events {} http { include /etc/nginx/mime.types; server { listen 127.0.0.1:${port}; root /var/www/html; } }\n`,
      );
      mkdirSync(join(jail, "var/www/html"), { recursive: true });
      writeFileSync(join(jail, "var/www/html/page.html"), "from a jail\n");
      const server = startJailed(jail, ["/usr/sbin/nginx", "-c", "/etc/nginx/viv.conf", "-g", "daemon off;"]);
      try {
        const url = `http://127.0.0.1:${port}/page.html`;
        const result = spawnSync("curl", ["-sSi", "--retry", "20", "--retry-connrefused", "--retry-delay", "1", url], {
          encoding: "utf8",
        });
        assert.match(result.stdout, /Content-Type: text\/html.*from a jail\n$/s);
      } finally {
        await server.stop();
      }
    },
  },
  {
    name: "sqlite3",
    packages: ["sqlite3"],
    programs: ["sqlite3"],
    traced: [
      {
        command: [
          "sqlite3",
          "/tmp/viv-home/db",
          "create table t(x); insert into t values(datetime('now', 'localtime')); select 1",
        ],
      },
    ],
    check: (jail) => {
      expectJailed(jail, ["/usr/bin/sqlite3", "/db", "create table t(x); insert into t values (6*7); select * from t"], /^42\n$/);
      assert.ok(existsSync(join(jail, "db")));
    },
  },
  {
    name: "postgres",
    packages: ["postgresql-15"],
    programs: [`${postgres}/initdb`, `${postgres}/pg_ctl`, `${postgres}/psql`],
    options: { users: ["postgres"] },
    traced: [{ command: ["sh", "-c", postgresScript.replaceAll("/tmp/", "/tmp/viv-home/")], user: "postgres" }],
    check: (jail) => {
      // Run as its own account: initdb refuses root. mkdir is all that the script takes from coreutils.
      const script = postgresScript.replace("mkdir -p /tmp/run\n", "").replaceAll("/tmp/run", "/tmp");
      expectJailed(jail, ["/bin/sh", "-c", script], /^(CREATE EXTENSION\n)?postgres\s+55\n$/, { user: "postgres:postgres" });
    },
  },
  {
    name: "man",
    packages: ["man-db", "manpages", "groff-base"],
    programs: ["man"],
    traced: [{ command: ["man", "7", "hier"], keys: [["q"]] }, { command: ["man", "-P", "cat", "7", "hier"] }],
    check: (jail) => {
      expectJailed(jail, ["/usr/bin/man", "-P", "cat", "7", "hier"], /description of the filesystem hierarchy/);
    },
  },
];
