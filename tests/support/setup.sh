# Shared by ./demo, ./test: installs what a Debian or Ubuntu machine lacks, builds, runs a throwaway PostgreSQL.
# Sourced, never run. Knows nothing of what is shown or tested.

say() { printf '%s\n' "$*"; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else
    command -v sudo >/dev/null || die "needs root (or sudo) to run: $*"
    sudo "$@"
  fi
}

# have_* say whether a package's content is there, wherever it came from.
have_command() { command -v "$1" >/dev/null 2>&1; }
have_file() { compgen -G "$1" >/dev/null; }

# apt_install PACKAGE... : says so, then apt-get.
apt_install() {
  [ $# -gt 0 ] || return 0
  have_command apt-get || die "please install: $* (no apt-get here)"
  say "installing with apt-get: $*"
  local log; log=$(mktemp)
  if ! { as_root apt-get -qq update && as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2; rm -f "$log"; die "could not install: $*"
  fi
  rm -f "$log"
}

# What building and running needs.
install_basics() {
  local lacking=()
  have_file '/usr/lib/postgresql/*/bin/initdb' || lacking+=(postgresql)
  have_command psql || lacking+=(postgresql-client)
  { have_command cc && have_command make; } || lacking+=(build-essential)
  have_command pkg-config || lacking+=(pkg-config)
  # pg_query's bindings are generated with libclang, and need clang's own headers.
  { have_file '/usr/lib/llvm-*/lib/libclang*.so*' || have_file '/usr/lib/*/libclang*.so*'; } || lacking+=(libclang-dev)
  apt_install "${lacking[@]}"
  have_command cargo || { [ -x "$HOME/.cargo/bin/cargo" ] && PATH="$HOME/.cargo/bin:$PATH"; }
  have_command cargo || die "needs a Rust toolchain: https://rustup.rs"
}

# Where cargo puts the development build.
binary() { printf '%s/debug/pgpurpose' "${CARGO_TARGET_DIR:-target}"; }

# Builds it unless it is newer than all that it is made of. With a test's name beside it, so that cargo gives the
# dependencies the same features as `cargo test` does, and ./demo and ./test share what they compile.
build_binary() {
  local bin; bin=$(binary)
  if [ -x "$bin" ] && [ -z "$(find src Cargo.toml Cargo.lock -newer "$bin" -print -quit)" ]; then return; fi
  say "building pgpurpose (the first time takes some minutes)"
  cargo build --bin pgpurpose --test tokio_postgres
}

# PostgreSQL will not run as root: as_postgres runs a command as the user that it runs as here.
as_postgres() {
  if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

newest_postgres() { printf '%s\n' /usr/lib/postgresql/*/bin | sort -t/ -k5 -n | tail -n 1; }

# start_postgres DIR : a cluster in DIR/data on a free port of 127.0.0.1; sets PG_PORT and PG_BIN.
start_postgres() {
  local dir=$1 try
  PG_BIN=$(newest_postgres)
  mkdir -p "$dir/pg"; [ "$(id -u)" != 0 ] || chown postgres "$dir/pg"
  (cd "$dir/pg" && as_postgres "$PG_BIN/initdb" -D "$dir/pg/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1) \
    || { cat "$dir/initdb.log" >&2; die "initdb failed"; }
  for try in 1 2 3 4 5; do
    PG_PORT=$((20000 + RANDOM % 12000))
    if (cd "$dir/pg" && as_postgres "$PG_BIN/pg_ctl" -D "$dir/pg/data" -l "$dir/pg/log" -w -o "-p $PG_PORT -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories='$dir/pg' -c fsync=off -c synchronous_commit=off -c timezone=UTC" start >/dev/null 2>&1 </dev/null); then return 0; fi
  done
  cat "$dir/pg/log" >&2; die "PostgreSQL did not start ($try attempts)"
}

stop_postgres() {
  local dir=$1
  [ -f "$dir/pg/data/postmaster.pid" ] || return 0
  (cd "$dir/pg" && as_postgres "$PG_BIN/pg_ctl" -D "$dir/pg/data" -m immediate stop >/dev/null 2>&1) || true
}

# upstream DATABASE [psql arguments] : psql straight to the throwaway PostgreSQL, as its superuser.
upstream() {
  local db=$1; shift
  psql -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$PG_PORT" -U postgres -d "$db" "$@"
}

load_demo_data() {
  upstream postgres -c 'CREATE DATABASE care' && upstream care -f tests/data/customer-care.sql >/dev/null
  upstream postgres -f tests/data/chinook.sql >/dev/null 2>&1 && upstream chinook -f tests/data/chinook-grants.sql >/dev/null
}

# The environment of whoever calls must not lead psql elsewhere.
unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGPASSWORD PGPASSFILE PGSERVICE PGSERVICEFILE PGOPTIONS PGSSLMODE \
  PGAPPNAME PGCLIENTENCODING PGTZ PGDATESTYLE PSQLRC PSQL_PAGER PAGER
export PGCONNECT_TIMEOUT=10 PSQL_PAGER=cat
