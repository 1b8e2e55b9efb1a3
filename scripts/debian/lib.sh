# Shared by the fetch scripts of this folder (sourced, bash).
#
# Everything happens below $VIV_CACHE (default ~/.cache/vivarium): a private apt with its own sources,
# lists and archives, so that the machine's apt is neither changed nor locked. The mirror and the
# transport settings (proxies, certificates) are those that the machine's apt has.

set -euo pipefail
export LC_ALL=C

VIV_CACHE=${VIV_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/vivarium}
DEBIAN_SUITE=${VIV_DEBIAN_SUITE:-trixie}
DEBIAN_KEYRING=${VIV_DEBIAN_KEYRING:-/usr/share/keyrings/debian-archive-keyring.gpg}
# Days after which the package lists are fetched again; 0 asks every time.
DEBIAN_MAX_AGE=${VIV_DEBIAN_MAX_AGE:-7}

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$*"; exit 1; }

need() { # need TOOL PACKAGE ...: dies naming every missing tool's package at once
  local missing=()
  while [ $# -gt 0 ]; do
    command -v "$1" >/dev/null || missing+=("$2")
    shift 2
  done
  [ ${#missing[@]} -eq 0 ] || die "missing tools: apt-get install ${missing[*]}"
}

# The mirror of the first Debian main archive in the machine's apt sources.
debian_mirror() {
  if [ -n "${VIV_DEBIAN_MIRROR:-}" ]; then
    echo "$VIV_DEBIAN_MIRROR"
    return
  fi
  apt-get indextargets --format '$(CREATED_BY) $(COMPONENT) $(RELEASE) $(SITE)' | awk '
    $1 == "Packages" && $2 == "main" && $3 ~ /^(bullseye|bookworm|trixie|forky|duke|sid|oldoldstable|oldstable|stable|testing|unstable)$/ { print $4; exit }'
}

# apt_open ARCHITECTURE: prepares the private apt; afterwards `papt TOOL ARGS...` runs apt-get, apt-cache, ... in it.
apt_open() {
  local arch=$1 mirror
  need apt-get apt dpkg-deb dpkg flock util-linux
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || die "the machine's apt sources name no Debian archive; set VIV_DEBIAN_MIRROR to the URL of one"
  [ -r "$DEBIAN_KEYRING" ] || die "no keyring at $DEBIAN_KEYRING; apt-get install debian-archive-keyring"
  APT_DIR=$VIV_CACHE/debian/apt/$DEBIAN_SUITE-$arch
  mkdir -p "$APT_DIR"/{lists/partial,archives/partial,empty/partial}
  exec 8>"$APT_DIR/lock"
  flock -n 8 || { say "waiting for another fetch in $APT_DIR"; flock 8; }
  : >"$APT_DIR/status"
  cat >"$APT_DIR/debian.sources" <<END
Types: deb
URIs: $mirror
Suites: $DEBIAN_SUITE
Components: main
Signed-By: $DEBIAN_KEYRING
END
  # Read after the machine's own configuration. Its hooks (Post-Invoke) are cleared since they may tidy the machine's
  # archive, which is not ours to touch.
  cat >"$APT_DIR/apt.conf" <<END
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Architectures;
#clear DPkg::Pre-Install-Pkgs;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::Etc::SourceList "$APT_DIR/debian.sources";
Dir::Etc::SourceParts "$APT_DIR/empty";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "$APT_DIR/empty";
Dir::State::Lists "$APT_DIR/lists";
Dir::State::Status "$APT_DIR/status";
Dir::State::extended_states "$APT_DIR/extended_states";
Dir::Cache "$APT_DIR";
Dir::Cache::Archives "$APT_DIR/archives";
Dir::Cache::pkgcache "$APT_DIR/pkgcache.bin";
Dir::Cache::srcpkgcache "$APT_DIR/srcpkgcache.bin";
Dir::Log "$APT_DIR";
END
  if ! [ -e "$APT_DIR/updated" ] || [ "$DEBIAN_MAX_AGE" = 0 ] || [ -n "$(find "$APT_DIR/updated" -mtime +"$DEBIAN_MAX_AGE")" ]; then
    say "fetching the package lists of $DEBIAN_SUITE ($arch)"
    papt apt-get -q update >&2
    touch "$APT_DIR/updated"
  fi
}

papt() {
  local tool=$1
  shift
  "$tool" -c "$APT_DIR/apt.conf" "$@"
}

# apt_closure PACKAGE...: prints the file of each package and of all that it depends on, in a system where nothing is
# installed. apt leaves out what it has fetched already, hence the empty archive.
apt_closure() {
  papt apt-get -qq -y -o "Dir::Cache::Archives=$APT_DIR/empty" --print-uris install "$@" | awk '{ print $2 }' | sort
}

# apt_files PACKAGE...: prints the file of just these packages.
apt_files() {
  (cd "$APT_DIR/empty" && papt apt-get -qq --print-uris download "$@") | awk '{ print $2 }' | sort
}

# apt_fetch_closure PACKAGE... / apt_fetch PACKAGE...: put the files into $APT_DIR/archives (checked by apt against the signed
# lists), and let the next script have the private apt.
apt_fetch_closure() {
  papt apt-get -qq -y --download-only install "$@" >&2
  apt_release
}
apt_fetch() {
  (cd "$APT_DIR/archives" && papt apt-get -qq download "$@" >&2)
  apt_release
}
apt_release() {
  exec 8>&-
}

# The key of an artefact: what goes into it (lines on stdin: package files, which carry their version) and the recipe itself.
content_key() { # content_key FILE...
  { cat; cat "$@"; } | sha256sum | cut -c1-16
}

# artefact_begin NAME KEY: sets OUT (the final directory). Returns 1 when it is there already; else makes the empty directory NEW beside it.
artefact_begin() {
  OUT=$VIV_CACHE/debian/$1-$2
  [ ! -d "$OUT" ] || return 1
  mkdir -p "$VIV_CACHE/debian"
  NEW=$(mktemp -d "$VIV_CACHE/debian/.$1-$2.XXXXXX")
  chmod 755 "$NEW"
  trap 'rm -rf "$NEW"' EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

# artefact_commit: renames NEW to OUT, so that nobody ever sees a half-made one.
artefact_commit() {
  if ! mv -T "$NEW" "$OUT" 2>/dev/null; then
    [ -d "$OUT" ] || die "cannot rename $NEW to $OUT"
  fi
}
